use std::fmt::Write as _;

use crate::tar_stream::fixture::{end, header, member, padded, patched, pax};
use crate::tar_stream::{Kind, SkipByReading, SparseReader, TarReader};

use super::*;

/// The file in every form below: `aaaa`, a hole, `bb`, a hole.
const DATA: &[u8] = b"aaaabb";
const SEGMENTS: [(u64, u64); 3] = [(0, 4), (6, 2), (10, 0)];
const FILE: &[u8] = b"aaaa\0\0bb\0\0";

fn octal(number: u64) -> Vec<u8> {
    format!("{number:011o}\0").into_bytes()
}

/// An old GNU header: a map of four segments, and blocks with more of it.
fn gnu(size: u64, segments: &[(u64, u64)], data: &[u8]) -> Vec<u8> {
    let fields = |segments: &[(u64, u64)], room: usize| {
        let each = segments.iter();
        let mut fields = each.fold(Vec::new(), |fields, (offset, length)| {
            [fields, octal(*offset), octal(*length)].concat()
        });
        fields.resize(room * 24, 0);
        fields
    };
    let (here, rest) = segments.split_at(segments.len().min(4));
    let map = fields(here, 4);
    let goes_on = [u8::from(!rest.is_empty())];
    let header = header("file", b'S', data.len() as u64);
    let patches: [(usize, &[u8]); 5] = [
        (257, b"ustar  \0"),
        (345, b"01234567012"), // The time of the last access, not a prefix of the name.
        (386, &map),
        (482, &goes_on),
        (483, &octal(size)),
    ];
    let mut bytes = patched(&header, &patches);
    let mut blocks = rest.chunks(21).peekable();
    while let Some(block) = blocks.next() {
        bytes.extend(fields(block, 21));
        bytes.push(u8::from(blocks.peek().is_some()));
        bytes.extend([0; 7]);
    }
    [bytes, padded(data)].concat()
}

/// Version 0.0.
fn pax_0_0(size: &str, segments: &[(u64, u64)], data: &[u8]) -> Vec<u8> {
    let mut numbers = Vec::new();
    for (offset, length) in segments {
        numbers.push(("GNU.sparse.offset", offset.to_string()));
        numbers.push(("GNU.sparse.numbytes", length.to_string()));
    }
    let count = segments.len().to_string();
    let mut records: Vec<(&str, &[u8])> = vec![
        ("GNU.sparse.size", size.as_bytes()),
        ("GNU.sparse.numblocks", count.as_bytes()),
    ];
    records.extend(
        numbers
            .iter()
            .map(|(key, number)| (*key, number.as_bytes())),
    );
    [pax(&records), member("file", b'0', data)].concat()
}

/// Version 0.1.
fn pax_0_1(size: &str, map: &str, data: &[u8]) -> Vec<u8> {
    let count = map.split(',').count().div_ceil(2).to_string();
    let records = pax(&[
        ("GNU.sparse.size", size.as_bytes()),
        ("GNU.sparse.numblocks", count.as_bytes()),
        ("GNU.sparse.name", b"file"),
        ("GNU.sparse.map", map.as_bytes()),
    ]);
    [records, member("GNUSparseFile.1/file", b'0', data)].concat()
}

/// Version 1.0, whose map is at the start of the data.
fn pax_1_0(size: &str, map: &str, data: &[u8]) -> Vec<u8> {
    let records = pax(&[
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"file"),
        ("GNU.sparse.realsize", size.as_bytes()),
    ]);
    let data = [padded(map.as_bytes()), data.to_vec()].concat();
    [records, member("GNUSparseFile.1/file", b'0', &data)].concat()
}

fn lines(segments: &[(u64, u64)]) -> String {
    let mut lines = format!("{}\n", segments.len());
    for (offset, length) in segments {
        let _ = write!(lines, "{offset}\n{length}\n");
    }
    lines
}

fn list(segments: &[(u64, u64)]) -> String {
    let each = segments.iter();
    let each = each.map(|(offset, length)| format!("{offset},{length}"));
    each.collect::<Vec<_>>().join(",")
}

