//! Signals set a flag, so that temporary files are removed before the process ends.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level};

/// The interval between checks for a signal.
const PATIENCE: Duration = Duration::from_millis(250);

/// The time for an operation to end by itself after a signal.
const GRACE: Duration = Duration::from_secs(1);

/// The signal, if any, that asked this process to end.
#[derive(Debug)]
pub(super) struct Interrupt {
    flag: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
    may_wait: Arc<AtomicBool>,
}

impl Interrupt {
    /// Installs the signal handlers. A second signal ends the process at once, but only after a
    /// grace period: timeout(1), for example, sends each signal twice. The process ends by the
    /// signal itself, with a core dump after SIGQUIT if the user allows one.
    ///
    /// Signals that this process ignores from its start, as with nohup(1), stay ignored. The signal
    /// for exceeding the maximum file size (`ulimit -f`) is caught without any effect, so that the
    /// write fails and its file is removed.
    pub(super) fn listen() -> io::Result<Self> {
        let interrupt = Self {
            flag: Arc::default(),
            signal: Arc::default(),
            may_wait: Arc::default(),
        };
        let was_patient = Arc::new(AtomicBool::new(false));
        let ignored = ignored_signals();
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            if ignored & (1 << (signal - 1)) != 0 {
                continue;
            }
            let number = usize::try_from(signal).expect("signals are positive");
            flag::register_conditional_default(signal, Arc::clone(&was_patient))?;
            flag::register_usize(signal, Arc::clone(&interrupt.signal), number)?;
            flag::register(signal, Arc::clone(&interrupt.flag))?;
        }
        flag::register(SIGXFSZ, Arc::default())?;
        interrupt.watch(&was_patient);
        Ok(interrupt)
    }

    /// Ends an operation that does not end by itself after a signal.
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

    /// The flag that operations and waiting readers check.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Ends the process by the signal it received, so that a shell sees it.
    pub(super) fn die_if_interrupted(&self) {
        die_of(&self.signal);
    }

    /// Lets a single signal end a process that writes to a pipe or a device: it may wait for a
    /// reader without checking the flag. Such an output leaves nothing to be removed.
    pub(super) fn end_what_waits(&self) {
        self.may_wait.store(true, Ordering::Relaxed);
    }
}

fn die_of(signal: &AtomicUsize) {
    if let Ok(signal @ 1..) = i32::try_from(signal.load(Ordering::Relaxed)) {
        // It only returns on failure; then the exit code shows the signal.
        let _ = low_level::emulate_default_handler(signal);
    }
}

/// The ignored signals as a mask, lowest first, as reported by Linux; 0 on other systems.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
