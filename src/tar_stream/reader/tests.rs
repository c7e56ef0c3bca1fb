use std::fmt::Write as _;

use super::*;

/// A header with the fields that matter here, and a checksum that holds.
fn header(path: &str, flag: u8, size: u64) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkflag[0] = flag;
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(512), 0);
    data
}

/// A member of an old tar: header and data.
fn member(path: &str, flag: u8, data: &[u8]) -> Vec<u8> {
    [header(path, flag, data.len() as u64), padded(data)].concat()
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut data = String::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let length = (1..5).map(|digits| rest + digits);
        let length = length.clone().find(|n| n.to_string().len() + rest == *n);
        let _ = writeln!(data, "{} {key}={value}", length.unwrap());
    }
    member("pax", b'x', data.as_bytes())
}

fn end() -> Vec<u8> {
    vec![0; 1024]
}

/// Each member as `kind path link data`.
fn list(bytes: &[u8]) -> Result<Vec<String>, TarError> {
    let mut reader = TarReader::new(Skippable(bytes));
    let mut members = Vec::new();
    while let Some(member) = reader.next_member()? {
        let mut data = Vec::new();
        reader.read_to_end(&mut data)?;
        assert_eq!(data.len() as u64, member.size);
        members.push(format!(
            "{:?} {} {} {}",
            member.kind,
            String::from_utf8_lossy(&member.path),
            String::from_utf8_lossy(&member.link),
            String::from_utf8_lossy(&data)
        ));
    }
    Ok(members)
}

#[test]
fn every_dialect_is_read() {
    let mut gnu = Header::new_gnu();
    gnu.as_old_mut().name[..3].copy_from_slice(b"gnu");
    // Where ustar has its name prefix, GNU has times: they are no part of the name.
    gnu.as_gnu_mut()
        .unwrap()
        .atime
        .copy_from_slice(b"01234567012\0");
    gnu.set_size(1);
    gnu.set_cksum();
    let mut prefixed = Header::new_ustar();
    prefixed.as_old_mut().name[..4].copy_from_slice(b"name");
    prefixed.as_ustar_mut().unwrap().prefix[..6].copy_from_slice(b"prefix");
    prefixed.set_size(0);
    prefixed.set_cksum();
    let bytes = [
        member("a", b'0', b"1"),
        member("old", 0, b"2"),
        member("olddir/", 0, b""),
        member("contiguous", b'7', b"3"),
        gnu.as_bytes().to_vec(),
        padded(b"4"),
        prefixed.as_bytes().to_vec(),
        member("long", b'L', b"a/long/name\0ignored"),
        member("long", b'K', b"a/long/target\0"),
        member("short", b'2', b""),
        pax(&[("path", "first"), ("path", "second"), ("linkpath", "")]),
        member("short", b'0', b"5"),
        member("global", b'g', b"11 path=no\n"),
        member("dir", b'5', b""),
        member("fifo", b'6', b""),
        end(),
        b"junk that is not looked at".to_vec(),
    ]
    .concat();
    assert_eq!(
        list(&bytes).unwrap(),
        [
            "File a  1",
            "File old  2",
            "Directory olddir/  ",
            "File contiguous  3",
            "File gnu  4",
            "File prefix/name  ",
            "Symlink a/long/name a/long/target ",
            "File second  5",
            "Directory dir  ",
            "Other(54) fifo  ",
        ]
    );
}

#[test]
fn a_pax_size_belongs_to_the_member_alone_and_overrides_its_header() {
    // The three ways in which an inner tar was smuggled past other readers
    // (CVE-2025-62518, CVE-2026-33055, GHSA-3cv2-h65g-fgmm).
    let inner = member("inner", b'0', b"smuggled");
    let size = inner.len().to_string();
    let with_header_size = |size_in_header| {
        [
            pax(&[("size", &size)]),
            header("outer", b'0', size_in_header),
            inner.clone(),
            end(),
        ]
        .concat()
    };
    for size_in_header in [0, 1, 512] {
        let names: Vec<_> = list(&with_header_size(size_in_header)).unwrap();
        assert_eq!(names.len(), 1);
        assert!(names[0].starts_with("File outer"));
    }
    let before_long_name = [
        pax(&[("size", &size)]),
        member("long", b'L', b"outer\0"),
        header("short", b'0', 0),
        inner.clone(),
        end(),
    ]
    .concat();
    let names = list(&before_long_name).unwrap();
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("File outer"));
}

#[test]
fn a_link_with_a_size_has_no_data() {
    let bytes = [header("link", b'2', 512), member("next", b'0', b"x"), end()].concat();
    assert_eq!(list(&bytes).unwrap(), ["Symlink link  ", "File next  x"]);
}

#[test]
fn an_archive_may_end_in_one_empty_block_or_in_none() {
    let bytes = member("a", b'0', b"1");
    assert_eq!(list(&bytes).unwrap(), ["File a  1"]);
    let bytes = [bytes, vec![0; 512]].concat();
    assert_eq!(list(&bytes).unwrap(), ["File a  1"]);
    assert!(list(b"").unwrap().is_empty());
}

#[test]
fn sparse_files_are_told_apart() {
    let bytes = [
        pax(&[("GNU.sparse.major", "1")]),
        member("pax", b'0', b""),
        member("gnu", b'S', b""),
        end(),
    ]
    .concat();
    assert_eq!(
        list(&bytes).unwrap(),
        ["Other(83) pax  ", "Other(83) gnu  "]
    );
}

#[test]
fn checksums_of_signed_bytes_are_accepted() {
    let mut bytes = header("\u{e9}", b'0', 0);
    let sum: i64 = bytes
        .iter()
        .enumerate()
        .map(|(at, b)| {
            if (148..156).contains(&at) {
                32
            } else {
                i64::from(b.cast_signed())
            }
        })
        .sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(list(&bytes).unwrap(), ["File \u{e9}  "]);
}

#[test]
fn what_is_no_tar_is_refused_with_the_place() {
    let whole = [member("a", b'0', b"1"), member("b", b'0', &[7; 600])].concat();
    let mut negative = header("n", b'0', 0);
    negative[124..136].copy_from_slice(&[0xff; 12]);
    let mut fixed = Header::new_old();
    fixed.as_mut_bytes().copy_from_slice(&negative);
    fixed.set_cksum();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            vec![b'x'; 512],
            "no tar header at byte 0: its checksum is wrong",
        ),
        (
            whole[..1100].to_vec(),
            "the tar ends early: 436 more bytes were expected at byte 1100",
        ),
        (
            whole[..1600].to_vec(),
            "the tar ends early: 536 more bytes were expected at byte 1600",
        ),
        (
            fixed.as_bytes().to_vec(),
            "the tar header at byte 0 has no valid size",
        ),
        (
            header("big", b'x', 2 << 20),
            "the extended tar header at byte 0 has 2097152 bytes, and 1048576 are the most that is accepted",
        ),
        (
            member("bad", b'x', b"12 path=ab\n"),
            "the PAX header at byte 0 is malformed",
        ),
        (
            [pax(&[("size", "-1")]), header("a", b'0', 0)].concat(),
            "the tar header at byte 1024 has no valid size",
        ),
    ];
    for (bytes, message) in cases {
        assert_eq!(list(&bytes).unwrap_err().to_string(), message);
    }
}
