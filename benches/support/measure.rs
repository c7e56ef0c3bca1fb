//! Runs two commands in turn, and compares their cost.

use std::env;
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::io::{self, Read};
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use wait4::Wait4;

use super::bench::{MB, Result};

/// Maximum peak memory of restow, for any work.
const MOST_MEMORY: u64 = 128 << 20;

/// A command of restow and one for comparison.
///
/// Both are run by the shell, with `$RESTOW`, `$IMAGE`, `$OUT`, which does not exist yet, and other
/// variables of the benchmark.
#[derive(Clone, Copy)]
pub(crate) struct Comparison {
    pub(crate) what: &'static str,
    pub(crate) restow: &'static str,
    pub(crate) against: &'static str,
    pub(crate) peer: &'static str,
    /// Maximum ratio of times.
    pub(crate) goal: Option<f64>,
    /// Limit for restow, independent of the peer.
    pub(crate) limit: Option<Limit>,
    /// True if the goal also requires that the output is not larger, in MB, than the peer's.
    pub(crate) no_larger: bool,
    /// True if the peer needs minutes, and runs only once.
    pub(crate) once: bool,
    /// True if the peer only does the work that nobody can avoid: its time is that of the
    /// processor, divided by the number of cores.
    pub(crate) is_least: bool,
}

/// Limits for a command.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) milliseconds: u32,
    pub(crate) mebibytes: u64,
}

impl Limit {
    fn is_kept(self, sample: &Sample) -> bool {
        sample.seconds * 1000.0 <= f64::from(self.milliseconds)
            && sample.peak <= self.mebibytes << 20
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms, {} MiB", self.milliseconds, self.mebibytes)
    }
}

/// The defaults for rows of a table.
pub(crate) const PLAIN: Comparison = Comparison {
    what: "",
    restow: "",
    against: "",
    peer: "",
    goal: None,
    limit: None,
    no_larger: false,
    once: false,
    is_least: false,
};

impl Comparison {
    /// The same work, compared with another restow: 5 % more is a failure.
    pub(crate) fn with_before(&self) -> Self {
        Self {
            against: "before",
            peer: self.restow,
            goal: Some(1.05),
            limit: None,
            no_larger: true,
            once: false,
            is_least: false,
            ..*self
        }
    }

    /// A row of the results; its keys are the headings of the table.
    fn row(&self, restow: &Sample, peer: &Sample) -> Value {
        let peer_seconds = if self.is_least {
            peer.cpu_seconds / cores()
        } else {
            peer.seconds
        };
        let ratio = restow.seconds / peer_seconds;
        let (restow_mb, peer_mb) = (restow.output_size / MB, peer.output_size / MB);
        let is_met = |goal| {
            ratio <= goal && restow.peak < MOST_MEMORY && (restow_mb <= peer_mb || !self.no_larger)
        };
        let limit = self.limit.map(|limit| limit.to_string());
        let is_kept = self.limit.map(|limit| limit.is_kept(restow));
        json!({
            "work": self.what,
            "against": self.against,
            "restow_s": restow.seconds,
            "peer_s": peer_seconds,
            "ratio": ratio,
            "restow_cpu_s": restow.cpu_seconds,
            "peer_cpu_s": peer.cpu_seconds,
            "goal": self.goal.map(Value::from).or(limit.map(Value::from)),
            "met": self.goal.map(is_met).or(is_kept),
            "restow_mb": restow_mb,
            "peer_mb": peer_mb,
            "peak_mib": restow.peak >> 20,
        })
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}, against {}", self.what, self.against)
    }
}

/// Fails if the program of a command is not installed, unless it is in a variable.
pub(crate) fn needs_program_of(command: &str) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_on_path = |program| env::split_paths(&path).any(|it| it.join(program).is_file());
    match command.split(' ').next() {
        // A loop of the shell.
        Some("for") => Ok(()),
        // An assignment.
        Some(word) if word.contains('=') => Ok(()),
        Some(program) if !program.starts_with(['"', '$']) && !is_on_path(program) => {
            Err(format!("skipped: `{program}` is not installed").into())
        }
        _ => Ok(()),
    }
}

