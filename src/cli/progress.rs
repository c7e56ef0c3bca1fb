//! Progress of the whole job: a bar on one line, lines of a log, or objects for a program.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use restow::Event;
use serde_json::json;

use crate::cli::drawing::Drawing;
use crate::cli::global::ProgressMode;
use crate::cli::meter::Meter;
use crate::cli::terminal::{can_draw, is_piped, width};
use crate::cli::text::{escaped, json_text};

/// The delay before the first bar; a shorter job does not show one.
const PATIENCE: Duration = Duration::from_millis(250);

/// The interval between updates of the bar.
const BAR_INTERVAL: Duration = Duration::from_millis(66);

/// The interval between lines of a log.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The interval at which the state is looked at while no event comes.
const TICK: Duration = Duration::from_millis(250);

/// The interval between objects for a program.
const JSON_INTERVAL: Duration = Duration::from_millis(100);

/// The width of a terminal that does not report it.
const USUAL_WIDTH: usize = 80;

/// Moves to the beginning of the line and clears to the end of the screen, since a terminal that
/// became narrower has wrapped the line.
const CLEAR: &str = "\r\x1b[J";

/// Shows events.
#[derive(Debug)]
pub(super) struct Progress {
    form: Form,
    state: Arc<Mutex<State>>,
}

/// The form of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Hidden,
    Bar,
    Lines,
    Json,
}

#[derive(Debug)]
struct State {
    meter: Meter,
    /// The time of the last update.
    shown: Option<Instant>,
    /// True while the bar is on the terminal.
    is_drawn: bool,
    /// True if the job is done.
    is_over: bool,
}

impl Progress {
    /// Progress in the requested form.
    ///
    /// By default, no bar is shown if standard output is a pipe: the command that reads it may
    /// show its own, as restow, `docker load` and pv do, and the two would overwrite each other.
    /// `--progress bar` shows it nevertheless.
    pub(super) fn new(mode: ProgressMode, is_quiet: bool) -> Self {
        Self::of(match mode {
            ProgressMode::Auto if is_quiet || is_piped() || !can_draw() => Form::Hidden,
            ProgressMode::Bar if !can_draw() => Form::Lines,
            ProgressMode::Auto | ProgressMode::Bar => Form::Bar,
            ProgressMode::Plain => Form::Lines,
            ProgressMode::Json => Form::Json,
            ProgressMode::None => Form::Hidden,
        })
    }

    /// Shows nothing.
    pub(super) fn hidden() -> Self {
        Self::of(Form::Hidden)
    }

    fn of(form: Form) -> Self {
        let now = Instant::now();
        let is_json = form == Form::Json;
        let state = State {
            meter: Meter::new(now),
            // A program gets the first object at once.
            shown: (!is_json).then_some(now),
            is_drawn: false,
            is_over: false,
        };
        let state = Arc::new(Mutex::new(state));
        let progress = Self { form, state };
        if matches!(form, Form::Bar | Form::Lines) {
            progress.keep_showing();
        }
        progress
    }

    /// Handles an event that is not a warning. Returns a line to print, if one is due.
    pub(super) fn event(&self, event: &Event<'_>) -> Option<String> {
        if self.form == Form::Hidden {
            return None;
        }
        let now = Instant::now();
        let mut state = self.lock();
        let is_shown = !state.is_over || self.form == Form::Json;
        if !state.meter.event(event, now) || !is_shown || !state.is_due(self.form, now) {
            return None;
        }
        state.show(self.form, now)
    }

    /// Ends the progress of a job that is done, and removes the bar. Returns a line to print, if
    /// any.
    pub(super) fn end(&self) -> Option<String> {
        let mut state = self.lock();
        state.clear();
        if std::mem::replace(&mut state.is_over, true) || state.meter.bytes == 0 {
            return None;
        }
        (self.form == Form::Lines).then(|| state.meter.last_line(Instant::now()))
    }

    /// Ends the progress of a command, done or not.
    pub(super) fn finish(&self, is_done: bool) -> Option<String> {
        if is_done && self.form != Form::Json {
            return self.end();
        }
        let mut state = self.lock();
        state.clear();
        state.is_over = true;
        let event = json!({"event": "done", "bytes": state.meter.bytes});
        is_done.then(|| json_text(&event))
    }

    /// Hides the bar while `print` runs.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        let mut state = self.lock();
        let was_drawn = state.is_drawn;
        state.clear();
        print();
        if was_drawn {
            state.draw(Instant::now());
        }
    }

    /// Shows the state while no event comes, as when a pipe waits for its writer.
    fn keep_showing(&self) {
        let (form, state) = (self.form, Arc::downgrade(&self.state));
        let tick = move || {
            while let Some(state) = state.upgrade() {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.is_over {
                    return;
                }
                let now = Instant::now();
                let is_due = state.meter.has_begun() && state.is_due(form, now);
                if let Some(line) = is_due.then(|| state.show(form, now)).flatten() {
                    // The state stays locked, so that this is not printed after the last line.
                    // If it fails, nobody reads the log.
                    let _ = writeln!(io::stderr(), "{}", escaped(&line));
                }
                drop(state);
                thread::sleep(TICK);
            }
        };
        // Without the thread, only events show the state.
        let _ = thread::Builder::new().spawn(tick);
    }

    /// Locks the state, which is valid even if a thread panicked while it held the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// True if an update is due.
    fn is_due(&self, form: Form, now: Instant) -> bool {
        let interval = match form {
            Form::Bar if self.is_drawn => BAR_INTERVAL,
            Form::Bar | Form::Hidden => PATIENCE,
            Form::Lines => LINE_INTERVAL,
            Form::Json => JSON_INTERVAL,
        };
        let shown = self.shown;
        shown.is_none_or(|shown| now.duration_since(shown) >= interval)
    }

    /// Shows the state, or returns the line to print.
    fn show(&mut self, form: Form, now: Instant) -> Option<String> {
        self.shown = Some(now);
        match form {
            Form::Hidden => None,
            Form::Bar => {
                self.draw(now);
                None
            }
            Form::Lines => Some(self.meter.line(now)),
            Form::Json => Some(json_text(&self.meter.json())),
        }
    }

    fn draw(&mut self, now: Instant) {
        let width = width(io::stderr()).unwrap_or(USUAL_WIDTH);
        let line = self.meter.bar(width, Drawing::of_locale(), now);
        // The cursor waits at the beginning of the line, where it stays if the terminal becomes
        // narrower and wraps the line. A failure only means that the bar is not shown.
        let _ = io::stderr().write_all(format!("{CLEAR}{line}\r").as_bytes());
        self.is_drawn = true;
    }

    fn clear(&mut self) {
        if self.is_drawn {
            let _ = io::stderr().write_all(CLEAR.as_bytes());
            self.is_drawn = false;
        }
    }
}