/// The map and the data of a sparse file, which another member follows.
fn read(file: &[u8]) -> Result<(SparseMap, Vec<u8>), TarError> {
    let bytes = [file, &member("next", b'0', b"x"), &end()].concat();
    let mut reader = TarReader::new(SkipByReading(bytes.as_slice()));
    let member = reader.next_member()?.expect("it is there");
    assert_eq!(
        (member.path.as_slice(), member.kind),
        (b"file".as_slice(), Kind::Sparse)
    );
    let map = reader.sparse().map(Option::<&_>::cloned);
    if let Ok(map) = &map {
        let lengths = map.as_ref().expect("it is sparse").segments.iter();
        assert_eq!(
            lengths.map(|segment| segment.length).sum::<u64>(),
            member.size
        );
    }
    let mut data = Vec::new();
    let error = match SparseReader::new(&mut reader) {
        Ok(mut file) => file.read_to_end(&mut data).err().map(TarError::from),
        Err(error) => Some(error),
    };
    // Whatever the fault, the next member can be read.
    let next = reader.next_member()?.expect("it is there");
    assert_eq!(next.path, b"next");
    assert_eq!(reader.sparse().unwrap(), None);
    let mut plain = Vec::new();
    SparseReader::new(&mut reader)?.read_to_end(&mut plain)?;
    assert_eq!(plain, b"x");
    assert!(reader.next_member()?.is_none());
    match error {
        Some(error) => Err(error),
        None => Ok((map?.expect("it is sparse"), data)),
    }
}

#[test]
fn every_form_is_read() {
    let forms = [
        gnu(10, &SEGMENTS, DATA),
        pax_0_0("10", &SEGMENTS, DATA),
        pax_0_1("10", &list(&SEGMENTS), DATA),
        pax_1_0("10", &lines(&SEGMENTS), DATA),
    ];
    let segment = |(offset, length)| Segment { offset, length };
    let expected = SparseMap {
        size: 10,
        segments: SEGMENTS[..2].iter().copied().map(segment).collect(),
    };
    for form in forms {
        assert_eq!(read(&form).unwrap(), (expected.clone(), FILE.to_vec()));
    }
}

#[test]
fn a_map_may_go_on_for_several_blocks_and_a_file_may_be_all_hole() {
    for count in [0, 1, 4, 5, 25, 26, 100] {
        let segments: Vec<_> = (0..count).map(|at| (at * 3 + 1, 2)).collect();
        let size = count * 3 + 7;
        let data: Vec<u8> = (0..count * 2).map(|at| b'a' + (at % 26) as u8).collect();
        let mut expected = vec![0; usize::try_from(size).unwrap()];
        for (at, pair) in data.chunks(2).enumerate() {
            expected[at * 3 + 1..at * 3 + 3].copy_from_slice(pair);
        }
        let text = size.to_string();
        let mut forms = vec![
            gnu(size, &segments, &data),
            pax_1_0(&text, &lines(&segments), &data),
        ];
        // Without segments these are not marked as sparse.
        if count > 0 {
            forms.push(pax_0_0(&text, &segments, &data));
            forms.push(pax_0_1(&text, &list(&segments), &data));
        }
        for form in forms {
            let (map, found) = read(&form).unwrap();
            assert_eq!(map.segments.len() as u64, count);
            assert_eq!(found, expected, "{count}");
        }
    }
}

#[test]
fn what_is_stored_may_be_said_by_a_pax_record() {
    let file = pax_1_0("10", &lines(&SEGMENTS), DATA);
    let (records, rest) = file.split_at(1024);
    let size = (512 + DATA.len()).to_string();
    let end = records.iter().rposition(|byte| *byte != 0).unwrap();
    let records = [&records[512..=end], format!("12 size={size}\n").as_bytes()].concat();
    let header = patched(&rest[..512], &[(124, &octal(0))]);
    let file = [member("pax", b'x', &records), header, rest[512..].to_vec()].concat();
    assert_eq!(read(&file).unwrap().1, FILE);
}

#[test]
fn records_of_sparse_files_mean_nothing_elsewhere() {
    let records = pax(&[("GNU.sparse.name", b"other"), ("GNU.sparse.size", b"x")]);
    let kinds = [
        (b'1', Kind::HardLink),
        (b'2', Kind::Symlink),
        (b'3', Kind::Other(b'3')),
        (b'5', Kind::Directory),
    ];
    for (flag, kind) in kinds {
        let bytes = [records.clone(), header("own", flag, 0)].concat();
        let mut reader = TarReader::new(SkipByReading(bytes.as_slice()));
        let member = reader.next_member().unwrap().unwrap();
        assert_eq!((member.path, member.kind), (b"own".to_vec(), kind));
        assert_eq!(reader.sparse().unwrap(), None);
    }
}

