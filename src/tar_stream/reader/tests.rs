use super::*;
use crate::tar_stream::SkipByReading;
use crate::tar_stream::fixture::{end, header, member, padded, patched, pax};

/// Each member as `kind path link data`.
fn list(bytes: &[u8]) -> Result<Vec<String>, TarError> {
    let mut reader = TarReader::new(SkipByReading(bytes));
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
    // At the place of ustar's name prefix GNU has times, which are not part of the
    // name.
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
        pax(&[("path", b"first"), ("path", b"second"), ("linkpath", b"")]),
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
    // Three ways to smuggle an inner tar past other readers (CVE-2025-62518,
    // CVE-2026-33055, GHSA-3cv2-h65g-fgmm).
    let inner = member("inner", b'0', b"smuggled");
    let size = inner.len().to_string();
    let with_header_size = |size_in_header| {
        [
            pax(&[("size", size.as_bytes())]),
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
        pax(&[("size", size.as_bytes())]),
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
fn a_long_name_beats_a_pax_name_and_that_beats_the_header() {
    let pax = pax(&[("path", b"pax"), ("linkpath", b"pax target")]);
    let long = [
        member("long", b'L', b"long\0"),
        member("long", b'K', b"long target\0"),
    ]
    .concat();
    let link = patched(&header("header", b'2', 0), &[(157, b"header target")]);
    let cases = [
        (vec![], "header header target"),
        (long.clone(), "long long target"),
        (pax.clone(), "pax pax target"),
        ([pax.clone(), long.clone()].concat(), "long long target"),
        ([long, pax].concat(), "long long target"),
    ];
    for (extensions, expected) in cases {
        // They only apply to their member.
        let bytes = [extensions, link.clone(), link.clone(), end()].concat();
        let expected = [
            format!("Symlink {expected} "),
            "Symlink header header target ".to_owned(),
        ];
        assert_eq!(list(&bytes).unwrap(), expected);
    }
}

#[test]
fn only_a_header_without_type_is_a_folder_by_its_slash() {
    for (flag, kind) in [(0, "Directory"), (b'0', "File"), (b'5', "Directory")] {
        let bytes = [header("a/", flag, 0), end()].concat();
        assert_eq!(list(&bytes).unwrap(), [format!("{kind} a/  ")]);
    }
}

#[test]
fn what_follows_a_lone_empty_block_is_not_lost() {
    let first = member("a", b'0', b"1");
    let empty = vec![0; 512];
    let goes_on = [first.clone(), empty.clone(), first.clone()].concat();
    assert!(matches!(
        list(&goes_on),
        Err(TarError::GoesOn { offset: 1536 })
    ));
    // Engines do not skip data that is not a member.
    let junk = [first.clone(), empty.clone(), b"junk".to_vec()].concat();
    assert!(matches!(
        list(&junk),
        Err(TarError::GoesOn { offset: 1536 })
    ));
    let behind = [
        vec![],
        vec![0; 100],
        [empty.clone(), first.clone()].concat(),
    ];
    for behind in behind {
        let ends = [first.clone(), empty.clone(), behind].concat();
        assert_eq!(list(&ends).unwrap().len(), 1);
    }
}

#[test]
fn extended_headers_of_one_member_are_bounded_together() {
    let file = member("a", b'0', b"1");
    // Including its own block, each has half of the limit.
    let half = vec![b'x'; (1 << 20) - 512];
    let mut record = format!("{} comment=", half.len()).into_bytes();
    record.resize(half.len() - 1, b'x');
    record.push(b'\n');
    for (flag, half) in [
        (b'g', &record),
        (b'x', &record),
        (b'L', &half),
        (b'K', &half),
    ] {
        let extension = member("e", flag, half);
        let bytes = [extension.clone(), extension.clone(), file.clone()].concat();
        assert_eq!(list(&bytes).unwrap().len(), 1);
        let again = [bytes.clone(), bytes.clone(), end()].concat();
        assert_eq!(list(&again).unwrap().len(), 2, "each member has its own");
        let empty = header("e", flag, 0);
        let too_much = [extension.clone(), extension, empty, file.clone()].concat();
        assert_eq!(
            list(&too_much).unwrap_err().to_string(),
            "with the extended tar header at byte 2097152, those of one member exceed the limit of 2097152 bytes"
        );
    }
    let empty = header("e", b'g', 0).repeat(4096);
    assert_eq!(list(&[empty.clone(), file].concat()).unwrap().len(), 1);
    let one_more = [empty, header("e", b'x', 0)].concat();
    let error = list(&one_more).unwrap_err();
    assert!(matches!(error, TarError::ExtensionsTooLarge { .. }));
}

#[test]
fn data_is_handed_out_where_it_lies() {
    let bytes = [member("a", b'0', b"first"), member("b", b'0', b"second")].concat();
    let mut reader = TarReader::new(SkipByReading(bytes.as_slice()));
    reader.next_member().unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"first");
    reader.consume(2);
    assert_eq!(reader.fill_buf().unwrap(), b"rst");
    reader.next_member().unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"second");
    reader.consume(6);
    assert_eq!(reader.fill_buf().unwrap(), b"");
    assert!(reader.next_member().unwrap().is_none());
}

#[test]
fn data_that_ends_too_early_is_the_same_error_either_way() {
    let bytes = &member("a", b'0', b"first")[..514];
    let expected = "the tar is truncated at byte 514 (at least 3 bytes missing)";
    let mut reader = TarReader::new(SkipByReading(bytes));
    reader.next_member().unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(TarError::from(error).to_string(), expected);
    let mut reader = TarReader::new(SkipByReading(bytes));
    reader.next_member().unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"fi");
    reader.consume(2);
    let error = reader.fill_buf().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(TarError::from(error).to_string(), expected);
}

