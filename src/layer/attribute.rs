//! Extended attributes, and the checks for those that a file on Linux can have.

use crate::layer::error::{EntryFault, display_start};
use crate::limits::ATTRIBUTE_MAX;
use crate::tar_stream::PaxRecord;

/// The prefix of a record that holds an extended attribute.
const PREFIX: &[u8] = b"SCHILY.xattr.";

/// Maximum length of an attribute's name on Linux (`XATTR_NAME_MAX`).
const NAME_MAX: usize = 255;

/// The prefixes of attribute names on Linux. Others belong to other systems.
const NAMESPACES: [&[u8]; 3] = [b"security.", b"trusted.", b"user."];

const CAPABILITY: &[u8] = b"security.capability";
const ACCESS_ACL: &[u8] = b"system.posix_acl_access";
const DEFAULT_ACL: &[u8] = b"system.posix_acl_default";

/// The attribute in a PAX record: its name and its value, which may be empty.
fn attribute((key, value): &PaxRecord) -> Option<(&[u8], &[u8])> {
    let name = key.strip_prefix(PREFIX)?;
    Some((name, value))
}

/// Returns true for an attribute of another system, which no file on Linux can have.
pub(super) fn is_foreign(record: &PaxRecord) -> bool {
    let is_known = |name: &[u8]| {
        let is_acl = name == ACCESS_ACL || name == DEFAULT_ACL;
        is_acl || NAMESPACES.iter().any(|space| name.starts_with(space))
    };
    attribute(record).is_some_and(|(name, value)| {
        let is_small = name.len() <= NAME_MAX && value.len() <= ATTRIBUTE_MAX;
        is_small && !name.is_empty() && !is_known(name)
    })
}

/// Fails if no kernel can set the attribute, so that engines refuse it.
pub(super) fn check(record: &PaxRecord, is_directory: bool) -> Result<(), EntryFault> {
    let Some((name, value)) = attribute(record) else {
        return Ok(());
    };
    let display = || display_start(name);
    let is_empty = name.is_empty() || NAMESPACES.contains(&name);
    if is_empty || name.len() > NAME_MAX {
        return Err(EntryFault::AttributeName { name: display() });
    }
    if value.len() > ATTRIBUTE_MAX {
        let (name, length) = (display(), value.len());
        let limit = ATTRIBUTE_MAX;
        return Err(EntryFault::AttributeTooLong {
            name,
            length,
            limit,
        });
    }
    let is_valid = match name {
        // An empty value removes an attribute that does not exist.
        CAPABILITY | ACCESS_ACL | DEFAULT_ACL if value.is_empty() => true,
        CAPABILITY => is_capability(value),
        ACCESS_ACL => is_acl(value),
        // Only a directory has a default ACL, and an empty ACL counts as none.
        DEFAULT_ACL => is_acl(value) && (is_directory || value.len() == ACL_HEADER),
        _ => true,
    };
    if !is_valid {
        return Err(EntryFault::AttributeMalformed { name: display() });
    }
    Ok(())
}

/// Returns true for a set of capabilities that Linux accepts (`struct vfs_cap_data`,
/// `struct vfs_ns_cap_data` of `capability.h`): of revision 2 or 3, with the length of
/// that revision, and with no flag other than the one for effective.
fn is_capability(value: &[u8]) -> bool {
    const EFFECTIVE: u32 = 1;
    let Some(magic) = value.first_chunk() else {
        return false;
    };
    let revision = u32::from_le_bytes(*magic) & !EFFECTIVE;
    matches!(
        (revision, value.len()),
        (0x0200_0000, 20) | (0x0300_0000, 24)
    )
}

/// The bytes before the entries of an ACL: its version.
const ACL_HEADER: usize = 4;