/// Maps that violate each rule.
fn wrong_segments() -> Vec<Vec<u8>> {
    let maps: [(u64, &[(u64, u64)]); 9] = [
        (7, &SEGMENTS),           // They reach beyond the size.
        (10, &[(0, 4), (9, 2)]),  // So does the last.
        (10, &[(0, 4), (3, 2)]),  // They overlap.
        (10, &[(6, 4), (0, 2)]),  // They descend.
        (10, &[(6, 6), (0, 0)]),  // Even one of no length.
        (10, &[(0, 4)]),          // There is more data,
        (10, &[(0, 7)]),          // or less.
        (10, &[(0, 6), (11, 0)]), // Nothing, but beyond the size.
        (1 << 63, &[(0, 6)]),     // No file is that large.
    ];
    let mut wrong = Vec::new();
    for (size, segments) in maps {
        let text = size.to_string();
        wrong.push(pax_0_0(&text, segments, DATA));
        wrong.push(pax_0_1(&text, &list(segments), DATA));
        wrong.push(pax_1_0(&text, &lines(segments), DATA));
        if size < 1 << 33 {
            wrong.push(gnu(size, segments, DATA));
        }
    }
    wrong
}

/// Malformed maps.
fn malformed() -> Vec<Vec<u8>> {
    const MAX: u64 = u64::MAX;
    let overflowing = [format!("0,4,{MAX},2"), format!("{MAX},{MAX},6,2")];
    let lists = ["0", "0,6,", "0,6,7", "0;6", ",", "-1,6", " 0,6"];
    let lists = overflowing.iter().map(String::as_str).chain(lists);
    let mut wrong: Vec<_> = lists.map(|list| pax_0_1("10", list, DATA)).collect();
    let sizes = ["-1", "x", "18446744073709551616"];
    wrong.extend(sizes.map(|size| pax_0_1(size, "0,6", DATA)));
    let texts = [
        "",
        "\n",
        "1",
        "1\n",
        "1\n0",
        "1\n0\n",
        "1\n0\n6",
        "1\n\n6\n",
        "x\n0\n6\n",
        "1\n0\n6 \n",
        "2\n0\n6\n",
        "-1\n0\n6\n",
        "0\n",
        "18446744073709551615\n0\n6\n",
        "1\n000000000000000000000\n6\n",
    ];
    wrong.extend(texts.map(|text| pax_1_0("10", text, DATA)));
    let patches: [&[(usize, &[u8])]; 4] = [
        &[(386, b"garbage")],
        &[(398, &[0xff; 12])],
        &[(483, b"garbage")],
        &[(483, &[0xff; 12])],
    ];
    let old = gnu(10, &SEGMENTS, DATA);
    for patches in patches {
        wrong.push([&patched(&old[..512], patches), &old[512..]].concat());
    }
    // A map of version 1.0 that does not fill its block.
    let short = pax_1_0("10", "0\n", b"");
    let header = patched(&short[1024..1536], &[(124, &octal(500))]);
    wrong.push([&short[..1024], &header, &short[1536..]].concat());
    wrong
}

/// Records that contradict each other about the place or content of the map.
fn contradictory() -> Vec<Vec<u8>> {
    let map = ("GNU.sparse.map", b"0,6".as_slice());
    let offset = ("GNU.sparse.offset", b"0".as_slice());
    let length = ("GNU.sparse.numbytes", b"6".as_slice());
    let count = |text: &'static str| ("GNU.sparse.numblocks", text.as_bytes());
    let cases: [&[(&str, &[u8])]; 7] = [
        &[count("1"), length, offset],
        &[count("1"), map, offset, length],
        &[count("1"), offset, offset, length],
        &[count("1"), offset, length, offset],
        &[map],
        &[count("2"), map],
        &[count("x"), offset, length],
    ];
    let size = ("GNU.sparse.size", b"10".as_slice());
    let files = cases.map(|case| {
        let records = pax(&[[size].as_slice(), case].concat());
        [records, member("file", b'0', DATA)].concat()
    });
    files.to_vec()
}

