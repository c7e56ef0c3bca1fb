use std::sync::Arc;

use proptest::prelude::*;
use tar::Header;

use super::*;
use crate::layer::entry::Device;
use crate::layer::{Entry, EntryKind, EntryPath, LayerReader, Whiteout};
use crate::tar_stream::SkipByReading;

/// Writes entries; files are filled with zeros.
fn written(entries: &[Entry]) -> Vec<u8> {
    let mut writer = LayerWriter::new(Vec::new());
    for entry in entries {
        let path = entry.path.as_bytes();
        match &entry.kind {
            EntryKind::Directory => writer.directory(path, &entry.metadata),
            EntryKind::HardLink(target) => {
                writer.hard_link(path, target.as_bytes(), &entry.metadata)
            }
            EntryKind::Node(kind) => writer.node(path, kind, &entry.metadata),
            EntryKind::Whiteout(whiteout) => {
                let directory = entry.path.split_last().0;
                match whiteout {
                    Whiteout::Name(name) => writer.whiteout(directory, Some(name)),
                    Whiteout::Opaque => writer.whiteout(directory, None),
                    other => panic!("nobody writes {other:?}"),
                }
            }
        }
        .unwrap();
        if let EntryKind::Node(NodeKind::File(size)) = entry.kind {
            let content = vec![0; usize::try_from(size).unwrap()];
            writer.content().write_all(&content).unwrap();
            writer.end_of_content(size).unwrap();
        }
    }
    writer.finish().unwrap()
}

fn read(tar: &[u8]) -> Vec<Entry> {
    let mut reader = LayerReader::new(SkipByReading(tar), Arc::default());
    std::iter::from_fn(|| reader.next_entry().unwrap()).collect()
}

fn path() -> impl Strategy<Value = EntryPath> {
    let byte = prop_oneof![8 => b'a'..=b'z', 1 => Just(b'/'), 1 => 1_u8..=255];
    let name = prop_oneof![
        3 => prop::collection::vec(byte.clone(), 1..20),
        1 => prop::collection::vec(byte, 90..400),
    ];
    name.prop_filter_map("a path", |name| {
        EntryPath::parse(&name).ok().filter(|path| !path.is_root())
    })
}

#[test]
fn whiteouts_read_back_as_what_they_are() {
    let name = |name: &[u8]| Whiteout::Name(name.into());
    let entries = [
        ("d/.wh.a", name(b"a")),
        (".wh.b", name(b"b")),
        (".wh..wh.c", name(b".wh.c")),
        (".wh..wh..opq", Whiteout::Opaque),
        ("d/e/.wh..wh..opq", Whiteout::Opaque),
    ]
    .map(|(path, whiteout)| Entry {
        path: EntryPath::parse(path.as_bytes()).unwrap(),
        kind: EntryKind::Whiteout(whiteout),
        metadata: Metadata::implied(0, Time::default()),
    });
    assert_eq!(read(&written(&entries)), entries);
}

/// A number from `!limit` to `limit`, mostly small.
fn number(limit: i64) -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => 0_i64..3000,
        1 => !limit..=limit,
        1 => Just(limit),
        1 => Just(!limit),
        1 => -3..0_i64,
        1 => OCTAL_7_MAX..=OCTAL_7_MAX + 1,
    ]
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let seconds = prop_oneof![
        3 => 0..2_000_000_000_i64,
        1 => any::<i32>().prop_map(i64::from),
        1 => 8_589_934_590..8_589_934_594_i64,
        1 => -3..3_i64,
    ];
    let nanoseconds = prop_oneof![3 => Just(0), 1 => 0..1_000_000_000_u32];
    let value = prop::collection::vec(any::<u8>(), 0..150);
    let attributes = prop::collection::btree_map("SCHILY[.]xattr[.]user[.][a-z]{1,9}", value, 0..3);
    let owner = || number(i64::MAX);
    (
        0_u16..0o10000,
        owner(),
        owner(),
        seconds,
        nanoseconds,
        attributes,
    )
        .prop_map(
            |(mode, uid, gid, seconds, nanoseconds, attributes)| Metadata {
                mode,
                uid,
                gid,
                mtime: Time {
                    seconds,
                    nanoseconds,
                },
                attributes: attributes
                    .into_iter()
                    .map(|(key, value)| (key.into_bytes(), value))
                    .collect(),
            },
        )
}

fn kind() -> impl Strategy<Value = EntryKind> {
    let device = || {
        // The range of a base-256 field of eight bytes.
        let number = || number((1 << 62) - 1);
        (number(), number()).prop_map(|(major, minor)| Device { major, minor })
    };
    let target = || path().prop_map(|path| path.as_bytes().into());
    prop_oneof![
        Just(EntryKind::Directory),
        path().prop_map(EntryKind::HardLink),
        (0_u64..2000).prop_map(|size| EntryKind::Node(NodeKind::File(size))),
        target().prop_map(|target| EntryKind::Node(NodeKind::Symlink(target))),
        device().prop_map(|device| EntryKind::Node(NodeKind::CharDevice(device))),
        device().prop_map(|device| EntryKind::Node(NodeKind::BlockDevice(device))),
        Just(EntryKind::Node(NodeKind::Fifo)),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_to_the_last_bit(
        entries in prop::collection::vec((path(), kind(), metadata()), 0..5)
    ) {
        let entries: Vec<Entry> = entries
            .into_iter()
            .map(|(path, kind, metadata)| Entry { path, kind, metadata })
            .collect();
        let tar = written(&entries);
        prop_assert_eq!(tar.len() % 512, 0);
        prop_assert_eq!(read(&tar), entries);
    }
}

#[test]
fn a_plain_entry_is_one_ustar_header() {
    let metadata = Metadata::implied(
        0o4755,
        Time {
            seconds: 1,
            nanoseconds: 0,
        },
    );
    let deep = [&b"d".repeat(155)[..], b"/", &b"n".repeat(99), b"/"].concat();
    let path = EntryPath::parse(&deep).unwrap();
    let kind = EntryKind::Directory;
    let tar = written(&[Entry {
        path,
        kind,
        metadata,
    }]);
    assert_eq!(tar.len(), 512 + 1024);
    assert_eq!(&tar[257..265], b"ustar\x0000");
    assert_eq!(&tar[100..108], b"0004755\0");
    assert_eq!(&tar[..100], &deep[156..]);
}

#[test]
fn times_that_a_header_cannot_say() {
    let cases = [
        ((0, 0), None),
        ((8_589_934_591, 0), None),
        ((8_589_934_592, 0), Some("8589934592")),
        ((-1, 0), Some("-1")),
        ((1, 500_000_000), Some("1.5")),
        ((0, 1), Some("0.000000001")),
        ((-1, 500_000_000), Some("-0.5")),
        ((-2, 250_000_000), Some("-1.75")),
    ];
    for ((seconds, nanoseconds), expected) in cases {
        let time = pax_time(Time {
            seconds,
            nanoseconds,
        });
        assert_eq!(time.as_deref(), expected);
    }
}

#[test]
fn the_size_of_a_large_file_is_in_the_header_too() {
    let mut writer = LayerWriter::new(Vec::new());
    let metadata = Metadata::implied(0o644, Time::default());
    let size = OCTAL_11_MAX + 1;
    writer.node(b"f", &NodeKind::File(size), &metadata).unwrap();
    let tar = writer.finish().unwrap();
    let header = Header::from_byte_slice(&tar[1024..1536]);
    assert_eq!(header.size().unwrap(), size);
    assert!(tar[512..].starts_with(b"19 size=8589934592\n"));
}
