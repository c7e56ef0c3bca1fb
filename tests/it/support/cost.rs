//! The cost of a run of the command: memory, and temporary space on disk.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wait4::Wait4;

/// The bound of design.md section 4.
pub(crate) const MEMORY: u64 = 128 << 20;

/// The cost of a run.
#[derive(Debug)]
pub(crate) struct Cost {
    /// Peak memory, in bytes.
    pub(crate) memory: u64,
    /// Peak size of unlinked files, in bytes.
    pub(crate) spool: u64,
}

/// Runs a command, which must succeed. `write` receives its standard input, `read` its standard
/// output.
///
/// Returns the result of `read`, the text on standard error, and the cost.
#[track_caller]
pub(crate) fn measure<T: Send>(
    mut command: Command,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
    read: impl FnOnce(&mut dyn Read) -> T + Send,
) -> (T, String, Cost) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command can be started");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let mut stderr = child.stderr.take().expect("stderr is piped");
    let process = child.id();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| watch(process, &is_over));
        scope.spawn(move || {
            // If the command ends early, its exit code and message are more useful than a broken
            // pipe.
            let _ = write(&mut stdin);
        });
        let result = scope.spawn(move || read(&mut stdout));
        let said = scope.spawn(move || io::read_to_string(&mut stderr));
        let result = result.join().expect("the output can be judged");
        let said = said.join().expect("no panic").expect("stderr is text");
        let memory = wait(child, &said);
        is_over.store(true, Ordering::Relaxed);
        let (resident, spool) = watch.join().expect("no panic");
        // The system's value includes the memory of this process when it started the command.
        let memory = memory.min(resident);
        (result, said, Cost { memory, spool })
    })
}

/// Waits for the command, which must have succeeded; returns its peak memory.
#[track_caller]
fn wait(mut child: Child, said: &str) -> u64 {
    let used = child.wait4().expect("the command can be waited for");
    assert_eq!(used.status.code(), Some(0), "{said}");
    used.rusage.maxrss
}

/// Watches a process until it ends: its peak memory, and its peak bytes in unlinked files.
fn watch(process: u32, is_over: &AtomicBool) -> (u64, u64) {
    let (mut memory, mut spool) = (0, 0);
    let status = format!("/proc/{process}/status");
    let descriptors = format!("/proc/{process}/fd");
    while !is_over.load(Ordering::Relaxed) {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|it| it.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        memory = memory.max(peak.unwrap_or_default() << 10);
        let open = fs::read_dir(&descriptors).into_iter().flatten().flatten();
        let unlinked = open.filter(|it| {
            let target = fs::read_link(it.path()).unwrap_or_default();
            target.is_absolute() && target.to_string_lossy().ends_with(" (deleted)")
        });
        // A file counts once, however many descriptors it has.
        let files = unlinked.filter_map(|it| {
            let metadata = fs::metadata(it.path()).ok()?;
            Some(((metadata.dev(), metadata.ino()), metadata.len()))
        });
        spool = spool.max(files.collect::<BTreeMap<_, _>>().values().sum());
        thread::sleep(Duration::from_millis(10));
    }
    (memory, spool)
}
