//! Whether a stream is a tar, from its beginning to its end.

use crate::tar_stream::{Skip, TarError, TarReader};

/// Reads a tar to its end, and returns how young the youngest of its members is, in
/// seconds since 1970; 0 if none is younger than that.
///
/// # Errors
///
/// Fails if it is damaged, or cut off.
pub(crate) fn check_tar<R: Skip>(input: R) -> Result<i64, TarError> {
    let mut reader = TarReader::new(input);
    let mut newest_mtime = 0;
    while let Some(member) = reader.next_member()? {
        // What else is wrong with a header is no reason to refuse it here.
        let mtime = reader.attributes().map(|it| it.mtime.seconds);
        newest_mtime = newest_mtime.max(mtime.unwrap_or(member.mtime));
    }
    match reader.cut_off_at() {
        Some(offset) => Err(TarError::EndMissing { offset }),
        None => Ok(newest_mtime),
    }
}
