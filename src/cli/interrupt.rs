//! Signals become a flag, so that temporaries are removed on the way out.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level};

/// How often it is looked whether a signal came.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long an operation has to end by itself after a signal.
const GRACE: Duration = Duration::from_secs(1);

/// Whether a signal came that asks for the end, and which.
#[derive(Debug)]
pub(super) struct Interrupt {
    flag: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
    may_wait: Arc<AtomicBool>,
}

impl Interrupt {
    /// Begins to listen. A second signal ends the process at once, if it comes when the
    /// first one has had its time: timeout(1), for one, sends each signal twice.
    ///
    /// Signals that this process was started to ignore, as by nohup(1), stay so. The one
    /// that says that a file may not grow (`ulimit -f`) is heard and nothing else: then
    /// the write fails, and what fails is cleaned up.
    pub(super) fn listen() -> io::Result<Self> {
        let interrupt = Self {
            flag: Arc::default(),
            signal: Arc::default(),
            may_wait: Arc::default(),
        };
        let was_patient = Arc::new(AtomicBool::new(false));
        let ignored = ignored_signals();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if ignored & (1 << (signal - 1)) != 0 {
                continue;
            }
            let number = usize::try_from(signal).expect("signals are positive");
            let status = 128 + signal;
            flag::register_conditional_shutdown(signal, status, Arc::clone(&was_patient))?;
            flag::register_usize(signal, Arc::clone(&interrupt.signal), number)?;
            flag::register(signal, Arc::clone(&interrupt.flag))?;
        }
        flag::register(SIGXFSZ, Arc::default())?;
        interrupt.watch(&was_patient);
        Ok(interrupt)
    }

    /// Ends the wait for an operation that does not end by itself after a signal.
    fn watch(&self, was_patient: &Arc<AtomicBool>) {
        let signal = Arc::clone(&self.signal);
        let may_wait = Arc::clone(&self.may_wait);
        let is_over = Arc::clone(was_patient);
        let watch = move || {
            while signal.load(Ordering::Relaxed) == 0 {
                thread::sleep(PATIENCE);
            }
            thread::sleep(GRACE);
            if may_wait.load(Ordering::Relaxed) {
                die_of(&signal);
            }
            is_over.store(true, Ordering::Relaxed);
        };
        if thread::Builder::new().spawn(watch).is_err() {
            was_patient.store(true, Ordering::Relaxed);
        }
    }

    /// The flag that operations, and readers that wait, look at.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Ends the process as the signal would have, so that a shell sees it.
    pub(super) fn die_if_interrupted(&self) {
        die_of(&self.signal);
    }

    /// Lets one signal end a process that writes into a pipe or a device: it may wait for
    /// a reader that does not come, or that takes nothing, and looks at no flag then.
    /// Such an output leaves nothing that would have to be removed.
    pub(super) fn end_what_waits(&self) {
        self.may_wait.store(true, Ordering::Relaxed);
    }
}

fn die_of(signal: &AtomicUsize) {
    if let Ok(signal @ 1..) = i32::try_from(signal.load(Ordering::Relaxed)) {
        // It only returns if it could not; then the exit code tells.
        let _ = low_level::emulate_default_handler(signal);
    }
}

/// The signals that are ignored, a bit each from the lowest, as Linux tells; none
/// where it does not.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
