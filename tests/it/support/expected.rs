//! Expected texts of a test: written literally, composed, or rewritten by `UPDATE_EXPECT=1`.
//!
//! A text ends in a newline: one without would be rewritten as a string on one line, which
//! rustfmt may move to where the switch does not find it again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use expect_test::Expect;

/// An expected text.
pub(crate) trait Expected {
    /// Fails the test if `got`, the result of `command`, is a different text.
    #[track_caller]
    fn check(self, got: &str, command: &str);
}

impl Expected for &str {
    #[track_caller]
    fn check(self, got: &str, command: &str) {
        assert_eq!(got, self, "{command}");
    }
}

impl Expected for &String {
    #[track_caller]
    fn check(self, got: &str, command: &str) {
        self.as_str().check(got, command);
    }
}

impl Expected for Expect {
    #[track_caller]
    fn check(self, got: &str, command: &str) {
        (&self).check(got, command);
    }
}

/// The first text with which each `Expect` was compared.
static FIRST: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// A text may be that of several runs: the first of them rewrites it, and the others must agree.
impl Expected for &Expect {
    #[track_caller]
    fn check(self, got: &str, command: &str) {
        let mut texts = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        let place = format!("{self:?}");
        if let Some(first) = texts.get(&place) {
            assert_eq!(got, first, "{command}");
            return;
        }
        texts.insert(place, got.to_owned());
        drop(texts);
        self.assert_eq(got);
    }
}