#[test]
fn a_link_with_a_size_has_no_data() {
    let bytes = [header("link", b'2', 512), member("next", b'0', b"x"), end()].concat();
    assert_eq!(list(&bytes).unwrap(), ["Symlink link  ", "File next  x"]);
}

#[test]
fn a_folder_has_no_data_whatever_tells_that_it_is_one() {
    for flag in [0, b'5'] {
        let bytes = [header("d/", flag, 5), member("next", b'0', b"x"), end()].concat();
        assert_eq!(list(&bytes).unwrap(), ["Directory d/  ", "File next  x"]);
    }
}

#[test]
fn a_global_header_is_looked_at_and_takes_what_stands_before_it() {
    let global = |records: &[(&str, &[u8])]| patched_flag(&pax(records), b'g');
    let name = pax(&[("path", b"p")]);
    let long = member("././@LongLink", b'L', b"l\0");
    for before in [name, long] {
        let bytes = [
            before,
            global(&[("comment", b"c"), ("path", b"g")]),
            member("own", b'0', b"x"),
            end(),
        ];
        assert_eq!(list(&bytes.concat()).unwrap(), ["File own  x"]);
    }
    for wrong in [
        patched_flag(&member("g", b'x', b"garbage"), b'g'),
        global(&[("uid", b"x")]),
        global(&[("path", b"a\0b")]),
        global(&[("k\0", b"v")]),
        global(&[("ctime", b"x")]),
    ] {
        let error = list(&[wrong, member("own", b'0', b"x")].concat()).unwrap_err();
        assert_eq!(error.to_string(), "the PAX header at byte 0 is malformed");
    }
}

/// An extended header with another type flag.
fn patched_flag(extended: &[u8], flag: u8) -> Vec<u8> {
    let (header, data) = extended.split_at(512);
    [&patched(header, &[(156, &[flag])]), data].concat()
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
        pax(&[("GNU.sparse.map", b"0,0")]),
        member("pax", b'0', b""),
        member("gnu", b'S', b""),
        end(),
    ]
    .concat();
    assert_eq!(list(&bytes).unwrap(), ["Sparse pax  ", "Sparse gnu  "]);
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
    let negative = patched(&header("n", b'0', 0), &[(124, &[0xff; 12])]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            vec![b'x'; 512],
            "invalid tar header at byte 0: wrong checksum",
        ),
        (
            whole[..1100].to_vec(),
            "the tar is truncated at byte 1100 (at least 436 bytes missing)",
        ),
        (
            whole[..1600].to_vec(),
            "the tar is truncated at byte 1600 (at least 536 bytes missing)",
        ),
        (negative, "the tar header at byte 0 has no valid size"),
        (
            header("big", b'x', 2 << 20),
            "the extended tar header at byte 0 has 2097152 bytes, more than the limit of 1048576",
        ),
        (
            member("bad", b'x', b"12 path=ab\n"),
            "the PAX header at byte 0 is malformed",
        ),
        (
            [pax(&[("size", b"-1")]), header("a", b'0', 0)].concat(),
            "the tar header at byte 1024 has no valid size",
        ),
    ];
    for (bytes, message) in cases {
        assert_eq!(list(&bytes).unwrap_err().to_string(), message);
    }
}
