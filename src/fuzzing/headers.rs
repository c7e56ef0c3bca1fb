//! Tars with valid checksums, which no mutation of bytes finds.

use tar::Header;

/// Checks a tar unchanged, and with repaired checksums.
pub(super) fn check_repaired(tar: &[u8], check: fn(&[u8])) {
    check(tar);
    let repaired = with_checksums(tar);
    if repaired != tar {
        check(&repaired);
    }
}

/// Repairs the checksum of each header, as far as headers can be found.
fn with_checksums(tar: &[u8]) -> Vec<u8> {
    let mut repaired = tar.to_vec();
    let mut at = 0;
    while let Some(block) = repaired.get_mut(at..at + 512) {
        at += 512;
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
        let has_data = !matches!(block[156], b'1'..=b'6');
        if let (true, Ok(size)) = (has_data, header.entry_size()) {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            at = at.saturating_add(size.saturating_add(511) / 512 * 512);
        }
        // A position after the end, or one that overflows, ends it.
        if at > repaired.len() {
            break;
        }
    }
    repaired
}