#[test]
fn a_size_without_a_map_or_a_version_that_nobody_knows_makes_no_sparse_file() {
    let size = ("GNU.sparse.realsize", b"10".as_slice());
    let name = ("GNU.sparse.name", b"other".as_slice());
    let map = ("GNU.sparse.map", b"0,6".as_slice());
    let major = |text: &'static str| ("GNU.sparse.major", text.as_bytes());
    let minor = |text: &'static str| ("GNU.sparse.minor", text.as_bytes());
    let cases: [&[(&str, &[u8])]; 5] = [
        &[size, name],
        &[size, name, map, major("2"), minor("0")],
        &[size, name, map, major("1"), minor("1")],
        &[size, name, map, major("1")],
        &[size, name, map, minor("1")],
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let records = pax(case);
        let bytes = [records, member("file", b'0', DATA), end()].concat();
        let mut reader = TarReader::new(SkipByReading(bytes.as_slice()));
        let member = reader.next_member().unwrap().unwrap();
        let got = (member.path.as_slice(), member.kind, member.size);
        assert_eq!(got, (b"file".as_slice(), Kind::File, 6), "{number}");
        assert_eq!(reader.sparse().unwrap(), None);
    }
    // The default size is that of the stored data.
    let records = pax(&[
        ("GNU.sparse.map", b"0,4,4,2"),
        ("GNU.sparse.numblocks", b"2"),
    ]);
    let file = [records, member("file", b'0', DATA)].concat();
    assert_eq!(read(&file).unwrap().1, DATA);
}

#[test]
fn wrong_maps_are_refused() {
    let wrong = [wrong_segments(), malformed(), contradictory()].concat();
    for (number, file) in wrong.iter().enumerate() {
        // The place is that of the file's own header.
        let headers = file.chunks(512).enumerate();
        let mut headers = headers.filter(|(_, block)| block.get(257..262) == Some(b"ustar"));
        let own = headers.find(|(_, block)| block[156] != b'x').unwrap();
        let offset = own.0 * 512;
        assert_eq!(
            read(file).unwrap_err().to_string(),
            format!("the sparse file at byte {offset} of the tar has no valid sparse map"),
            "{number}"
        );
    }
}

#[test]
fn the_number_of_segments_is_bounded() {
    let segments = |count| (0..count).map(|at| (at * 2, 1)).collect::<Vec<_>>();
    let data = vec![b'x'; SEGMENTS_MAX + 1];
    let most = segments(SEGMENTS_MAX as u64);
    let size = most.len() as u64 * 2;
    let stored = &data[..SEGMENTS_MAX];
    assert!(read(&gnu(size, &most, stored)).is_ok());
    assert!(read(&pax_1_0(&size.to_string(), &lines(&most), stored)).is_ok());
    let more = segments(SEGMENTS_MAX as u64 + 1);
    let size = more.len() as u64 * 2;
    let forms = [
        (0, gnu(size, &more, &data)),
        (1024, pax_1_0(&size.to_string(), &lines(&more), &data)),
    ];
    for (offset, form) in forms {
        assert_eq!(
            read(&form).unwrap_err().to_string(),
            format!(
                "the sparse file at byte {offset} of the tar exceeds the limit of 65536 segments"
            )
        );
    }
}

#[test]
fn a_sparse_file_that_is_cut_off_is_refused() {
    let cases = [
        (
            gnu(10, &SEGMENTS, DATA),
            514,
            "at byte 514 (at least 4 bytes missing)",
        ),
        (
            gnu(9, &[(0, 1); 5], b""),
            600,
            "at byte 600 (at least 424 bytes missing)",
        ),
        (
            pax_1_0("10", &lines(&SEGMENTS), DATA),
            1600,
            "at byte 1600 (at least 454 bytes missing)",
        ),
        (
            pax_1_0("10", &lines(&SEGMENTS), DATA),
            2050,
            "at byte 2050 (at least 4 bytes missing)",
        ),
    ];
    for (file, length, expected) in cases {
        let mut reader = TarReader::new(SkipByReading(&file[..length]));
        let error = match reader.next_member() {
            Ok(_) => {
                let mut file = SparseReader::new(&mut reader).unwrap();
                file.read_to_end(&mut Vec::new()).unwrap_err().into()
            }
            Err(error) => error,
        };
        assert_eq!(
            error.to_string(),
            format!("the tar is truncated {expected}")
        );
    }
}