/// Returns true for an ACL that Linux accepts (`posix_acl_valid` of `fs/posix_acl.c`):
/// the owner, users, the group, groups, a mask, the others, in this order, and a mask
/// if users or groups are named.
fn is_acl(value: &[u8]) -> bool {
    const VERSION: [u8; ACL_HEADER] = [2, 0, 0, 0];
    const NOBODY: [u8; 4] = [0xff; 4];
    let Some(entries) = value.strip_prefix(&VERSION) else {
        return false;
    };
    let (entries, rest) = entries.as_chunks::<8>();
    if entries.is_empty() || !rest.is_empty() {
        return rest.is_empty();
    }
    let mut last = 0;
    let mut needs_mask = false;
    for [tag, tag_high, permissions, permissions_high, id @ ..] in entries {
        let is_named = matches!(tag, 0x02 | 0x08);
        let follows = match tag {
            0x01 => last == 0,
            0x02 | 0x04 => matches!(last, 0x01 | 0x02),
            0x08 | 0x10 => matches!(last, 0x04 | 0x08),
            0x20 => matches!(last, 0x04 | 0x10) || (last == 0x08 && !needs_mask),
            _ => false,
        };
        let is_plain = (*tag_high, *permissions_high) == (0, 0) && *permissions <= 7;
        if !follows || !is_plain || (is_named && *id == NOBODY) {
            return false;
        }
        needs_mask = (needs_mask || is_named) && *tag != 0x10;
        last = *tag;
    }
    last == 0x20 && !needs_mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(entries: &[(u8, u8)]) -> Vec<u8> {
        let mut value = vec![2, 0, 0, 0];
        for (tag, permissions) in entries {
            let id = if matches!(tag, 2 | 8) { 7 } else { u32::MAX };
            value.extend([*tag, 0, *permissions, 0]);
            value.extend(id.to_le_bytes());
        }
        value
    }

    /// The expected results are those of `lsetxattr` of Linux on a file.
    #[test]
    fn attributes_are_what_the_kernel_takes() {
        let capability = |magic: [u8; 4], length: usize| {
            let mut value = magic.to_vec();
            value.resize(length, 0);
            value
        };
        let most = [b"user.".as_slice(), &[b'n'; 250]].concat();
        let more = [b"user.".as_slice(), &[b'n'; 251]].concat();
        let cases: Vec<(&[u8], Vec<u8>, bool)> = vec![
            (CAPABILITY, capability([1, 0, 0, 2], 20), true),
            (CAPABILITY, capability([0, 0, 0, 2], 20), true),
            (CAPABILITY, capability([1, 0, 0, 3], 24), true),
            (CAPABILITY, capability([1, 0, 0, 1], 12), false),
            (CAPABILITY, capability([1, 0, 0, 2], 24), false),
            (CAPABILITY, capability([1, 0, 0, 3], 20), false),
            (CAPABILITY, capability([1, 0, 0, 4], 24), false),
            (CAPABILITY, capability([7, 0, 0, 2], 20), false),
            (CAPABILITY, b"bad".to_vec(), false),
            (ACCESS_ACL, acl(&[(1, 7), (4, 5), (0x20, 5)]), true),
            (ACCESS_ACL, acl(&[]), true),
            (
                ACCESS_ACL,
                acl(&[(1, 7), (2, 5), (2, 5), (4, 5), (8, 5), (0x10, 7), (0x20, 5)]),
                true,
            ),
            (
                ACCESS_ACL,
                acl(&[(1, 7), (4, 5), (0x10, 7), (0x20, 5)]),
                true,
            ),
            (ACCESS_ACL, acl(&[(1, 7), (2, 5), (4, 5), (0x20, 5)]), false),
            (ACCESS_ACL, acl(&[(1, 7), (4, 5), (8, 5), (0x20, 5)]), false),
            (ACCESS_ACL, acl(&[(4, 5), (0x20, 5)]), false),
            (ACCESS_ACL, acl(&[(4, 5), (1, 7), (0x20, 5)]), false),
            (ACCESS_ACL, acl(&[(1, 7), (1, 7), (4, 5), (0x20, 5)]), false),
            (ACCESS_ACL, acl(&[(1, 7), (4, 5)]), false),
            (ACCESS_ACL, acl(&[(3, 7), (4, 5), (0x20, 5)]), false),
            (ACCESS_ACL, acl(&[(1, 9), (4, 5), (0x20, 5)]), false),
            (ACCESS_ACL, b"bad".to_vec(), false),
            (ACCESS_ACL, vec![1, 0, 0, 0], false),
            (ACCESS_ACL, vec![2, 0, 0, 0, 1, 0], false),
            (DEFAULT_ACL, acl(&[]), true),
            (DEFAULT_ACL, acl(&[(1, 7), (4, 5), (0x20, 5)]), false),
            (b"user.a", vec![0; 65_536], true),
            (b"user.a", vec![0; 65_537], false),
            (b"user.a", Vec::new(), true),
            (CAPABILITY, Vec::new(), true),
            (DEFAULT_ACL, Vec::new(), true),
            (b"user.", Vec::new(), false),
            (b"", Vec::new(), false),
            (&more, Vec::new(), false),
            (b"user.", b"v".to_vec(), false),
            (b"trusted.", b"v".to_vec(), false),
            (b"", b"v".to_vec(), false),
            (&most, b"v".to_vec(), true),
            (&more, b"v".to_vec(), false),
            (b"security.anything", b"v".to_vec(), true),
        ];
        for (name, value, is_valid) in cases {
            let record = ([PREFIX, name].concat(), value);
            let what = format!("{}: {:?}", name.escape_ascii(), record.1);
            assert_eq!(check(&record, false).is_ok(), is_valid, "{what}");
            assert!(!is_foreign(&record), "{what}");
        }
        let default = acl(&[(1, 7), (4, 5), (0x20, 5)]);
        assert!(check(&([PREFIX, DEFAULT_ACL].concat(), default), true).is_ok());
    }

    #[test]
    fn attributes_of_other_systems_are_foreign() {
        for (name, is_expected) in [
            ("com.apple.quarantine", true),
            ("user", true),
            ("system.nfs4_acl", true),
            ("user.a", false),
            ("system.posix_acl_access", false),
        ] {
            let record = (format!("SCHILY.xattr.{name}").into_bytes(), b"v".to_vec());
            assert_eq!(is_foreign(&record), is_expected, "{name}");
            // Docker 28 also sets it without a value.
            let empty = (record.0, Vec::new());
            assert_eq!(is_foreign(&empty), is_expected, "{name}");
            assert!(check(&empty, false).is_ok(), "{name}");
        }
        let other = (b"LIBARCHIVE.xattr.com.apple".to_vec(), b"v".to_vec());
        assert!(!is_foreign(&other), "engines do not look at it");
    }
}
