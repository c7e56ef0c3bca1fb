//! The state of a job in words: progress, speed and remaining time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use restow::Event;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::cli::drawing::Drawing;
use crate::cli::text::{escaped, size};

/// The interval between samples of the number of bytes, from which the rate is computed.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of samples: the rate is that of the last ten seconds.
const SAMPLES: usize = 10;

/// Minimum width of a terminal for a bar and the rate.
const MEDIUM: usize = 60;

/// Minimum width of a terminal for a longer bar.
const WIDE: usize = 100;

/// The state of a job.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) bytes: u64,
    total: Option<u64>,
    /// The current step.
    step: String,
    /// The layer or other blob of the step, or else the step itself.
    blob: String,
    /// The time at which the command began.
    begun: Instant,
    /// Earlier samples, oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            bytes: 0,
            total: None,
            step: String::new(),
            blob: String::new(),
            begun: now,
            samples: VecDeque::new(),
        }
    }

    /// Handles an event. Returns false if it changes nothing.
    pub(super) fn event(&mut self, event: &Event<'_>, now: Instant) -> bool {
        match event {
            Event::Started { bytes, .. } => {
                // Reading to find the images is not part of the job.
                *self = Self {
                    total: Some(*bytes),
                    step: std::mem::take(&mut self.step),
                    blob: std::mem::take(&mut self.blob),
                    begun: self.begun,
                    ..Self::new(now)
                };
            }
            Event::Advanced(bytes) => self.bytes = self.bytes.saturating_add(*bytes),
            Event::Step(step) => {
                self.step = step.to_string();
                self.blob = step.blob().unwrap_or(&self.step).to_owned();
            }
            _ => return false,
        }
        let last = self.samples.back();
        if last.is_none_or(|(then, _)| now.duration_since(*then) >= SAMPLE_INTERVAL) {
            self.samples.push_back((now, self.bytes));
            if self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
        }
        true
    }

    /// True if a step was begun.
    pub(super) fn has_begun(&self) -> bool {
        !self.step.is_empty()
    }

    /// Bytes per second.
    fn rate(&self, now: Instant) -> Option<u64> {
        let (then, bytes) = self.samples.front()?;
        per_second(self.bytes - bytes, now.duration_since(*then))
    }

    /// The remaining time.
    fn rest(&self, now: Instant) -> Option<Duration> {
        let rest = self.total?.saturating_sub(self.bytes);
        let rate = self.rate(now).filter(|rate| *rate > 0)?;
        Some(Duration::from_secs(rest.div_ceil(rate)))
    }

    fn percent(&self, total: u64) -> u128 {
        let percent = u128::from(self.bytes) * 100 / u128::from(total.max(1));
        percent.min(100)
    }

    /// The state as a line that fits into a terminal of this width.
    pub(super) fn bar(&self, width: usize, drawing: Drawing, now: Instant) -> String {
        // Some terminals wrap after a character in the last column.
        let room = width.saturating_sub(1);
        let is_narrow = width < MEDIUM;
        let bytes = size(self.bytes);
        let mut facts = Vec::new();
        match self.total {
            Some(total) if is_narrow => {
                facts.push(format!("{}% of {}", self.percent(total), size(total)));
            }
            Some(total) => {
                let length = if width < WIDE { 10 } else { 24 };
                facts.push(drawing.progress_bar(self.bytes, total, length));
                facts.push(format!("{:>3}%", self.percent(total)));
                facts.push(format!("{bytes}/{}", size(total)));
            }
            None => facts.push(bytes),
        }
        if !is_narrow && let Some(rate) = self.rate(now) {
            facts.push(format!("{}/s", size(rate)));
        }
        match self.total {
            Some(_) => facts.extend(self.rest(now).map(|rest| format!("ETA {}", words(rest)))),
            None => facts.push(words(now.duration_since(self.begun))),
        }
        let facts = facts.join(" ");
        let step = self.shortened_step(room.saturating_sub(facts.width() + 1));
        drawing.cut(&format!("{facts} {}", escaped(step)), room)
    }

    /// The step, without the name of the image if that does not fit, and then without the verb.
    fn shortened_step(&self, room: usize) -> &str {
        let forms = [self.step.as_str(), without_image(&self.step)];
        let fitting = forms.into_iter().find(|it| it.width() <= room);
        fitting.unwrap_or(without_image(&self.blob))
    }

    /// The state as a line of a log.
    pub(super) fn line(&self, now: Instant) -> String {
        let mut facts = vec![match self.total {
            Some(total) => format!(
                "{} of {} ({}%)",
                size(self.bytes),
                size(total),
                self.percent(total)
            ),
            None => size(self.bytes),
        }];
        let rate = self.rate(now);
        facts.extend(rate.map(|rate| format!("{}/s", size(rate))));
        let rest = self.rest(now);
        facts.extend(rest.map(|rest| format!("ETA {}", words(rest))));
        format!("{}: {}", escaped(&self.step), facts.join(", "))
    }

    /// The last line of a log.
    pub(super) fn last_line(&self, now: Instant) -> String {
        let time = now.duration_since(self.begun);
        format!("done: {} read in {}", size(self.bytes), words(time))
    }

    /// The state for programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "event": "progress", "bytes": self.bytes, "total": self.total, "step": self.step,
        })
    }
}

