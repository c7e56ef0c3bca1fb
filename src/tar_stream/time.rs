//! Points in time in headers and records.

/// A point in time.
///
/// It has no padding, since every merged entry has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(4))]
pub(crate) struct Time {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds after that second, less than a billion.
    pub nanoseconds: u32,
}

impl Time {
    /// Parses the decimal of a PAX record, such as `-1.5`.
    ///
    /// Digits beyond nanoseconds are truncated towards the earlier time.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        const DIGITS: usize = 9;
        let text = std::str::from_utf8(text).ok()?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let seconds: i64 = whole.parse().ok()?;
        if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let (kept, cut_off) = fraction.split_at(fraction.len().min(DIGITS));
        let nanoseconds: u32 = format!("{kept:0<DIGITS$}").parse().ok()?;
        let is_between = cut_off.bytes().any(|digit| digit != b'0');
        let back = nanoseconds + u32::from(is_between);
        if back == 0 || !whole.starts_with('-') {
            return Some(Self {
                seconds,
                nanoseconds,
            });
        }
        // The fraction is subtracted, but nanoseconds count forward from their second.
        Some(Self {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: 1_000_000_000 - back,
        })
    }
}
