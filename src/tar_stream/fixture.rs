//! Tars for tests, built byte by byte.

use tar::Header;

/// A header with the usual fields and a valid checksum.
pub(super) fn header(path: &str, flag: u8, size: u64) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkflag[0] = flag;
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A header with some bytes replaced, and a repaired checksum.
pub(super) fn patched(header: &[u8], patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut result = Header::new_old();
    result.as_mut_bytes().copy_from_slice(header);
    for (at, bytes) in patches {
        result.as_mut_bytes()[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    result.set_cksum();
    result.as_bytes().to_vec()
}

/// Data padded to whole blocks.
pub(super) fn padded(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(512), 0);
    data
}

/// A member of an old tar: header and data.
pub(super) fn member(path: &str, flag: u8, data: &[u8]) -> Vec<u8> {
    [header(path, flag, data.len() as u64), padded(data)].concat()
}

/// A PAX header.
pub(super) fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = (1..8).map(|digits| rest + digits);
        let length = length.find(|n| n.to_string().len() + rest == *n);
        data.extend_from_slice(format!("{} {key}=", length.unwrap()).as_bytes());
        data.extend_from_slice(value);
        data.push(b'\n');
    }
    member("pax", b'x', &data)
}

/// The end of an archive.
pub(super) fn end() -> Vec<u8> {
    vec![0; 1024]
}