/// The text of a layer without the name of its image at the end.
fn without_image(text: &str) -> &str {
    text.split(" of `").next().unwrap_or_default()
}

/// A rate, unless the time is too short to compute one.
fn per_second(bytes: u64, time: Duration) -> Option<u64> {
    let rate = (u128::from(bytes) * 1000).checked_div(time.as_millis())?;
    u64::try_from(rate).ok()
}

/// A time in its two largest units.
fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m {}s", seconds % 60),
        () if days == 0 => format!("{hours}h {}m", minutes % 60),
        () => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use restow::Step;

    use super::*;

    /// A job of 4.33GB at 100MB/s, in its sixth layer, after this many seconds.
    fn after(seconds: u64, layer: &str) -> (Meter, Instant) {
        let begun = Instant::now();
        let mut now = begun;
        let mut meter = Meter::new(now);
        let started = Event::Started {
            bytes: 4_330_000_000,
            images: None,
            steps: None,
        };
        meter.event(&started, now);
        let step = Step::Copying {
            blob: layer,
            is_recompressed: true,
        };
        meter.event(&Event::Step(step), now);
        for _ in 0..seconds {
            now += Duration::from_secs(1);
            meter.event(&Event::Advanced(100_000_000), now);
        }
        (meter, now)
    }

    const LAYER: &str = "layer 6 of 11 of `registry.example.com/team/big-application:2026.11.27`";

    #[test]
    fn a_bar_fits_the_terminal() {
        let (meter, now) = after(20, LAYER);
        let lines = |drawing| {
            let widths = [200, 120, 100, 80, 60, 59, 40, 20, 1];
            let lines = widths.map(|width| {
                let line = meter.bar(width, drawing, now);
                assert!(line.width() < width, "{width}: {line}");
                format!("{width:>3} {line}")
            });
            lines.join("\n")
        };
        expect![[r#"
            200 ███████████░░░░░░░░░░░░░  46% 2GB/4.33GB 100MB/s ETA 24s compressing layer 6 of 11 of `registry.example.com/team/big-application:2026.11.27`
            120 ███████████░░░░░░░░░░░░░  46% 2GB/4.33GB 100MB/s ETA 24s compressing layer 6 of 11
            100 ███████████░░░░░░░░░░░░░  46% 2GB/4.33GB 100MB/s ETA 24s compressing layer 6 of 11
             80 ████░░░░░░  46% 2GB/4.33GB 100MB/s ETA 24s compressing layer 6 of 11
             60 ████░░░░░░  46% 2GB/4.33GB 100MB/s ETA 24s layer 6 of 11
             59 46% of 4.33GB ETA 24s compressing layer 6 of 11
             40 46% of 4.33GB ETA 24s layer 6 of 11
             20 46% of 4.33GB ETA …
              1 "#]].assert_eq(&lines(Drawing::UNICODE));
        expect![[r#"
            200 ###########-------------  46% 2GB/4.33GB 100MB/s ETA 24s compressing layer 6 of 11 of `registry.example.com/team/big-application:2026.11.27`
            120 ###########-------------  46% 2GB/4.33GB 100MB/s ETA 24s compressing layer 6 of 11
            100 ###########-------------  46% 2GB/4.33GB 100MB/s ETA 24s compressing layer 6 of 11
             80 ####------  46% 2GB/4.33GB 100MB/s ETA 24s compressing layer 6 of 11
             60 ####------  46% 2GB/4.33GB 100MB/s ETA 24s layer 6 of 11
             59 46% of 4.33GB ETA 24s compressing layer 6 of 11
             40 46% of 4.33GB ETA 24s layer 6 of 11
             20 46% of 4.33GB ET...
              1 "#]].assert_eq(&lines(Drawing::ASCII));
    }

    #[track_caller]
    fn check(meter: &Meter, now: Instant, expected: &Expect) {
        let forms = [
            meter.bar(80, Drawing::UNICODE, now),
            meter.bar(40, Drawing::UNICODE, now),
            meter.line(now),
            meter.last_line(now),
            meter.json().to_string(),
        ];
        expected.assert_eq(&forms.join("\n"));
    }

    #[test]
    fn all_forms_tell_the_same() {
        let (meter, now) = after(0, LAYER);
        check(
            &meter,
            now,
            &expect![[r#"
            ░░░░░░░░░░   0% 0B/4.33GB compressing layer 6 of 11
            0% of 4.33GB compressing layer 6 of 11
            compressing layer 6 of 11 of `registry.example.com/team/big-application:2026.11.27`: 0B of 4.33GB (0%)
            done: 0B read in 0s
            {"event":"progress","bytes":0,"total":4330000000,"step":"compressing layer 6 of 11 of `registry.example.com/team/big-application:2026.11.27`"}"#]],
        );
        let (meter, now) = after(10, LAYER);
        check(
            &meter,
            now,
            &expect![[r#"
                ██░░░░░░░░  23% 1GB/4.33GB 100MB/s ETA 34s compressing layer 6 of 11
                23% of 4.33GB ETA 34s layer 6 of 11
                compressing layer 6 of 11 of `registry.example.com/team/big-application:2026.11.27`: 1GB of 4.33GB (23%), 100MB/s, ETA 34s
                done: 1GB read in 10s
                {"event":"progress","bytes":1000000000,"total":4330000000,"step":"compressing layer 6 of 11 of `registry.example.com/team/big-application:2026.11.27`"}"#]],
        );
        let (meter, now) = after(
            43,
            "`blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`",
        );
        check(
            &meter,
            now,
            &expect![[r#"
                █████████░  99% 4.3GB/4.33GB 100MB/s ETA 1s `blobs/sha256/aaaaaaaaaaaaaaaaaaaa…
                99% of 4.33GB ETA 1s `blobs/sha256/aaa…
                compressing `blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`: 4.3GB of 4.33GB (99%), 100MB/s, ETA 1s
                done: 4.3GB read in 43s
                {"event":"progress","bytes":4300000000,"total":4330000000,"step":"compressing `blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`"}"#]],
        );
    }

    #[test]
    fn a_pipe_has_no_end_that_is_known() {
        let begun = Instant::now();
        let mut meter = Meter::new(begun);
        meter.event(&Event::Step(Step::Receiving), begun);
        let now = begun + Duration::from_secs(75);
        meter.event(&Event::Advanced(1_500_000), now);
        check(
            &meter,
            now,
            &expect![[r#"
                1.5MB 20kB/s 1m 15s receiving
                1.5MB 1m 15s receiving
                receiving: 1.5MB, 20kB/s
                done: 1.5MB read in 1m 15s
                {"event":"progress","bytes":1500000,"total":null,"step":"receiving"}"#]],
        );
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (mut meter, mut now) = after(20, LAYER);
        assert_eq!(meter.rate(now), Some(100_000_000));
        for _ in 0..SAMPLES {
            now += SAMPLE_INTERVAL;
            meter.event(&Event::Advanced(1_000_000), now);
        }
        assert_eq!(meter.rate(now), Some(1_000_000));
        // No more bytes arrive.
        now += Duration::from_secs(3_599);
        assert_eq!(meter.rate(now), Some(2_494));
        assert_eq!(meter.samples.len(), SAMPLES);
    }

    #[test]
    fn times_have_two_units() {
        let seconds = [0, 59, 60, 75, 3599, 3600, 86_399, 86_400, 1_000_000];
        let words = seconds.map(|it| words(Duration::from_secs(it)));
        expect![["0s, 59s, 1m 0s, 1m 15s, 59m 59s, 1h 0m, 23h 59m, 1d 0h, 11d 13h"]]
            .assert_eq(&words.join(", "));
    }
}
