//! One bar for the bytes of the whole job, or the same facts for a program.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use restow::Event;
use rustix::fs::{FileType, fstat};
use serde_json::{Value, json};

use crate::cli::global::ProgressMode;

/// What is over before this shows nothing at all.
const PATIENCE: Duration = Duration::from_millis(250);

/// How often a program is told.
const JSON_INTERVAL: Duration = Duration::from_millis(100);

/// Shows events.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nothing is shown.
    Hidden,
    /// On a terminal.
    Bar(Mutex<Bar>),
    /// On lines.
    Json(Mutex<Counter>),
}

#[derive(Debug)]
pub(super) struct Bar {
    shown: ProgressBar,
    begun: Instant,
    is_shown: bool,
}

#[derive(Debug)]
pub(super) struct Counter {
    bytes: u64,
    total: Option<u64>,
    step: String,
    said: Option<Instant>,
}

impl Progress {
    /// Decides what is shown.
    pub(super) fn new(mode: ProgressMode, is_quiet: bool) -> Self {
        let bar = || {
            if !io::stderr().is_terminal() {
                return Self::Hidden;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            bar.set_style(spinner_style());
            Self::Bar(Mutex::new(Bar {
                shown: bar,
                begun: Instant::now(),
                is_shown: false,
            }))
        };
        match mode {
            // In `restow export | restow import` the last one alone shows a bar.
            ProgressMode::Auto if is_quiet || is_pipe(io::stdout()) => Self::Hidden,
            ProgressMode::Auto | ProgressMode::Bar => bar(),
            ProgressMode::None => Self::Hidden,
            ProgressMode::Json => Self::Json(Mutex::new(Counter {
                bytes: 0,
                total: None,
                step: String::new(),
                said: None,
            })),
        }
    }

    /// Takes an event that is no warning. `say` prints an object on a line.
    pub(super) fn event(&self, event: &Event<'_>, say: impl Fn(&Value)) {
        match self {
            Self::Hidden => {}
            Self::Bar(bar) => lock(bar).event(event),
            Self::Json(counter) => {
                if let Some(object) = lock(counter).event(event) {
                    say(&object);
                }
            }
        }
    }

    pub(super) fn finish(&self, is_done: bool, say: impl Fn(&Value)) {
        match self {
            Self::Bar(bar) => lock(bar).shown.finish_and_clear(),
            Self::Json(counter) if is_done => {
                say(&json!({"event": "done", "bytes": lock(counter).bytes}));
            }
            Self::Hidden | Self::Json(_) => {}
        }
    }

    /// Prints something while no bar is in the way.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        match self {
            Self::Bar(bar) => {
                let bar = lock(bar).shown.clone();
                bar.suspend(print);
            }
            Self::Hidden | Self::Json(_) => print(),
        }
    }
}

/// What a thread that panicked left is as good as any.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a stream is a pipe to another command, which may show a bar of its own.
fn is_pipe(stream: impl AsFd) -> bool {
    fstat(stream).is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Fifo)
}

impl Bar {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { bytes, .. } => {
                // What was read to find the images is no part of the job.
                self.shown.set_position(0);
                self.shown.reset_eta();
                self.shown.set_length(*bytes);
                self.shown.set_style(bar_style());
            }
            Event::Advanced(bytes) => self.shown.inc(*bytes),
            Event::Step(step) => self.shown.set_message(step.to_string()),
            _ => {}
        }
        if !self.is_shown && self.begun.elapsed() >= PATIENCE {
            self.is_shown = true;
            self.shown
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(15));
        }
    }
}

fn bar_style() -> ProgressStyle {
    let template = "{bar:24} {percent:>3}% {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} {msg}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// For a pipe, whose end nobody knows.
fn spinner_style() -> ProgressStyle {
    let template = "{spinner} {decimal_bytes} {decimal_bytes_per_sec} {elapsed} {msg}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Counter {
    /// Returns what should be said, if it is time.
    fn event(&mut self, event: &Event<'_>) -> Option<Value> {
        match event {
            Event::Started { bytes, .. } => {
                self.bytes = 0;
                self.total = Some(*bytes);
            }
            Event::Advanced(bytes) => self.bytes += bytes,
            Event::Step(step) => self.step = step.to_string(),
            _ => return None,
        }
        if self.said.is_some_and(|said| said.elapsed() < JSON_INTERVAL) {
            return None;
        }
        self.said = Some(Instant::now());
        Some(json!({
            "event": "progress", "bytes": self.bytes, "total": self.total, "step": self.step,
        }))
    }
}
