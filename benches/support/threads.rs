//! How far each command can use many cores, by counting the CPU time of its threads.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use wait4::Wait4;

use super::bench::{Arguments, Result, is_selected};
use super::pairs::Pair;

/// Number of files in the images for `delta`: 320 MB.
const FILES: u64 = 40_000;

/// Their mean size, in bytes.
const MEAN: u64 = 8_000;

/// The work, and its command with `$IMAGE`, `$PACKED`, which has gzip layers, two images `$OLD` and
/// `$NEW` of one layer, the `$DELTA` between these, and `$OUT`. `$JOBS` is an option of restow.
#[rustfmt::skip] // A table is read in rows.
const WORK: [(&str, &str); 15] = [
    ("convert", r#"convert $JOBS "$IMAGE" "oci:$OUT""#),
    ("convert to gzip", r#"convert $JOBS --compress gzip "$IMAGE" "oci:$OUT""#),
    ("convert to a gzip archive", r#"convert $JOBS --compress gzip "$IMAGE" "$OUT""#),
    ("convert to zstd", r#"convert $JOBS --compress zstd "$IMAGE" "oci:$OUT""#),
    ("squash", r#"squash $JOBS --all "$IMAGE" "$OUT""#),
    ("squash to gzip", r#"squash $JOBS --all --compress gzip "$IMAGE" "$OUT""#),
    ("export", r#"export $JOBS "$IMAGE" "$OUT""#),
    ("export of gzip", r#"export $JOBS "$PACKED" "$OUT""#),
    ("verify", r#"verify $JOBS "$IMAGE""#),
    ("verify of gzip", r#"verify $JOBS "$PACKED""#),
    ("files", r#"files $JOBS "$IMAGE""#),
    ("diff", r#"diff $JOBS "$IMAGE" "$PACKED""#),
    ("waste", r#"waste $JOBS "$IMAGE""#),
    ("delta", r#"delta $JOBS "$OLD" "$NEW" "$OUT""#),
    ("apply", r#"apply $JOBS "$OLD" "$DELTA" "$OUT""#),
];

const JOBS: [u32; 2] = [1, 16];

/// Time between two looks at the threads.
const PAUSE: Duration = Duration::from_millis(2);

/// Runs the selected work with one job and with many; a row for each run.
pub(crate) fn count_threads(arguments: &Arguments, image: &Path) -> Result<Vec<Value>> {
    let is_selected = |(what, _): &&(&str, &str)| is_selected(what, arguments);
    let selected: Vec<_> = WORK.iter().filter(is_selected).collect();
    if selected.is_empty() {
        return Ok(Vec::new());
    }
    let inputs = Inputs::new(image)?;
    let mut rows = Vec::new();
    for (what, command) in selected {
        eprintln!("running: {what}");
        for jobs in JOBS {
            rows.push(count(what, command, jobs, &inputs)?);
        }
    }
    Ok(rows)
}

/// The inputs of the commands.
struct Inputs {
    variables: Vec<(&'static str, PathBuf)>,
    folder: TempDir,
}

impl Inputs {
    fn new(image: &Path) -> Result<Self> {
        let folder = image.parent().ok_or("the image has no directory")?;
        let folder = tempfile::tempdir_in(folder)?;
        let pair = Pair::Generated {
            files: FILES,
            mean: MEAN,
        }
        .folder()?;
        let path = |name: &str| folder.path().join(name);
        let variables = vec![
            ("IMAGE", image.to_owned()),
            ("PACKED", path("packed.tar")),
            ("OLD", pair.join("old.tar")),
            ("NEW", pair.join("new.tar")),
            ("DELTA", path("delta.tar")),
        ];
        let script = r#"
            "$RESTOW" convert -q --compress gzip "$IMAGE" "$PACKED"
            "$RESTOW" delta -q "$OLD" "$NEW" "$DELTA""#;
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).envs(variables.iter().cloned());
        if !shell
            .env("RESTOW", env!("CARGO_BIN_EXE_restow"))
            .status()?
            .success()
        {
            return Err("the inputs were not made".into());
        }
        Ok(Self { variables, folder })
    }
}

/// Runs a command, and returns the row for it.
fn count(what: &str, command: &str, jobs: u32, inputs: &Inputs) -> Result<Value> {
    let out = inputs.folder.path().join("out");
    let mut shell = Command::new("sh");
    // The shell becomes restow.
    shell.args(["-c", &format!(r#"exec "$RESTOW" {command}"#)]);
    shell.envs(inputs.variables.iter().cloned());
    shell.env("RESTOW", env!("CARGO_BIN_EXE_restow"));
    shell.env("OUT", &out).env("JOBS", format!("--jobs={jobs}"));
    shell.stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = shell.spawn()?;
    let tasks = PathBuf::from(format!("/proc/{}/task", child.id()));
    let is_over = AtomicBool::new(false);
    let (used, threads) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&tasks, &is_over));
        let used = child.wait4();
        is_over.store(true, Ordering::Relaxed);
        (used, watching.join().unwrap_or_default())
    });
    let (used, seconds) = (used?, start.elapsed().as_secs_f64());
    // `diff` finds differences.
    if used.status.code().is_none_or(|code| code > 1) {
        return Err(format!("`{command}`: {}", used.status).into());
    }
    if out.is_dir() {
        fs::remove_dir_all(&out)?;
    } else if out.exists() {
        fs::remove_file(&out)?;
    }
    let cpu = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    let longest = threads.into_values().max_by(|a, b| a.1.total_cmp(&b.1));
    let (name, most) = longest.ok_or("no thread was seen")?;
    Ok(json!({
        "work": what,
        "jobs": jobs,
        "s": seconds,
        "cpu_s": cpu,
        "longest_thread": name,
        "its_cpu_s": most,
        "at_most": cpu / most,
        "peak_mib": used.rusage.maxrss >> 20,
    }))
}

/// The names of all threads that were seen, and the CPU time of each in seconds.
///
/// What a thread does after the last look at it is missed: a few milliseconds.
fn watch(tasks: &Path, is_over: &AtomicBool) -> HashMap<String, (String, f64)> {
    let mut threads = HashMap::new();
    while !is_over.load(Ordering::Relaxed) {
        for task in fs::read_dir(tasks).into_iter().flatten().flatten() {
            let read = |name| fs::read_to_string(task.path().join(name)).ok();
            let (Some(times), Some(name)) = (read("schedstat"), read("comm")) else {
                continue;
            };
            let nanoseconds = times.split(' ').next().and_then(|it| it.parse().ok());
            let seconds = nanoseconds.map_or(0.0, |it| Duration::from_nanos(it).as_secs_f64());
            let id = task.file_name().to_string_lossy().into_owned();
            threads.insert(id, (name.trim_end().to_owned(), seconds));
        }
        thread::sleep(PAUSE);
    }
    threads
}