/// Runs both sides in turn, the first time only as a warm-up; outputs are written beside the image.
/// The restow of the peer's command is `before`, if given.
pub(crate) fn alternate(
    work: &Comparison,
    image: &Path,
    variables: &[(&str, OsString)],
    runs: u64,
    before: Option<&Path>,
) -> Result<Value> {
    needs_program_of(work.peer)?;
    let folder = image.parent().ok_or("the image has no directory")?;
    let own = Path::new(env!("CARGO_BIN_EXE_restow"));
    let other = before.unwrap_or(own);
    let (mut restow, mut peer) = (Vec::new(), Vec::new());
    for round in 0..=runs {
        let written = |samples: &[Sample]| samples.last().map_or(0, |last| last.output_size);
        let memory = 2 * written(&restow);
        restow.push(time(work.restow, folder, variables, own, memory)?);
        if round == 0 || !work.once {
            let memory = 2 * written(&peer);
            peer.push(time(work.peer, folder, variables, other, memory)?);
        }
    }
    let warm_up = usize::from(!work.once);
    Ok(work.row(&median(&mut restow[1..]), &median(&mut peer[warm_up..])))
}

/// The number of cores.
fn cores() -> f64 {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    f64::from(u32::try_from(cores).unwrap_or(u32::MAX))
}

/// The cost and result of one run of a command.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    /// In user and system mode, on all cores.
    pub(crate) cpu_seconds: f64,
    pub(crate) peak: u64,
    pub(crate) output_size: u64,
}

/// Frees memory, this many bytes and some more, right before a command that will need it.
///
/// A virtual machine may return memory that was free for two seconds to its host, and then gets
/// it again page by page: writing a GB takes 0.5 s more. Whether that happens depends on what ran
/// before, and is the cost of neither command.
fn warm_memory(folder: &Path, bytes: u64) -> Result<()> {
    /// For what a command needs besides its output.
    const LEAST: u64 = 256 << 20;
    let mut file = tempfile::tempfile_in(folder)?;
    io::copy(&mut io::repeat(0).take(LEAST + bytes), &mut file)?;
    Ok(())
}

/// Times a command, excluding the creation and removal of the directory for its output.
///
/// The disk is idle at the start, since pending writes of earlier runs would slow this one down,
/// and this many bytes of memory are warm.
pub(crate) fn time(
    command: &str,
    folder: &Path,
    variables: &[(&str, OsString)],
    restow: &Path,
    memory: u64,
) -> Result<Sample> {
    let folder = tempfile::tempdir_in(folder)?;
    let (out, messages) = (folder.path().join("out"), folder.path().join("messages"));
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .envs(variables.iter().cloned())
        .env("OUT", &out)
        .env("RESTOW", restow);
    shell.stdout(Stdio::null()).stderr(File::create(&messages)?);
    Command::new("sync").status()?;
    warm_memory(folder.path(), memory)?;

    let start = Instant::now();
    let used = shell.spawn()?.wait4()?;
    let seconds = start.elapsed().as_secs_f64();

    if !used.status.success() {
        let messages = fs::read_to_string(&messages)?;
        return Err(format!("`{command}`: {}: {}", used.status, messages.trim_end()).into());
    }
    Ok(Sample {
        seconds,
        cpu_seconds: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        peak: used.rusage.maxrss,
        output_size: size_below(&out)?,
    })
}

/// The size of the content of this path, or 0 if it does not exist.
fn size_below(path: &Path) -> io::Result<u64> {
    let metadata = path.symlink_metadata();
    if !metadata.as_ref().is_ok_and(fs::Metadata::is_dir) {
        return Ok(metadata.map_or(0, |metadata| metadata.len()));
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + size_below(&entry?.path())?))
}

/// The run with the median time, with the highest peak of all.
fn median(samples: &mut [Sample]) -> Sample {
    samples.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let peak = samples.iter().fold(0, |peak, sample| peak.max(sample.peak));
    Sample {
        peak,
        ..samples[samples.len() / 2]
    }
}
