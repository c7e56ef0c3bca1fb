//! The check that a stream is a tar, from start to end.

use crate::tar_stream::{Attributes, Member, Skip, TarError, TarReader, Trailing, is_tar_header};

/// A tar as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TarSummary {
    /// The time of its newest member, in seconds since 1970; 0 if all are older.
    pub newest_mtime: i64,
    /// True if it has no members.
    pub is_empty: bool,
    /// True if it ends without an end-of-archive block.
    pub is_cut_off: bool,
    /// The bytes after its end.
    pub trailing: Option<Trailing>,
}

/// The other fields of a member, if they are valid.
pub(crate) type ReadAttributes = Result<Attributes, TarError>;

/// Returns true if an error means that a stream with this start is not a tar at all.
pub(crate) fn is_no_tar(error: &TarError, head: &[u8]) -> bool {
    let second = head.get(512..1024).unwrap_or_default();
    match error {
        TarError::Checksum { offset: 0 } | TarError::Truncated { offset: ..512, .. } => true,
        // A disk, whose first block may be empty.
        TarError::GoesOn { offset: 512 } => !is_tar_header(second),
        _ => false,
    }
}

/// Reads a stream that should be a tar to its end, and passes each member and its other
/// fields to `visit`, which may read its data.
///
/// # Errors
///
/// Fails if the tar is damaged, or if `visit` fails.
pub(crate) fn check_tar<R: Skip>(
    input: R,
    mut visit: impl FnMut(&mut TarReader<R>, Member, ReadAttributes) -> Result<(), TarError>,
) -> Result<TarSummary, TarError> {
    let mut reader = TarReader::new(input);
    let mut newest_mtime = 0;
    let mut is_empty = true;
    while let Some(member) = reader.next_member()? {
        is_empty = false;
        // Other faults of a header are not a reason to refuse it here.
        let attributes = reader.attributes();
        let mtime = attributes.as_ref().map(|it| it.mtime.seconds);
        newest_mtime = newest_mtime.max(mtime.unwrap_or(member.mtime));
        visit(&mut reader, member, attributes)?;
    }
    Ok(TarSummary {
        newest_mtime,
        is_empty,
        is_cut_off: reader.cut_off_at().is_some(),
        trailing: reader.trailing()?,
    })
}
