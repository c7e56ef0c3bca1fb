use crate::tar_stream::fixture::{header, patched, pax};
use crate::tar_stream::{SkipByReading, TarReader};

use super::*;

fn attributes(bytes: &[u8]) -> Result<Attributes, TarError> {
    let mut reader = TarReader::new(SkipByReading(bytes));
    reader.next_member()?.expect("there is one");
    reader.attributes()
}

const MODE: usize = 100;
const UID: usize = 108;
const GID: usize = 116;
const MTIME: usize = 136;
const MAJOR: usize = 329;
const MINOR: usize = 337;

#[test]
fn fields_of_the_header_are_read() {
    let fields: [(usize, &[u8]); 6] = [
        (MODE, b"0104755\0"),
        (UID, b"\x80\0\0\0\xff\xff\xff\xfe"),
        (GID, b" 1750 \0\0"),
        (MTIME, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"),
        (MAJOR, b"0000010\0"),
        (MINOR, b"\0\0\0\0\0\0\0\0"),
    ];
    let time = Time {
        seconds: -2,
        nanoseconds: 0,
    };
    let expected = Attributes {
        mode: 0o104_755,
        uid: 4_294_967_294,
        gid: 1000,
        mtime: time,
        major: 8,
        minor: 0,
        records: Vec::new(),
    };
    let device = patched(&header("a", b'3', 0), &fields);
    assert_eq!(attributes(&device).unwrap(), expected);
    // Other members have no device numbers, whatever is in the fields.
    let file = patched(&header("a", b'0', 0), &fields);
    let no_device = Attributes {
        major: 0,
        ..expected
    };
    assert_eq!(attributes(&file).unwrap(), no_device);
    // Headers from before the dialects have none.
    let old = patched(&device, &[(257, &[0; 8]), (MAJOR, b"garbage!")]);
    assert_eq!(attributes(&old).unwrap(), no_device);
}

/// Engines accept each of them, and use the bits that a file has for it.
#[test]
fn numbers_below_zero_and_large_ones_are_kept() {
    let fields: [(usize, &[u8]); 5] = [
        (MODE, &[0xff; 8]),
        (UID, &[0xff; 8]),
        (GID, b"\xc0\0\0\0\0\0\0\0"),
        (MAJOR, b"\xff\xff\xff\xff\xff\xff\xff\xfe"),
        (MINOR, b"\xbf\xff\xff\xff\xff\xff\xff\xff"),
    ];
    let found = attributes(&patched(&header("a", b'3', 0), &fields)).unwrap();
    let expected = (-1, -1, -(1 << 62), -2, (1 << 62) - 1);
    let Attributes {
        mode,
        uid,
        gid,
        major,
        minor,
        ..
    } = found;
    assert_eq!((mode, uid, gid, major, minor), expected);
    let extended = pax(&[("uid", b"-2"), ("gid", b"-9223372036854775808")]);
    let found = attributes(&[extended, header("a", b'0', 0)].concat()).unwrap();
    assert_eq!((found.uid, found.gid), (-2, i64::MIN));
}

#[test]
fn pax_records_beat_the_header_whatever_that_says() {
    let garbage: [(usize, &[u8]); 3] =
        [(UID, b"garbage!"), (GID, b"garbage!"), (MTIME, b"garbage!")];
    let extended = pax(&[
        ("uid", b"1"),
        ("uid", b"9223372036854775807"),
        ("gid", b"2"),
        ("mtime", b"3.25"),
        ("SCHILY.devmajor", b"4"),
        ("SCHILY.devminor", b"5"),
        ("uname", b"root"),
        ("atime", b"1.5"),
    ]);
    let device = patched(&header("a", b'4', 0), &garbage);
    let expected = Attributes {
        mode: 0,
        uid: i64::MAX,
        gid: 2,
        mtime: Time {
            seconds: 3,
            nanoseconds: 250_000_000,
        },
        // Engines ignore those in the records.
        major: 0,
        minor: 0,
        records: Vec::new(),
    };
    let found = attributes(&[extended, device].concat()).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn an_empty_pax_record_leaves_the_header_its_say() {
    let extended = pax(&[("uid", b"1"), ("uid", b""), ("mtime", b"")]);
    let file = patched(&header("a", b'0', 0), &[(UID, b"7"), (MTIME, b"10\0")]);
    let found = attributes(&[extended, file].concat()).unwrap();
    assert_eq!((found.uid, found.mtime.seconds), (7, 8));
}

#[test]
fn records_of_the_file_are_kept_and_no_others() {
    let extended = pax(&[
        ("path", b"a"),
        ("SCHILY.xattr.user.b", b"first"),
        ("SCHILY.xattr.user.a", b"\0\xff\n=x"),
        ("SCHILY.xattr.user.b", b""),
        ("SCHILY.acl.access", b"acl"),
        ("SCHILY.dev", b"1"),
        ("RHT.security.selinux", b"label"),
        ("MSWINDOWS.fileattr", b"32"),
        ("LIBARCHIVE.xattr.user.a", b"AP8"),
        ("LIBARCHIVE.creationtime", b"1"),
        ("comment", b"no"),
    ]);
    // Records of a member before it, and global ones: neither belong to it.
    let others = [
        pax(&[("SCHILY.xattr.user.other", b"1")]),
        header("other", b'0', 0),
        patched(&pax(&[]), &[(156, b"g")]),
    ]
    .concat();
    let bytes = [others, extended, header("a", b'0', 0)].concat();
    let mut reader = TarReader::new(SkipByReading(bytes.as_slice()));
    reader.next_member().unwrap();
    reader.next_member().unwrap();
    let expected: [(&str, &[u8]); 6] = [
        ("LIBARCHIVE.xattr.user.a", b"AP8"),
        ("MSWINDOWS.fileattr", b"32"),
        ("RHT.security.selinux", b"label"),
        ("SCHILY.acl.access", b"acl"),
        ("SCHILY.xattr.user.a", b"\0\xff\n=x"),
        ("SCHILY.xattr.user.b", b""),
    ];
    let expected = expected.map(|(key, value)| (key.as_bytes().to_vec(), value.to_vec()));
    assert_eq!(reader.attributes().unwrap().records, expected);
}

#[test]
fn times_are_read_to_the_nanosecond() {
    let cases: [(&str, (i64, u32)); 17] = [
        ("0", (0, 0)),
        ("-0", (0, 0)),
        ("1", (1, 0)),
        ("1.", (1, 0)),
        ("1.5", (1, 500_000_000)),
        ("1.000000001", (1, 1)),
        ("1.9999999999", (1, 999_999_999)),
        ("1795448105.510990963", (1_795_448_105, 510_990_963)),
        ("-1", (-1, 0)),
        ("-1.0", (-1, 0)),
        ("-1.5", (-2, 500_000_000)),
        ("-0.25", (-1, 750_000_000)),
        ("-1.999999999", (-2, 1)),
        ("-1.9999999991", (-2, 0)),
        ("-1.0000000001", (-2, 999_999_999)),
        ("9223372036854775807.999999999", (i64::MAX, 999_999_999)),
        ("-9223372036854775808", (i64::MIN, 0)),
    ];
    for (text, (seconds, nanoseconds)) in cases {
        let expected = Time {
            seconds,
            nanoseconds,
        };
        assert_eq!(Time::parse(text.as_bytes()), Some(expected), "{text}");
    }
    let malformed = [
        "x",
        ".5",
        "-",
        "-.5",
        ".",
        "1,5",
        "1.5.5",
        "1.-5",
        "1.5x",
        " 1",
        "1e9",
        "0x1",
        "9223372036854775808",
        "-9223372036854775808.5",
        "1.\u{663}",
    ];
    for text in malformed {
        assert_eq!(Time::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_name() {
    let fields: [(usize, &[u8], &str); 7] = [
        (MODE, b"-1", "mode"),
        (UID, b"root\0\0\0\0", "owner"),
        (GID, b"0000009\0", "group"),
        (MTIME, b"now", "modification time"),
        (MTIME, b"\x80\0\0\0\x80\0\0\0\0\0\0\0", "modification time"),
        (MAJOR, b"-1", "device number"),
        (MINOR, b"1 2", "device number"),
    ];
    for (at, bytes, name) in fields {
        let device = patched(&header("a", b'3', 0), &[(at, bytes)]);
        assert_eq!(
            attributes(&device).unwrap_err().to_string(),
            format!("the tar header at byte 0 has no valid {name}")
        );
    }
    for (at, magic) in [(MAJOR, "ustar\x0000"), (MINOR, "ustar  \0")] {
        let file = patched(
            &header("a", b'0', 0),
            &[(257, magic.as_bytes()), (at, b"x")],
        );
        assert_eq!(
            attributes(&file).unwrap_err().to_string(),
            "the tar header at byte 0 has no valid device number"
        );
    }
    let star = [(508, b"tar\0".as_slice()), (476, b"x")];
    assert_eq!(
        attributes(&patched(&header("a", b'0', 0), &star))
            .unwrap_err()
            .to_string(),
        "the tar header at byte 0 has no valid time of access or change"
    );
    let records: [(&str, &[u8]); 6] = [
        ("uid", b"9223372036854775808"),
        ("gid", b"0x1"),
        ("gid", b"\xff"),
        ("mtime", b"now"),
        ("atime", b"x"),
        ("ctime", b"1 "),
    ];
    for record in records {
        // The error names the PAX header, not the member's.
        let extended = [header("g", b'g', 0), pax(&[record])].concat();
        let error = attributes(&[extended, header("a", b'3', 0)].concat()).unwrap_err();
        assert_eq!(error.to_string(), "the PAX header at byte 512 is malformed");
    }
}
