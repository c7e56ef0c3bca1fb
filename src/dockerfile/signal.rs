//! The names of signals, for STOPSIGNAL.

use crate::dockerfile::ChangeFault;

/// Signals of Linux that Docker knows, without `SIG`, besides `RTMIN+n` and `RTMAX-n`.
const NAMES: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "RTMAX", "RTMIN", "SEGV", "STKFLT", "STOP", "SYS",
    "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU",
    "XFSZ",
];

/// The highest number of a signal on Linux. Docker accepts any number except 0.
const HIGHEST: u8 = 64;

/// Checks that a text names a signal: `SIGTERM`, `term` or `15`.
pub(super) fn check(text: &str) -> Result<(), ChangeFault> {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let is_offset = |offset: Option<&str>, most: u8| {
        let offset = offset.filter(|it| !it.starts_with(['0', '+']));
        let offset = offset.and_then(|it| it.parse::<u8>().ok());
        offset.is_some_and(|it| it <= most)
    };
    let number = text.parse::<u8>();
    let is_signal = number.is_ok_and(|it| (1..=HIGHEST).contains(&it))
        || NAMES.contains(&name)
        || is_offset(name.strip_prefix("RTMIN+"), 15)
        || is_offset(name.strip_prefix("RTMAX-"), 14);
    if is_signal {
        return Ok(());
    }
    let expected = "a signal such as `SIGTERM`, or its number from 1 to 64";
    Err(ChangeFault::unexpected(expected, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known() {
        let signals = [
            "9",
            "09",
            "+9",
            "64",
            "SIGTERM",
            "sigterm",
            "term",
            "SIGRTMIN+3",
            "RTMIN+15",
            "RTMAX-1",
            "rtmax-14",
            "RTMAX",
            "SIGCLD",
            "SIGXFSZ",
            "XCPU",
        ];
        for signal in signals {
            assert_eq!(check(signal), Ok(()), "{signal}");
        }
        let wrong = [
            "",
            "0",
            "65",
            "-1",
            "1x",
            "FOO",
            "SIGSIGTERM",
            "RTMIN+16",
            "RTMAX-15",
            "RTMIN0",
            "RTMIN+0",
            "RTMIN+03",
            "KILL x",
            "UNUSED",
        ];
        for signal in wrong {
            assert!(check(signal).is_err(), "{signal}");
        }
    }
}
