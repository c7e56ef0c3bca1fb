//! tar-diffs from end to end, and hostile ones.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::limits::TAR_DIFF_SOURCE_MAX;
use crate::progress::Progress;
use crate::stream::{FileSlice, Workers};

struct Quiet;

impl Progress for Quiet {
    fn advance(&self, _bytes: u64) {}

    fn is_interrupted(&self) -> bool {
        false
    }
}

/// A tree of files with this content.
fn tree(files: &[(&str, &[u8])]) -> Arc<OldFiles> {
    let mut file = tempfile::tempfile().unwrap();
    let mut start = 0;
    for (_, content) in files {
        file.write_all(content).unwrap();
    }
    let file: Arc<File> = Arc::new(file);
    let mut old = OldFiles::default();
    for (path, content) in files {
        let size = content.len() as u64;
        old.add(
            path.as_bytes().to_vec(),
            FileSlice::new(file.clone(), start, size),
        );
        start += size;
    }
    Arc::new(old)
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn difference(new: &[u8], old: &OldFiles) -> Vec<u8> {
    difference_at(9, new, old)
}

fn difference_at(level: i32, new: &[u8], old: &OldFiles) -> Vec<u8> {
    let mut stream = BufReader::new(new);
    let (diff, size) = difference_by(1, level, &mut stream, old, &Quiet).unwrap();
    assert_eq!(size, new.len() as u64);
    diff
}

/// The same, with this number of workers.
fn difference_by(
    workers: usize,
    level: i32,
    stream: &mut dyn BufRead,
    old: &OldFiles,
    progress: &dyn Progress,
) -> Result<(Vec<u8>, u64), DifferenceError> {
    let workers = Workers::start(NonZeroUsize::new(workers).unwrap()).unwrap();
    write_difference(stream, old, level, &workers, progress, Vec::new())
}

fn patched(diff: &[u8], old: &Arc<OldFiles>) -> io::Result<Vec<u8>> {
    let mut tar = Vec::new();
    Patched::new(diff, old.clone())?
        .take(1 << 30)
        .read_to_end(&mut tar)?;
    Ok(tar)
}

/// Bytes that do not compress.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(next).collect()
}

#[test]
fn a_tar_comes_back_and_shares_what_it_can() {
    let (one, two, three) = (noise(1, 50_000), noise(2, 60_000), noise(3, 3_000));
    let old = tree(&[
        ("etc/one", &one),
        ("usr/lib/libtwo.so.1.2", &two),
        ("empty", b""),
    ]);
    let mut changed = two.clone();
    changed[30_000..30_010].fill(7);
    let new = tar(&[
        ("etc/one", &one),
        ("moved/elsewhere", &one),
        ("usr/lib/libtwo.so.1.3", &changed),
        ("empty", b""),
        ("new", &three),
    ]);
    let diff = difference(&new, &old);
    assert!(diff.len() < 4_500, "{}", diff.len());
    assert!(patched(&diff, &old).unwrap() == new);
}

#[test]
fn an_empty_file_needs_no_old_one() {
    let new = tar(&[("empty", b"")]);
    let with_old = difference(&new, &tree(&[("empty", b"")]));
    assert!(with_old == difference(&new, &tree(&[])));
}

#[test]
fn whatever_is_no_tar_comes_back_too() {
    let old = tree(&[("a", b"some content")]);
    let whole = tar(&[("a", b"some content"), ("b", b"other content")]);
    for end in [0, 1, 511, 512, 515, 1024, 1600, 2000, whole.len() - 1] {
        let new = &whole[..end];
        assert!(
            patched(&difference(new, &old), &old).unwrap() == new,
            "{end}"
        );
    }
    let new = noise(5, 100_000);
    assert!(patched(&difference(&new, &old), &old).unwrap() == new);
    let new = [whole.as_slice(), b"more"].concat();
    assert!(patched(&difference(&new, &old), &old).unwrap() == new);
}

#[test]
fn large_files_are_compared_in_chunks() {
    let most = usize::try_from(TAR_DIFF_SOURCE_MAX).unwrap();
    let large = noise(4, most + 10);
    let mut changed = large.clone();
    changed.splice(1_000_000..1_000_000, *b"inserted");
    let small = &large[..most / 2];
    let old = tree(&[("large", &large), ("small", small)]);
    for (name, content) in [
        ("large", changed.as_slice()),
        ("large", small),
        ("small", &large),
    ] {
        let new = tar(&[(name, content)]);
        let diff = difference(&new, &old);
        assert!(patched(&diff, &old).unwrap() == new);
        assert!(diff.len() < 400_000 || name == "small", "{}", diff.len());
    }
}

/// The kind, the size and the data of an operation.
type Raw<'a> = (u8, u64, &'a [u8]);

/// A tar-diff of these operations.
fn raw(magic: &[u8], operations: &[Raw<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, size, data) in operations {
        bytes.push(*kind);
        let mut size = *size;
        while size >= 0x80 {
            bytes.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
            size >>= 7;
        }
        bytes.push(u8::try_from(size).unwrap());
        bytes.extend_from_slice(data);
    }
    let stream = zstd::encode_all(bytes.as_slice(), 1).unwrap();
    [magic, &stream].concat()
}

#[test]
fn all_operations_do_what_they_say() {
    let old = tree(&[("dir/a", b"0123456789"), ("b", b"abc")]);
    let frame = frame::compress(b"0123456789!", b"0123456789", 3)
        .unwrap()
        .unwrap();
    let size = frame.len() as u64;
    let streamed = zstd::stream::write::Encoder::with_ref_prefix(Vec::new(), 3, b"abc");
    let mut streamed = streamed.unwrap();
    streamed.write_all(b"abcabc").unwrap();
    let unsized_frame = streamed.finish().unwrap();
    let unsized_size = unsized_frame.len() as u64;
    let diff = raw(
        MAGIC_2,
        &[
            (DATA, 2, b"->"),
            (OPEN, 7, b"./dir/a"),
            (COPY, 3, b""),
            (SEEK, 8, b""),
            (COPY, 2, b""),
            (OPEN, 1, b"b"),
            (ADD_DATA, 3, &[1, 0, 255]),
            (OPEN, 5, b"dir/a"),
            (FRAME, size, &frame),
            (OPEN, 1, b"b"),
            (FRAME, unsized_size, &unsized_frame),
        ],
    );
    let made = patched(&diff, &old).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&made),
        "->01289bbb0123456789!abcabc"
    );
}

#[test]
fn hostile_operations_are_refused() {
    let old = tree(&[("a", b"0123456789")]);
    let long = vec![b'x'; 5_000];
    let open = (OPEN, 1, b"a".as_slice());
    let cases: [(&[u8], &[Raw<'_>], &str); 15] = [
        (b"tardf3\n\0", &[], "not a tar-diff"),
        (b"tar", &[], "not a tar-diff"),
        (MAGIC_1, &[(9, 0, b"")], "unknown kind 9"),
        (MAGIC_1, &[open, (FRAME, 1, b"x")], "unknown kind 5"),
        (MAGIC_2, &[(COPY, 1, b"")], "has not opened any"),
        (MAGIC_2, &[(SEEK, 1, b"")], "has not opened any"),
        (MAGIC_2, &[open, (COPY, 11, b"")], "beyond the end"),
        (MAGIC_2, &[open, (COPY, u64::MAX, b"")], "beyond the end"),
        (
            MAGIC_2,
            &[open, (SEEK, u64::MAX, b""), (COPY, 1, b"")],
            "beyond the end",
        ),
        (
            MAGIC_2,
            &[open, (ADD_DATA, 8 << 30, b"x")],
            "beyond the end",
        ),
        (MAGIC_2, &[(OPEN, 4, b"../x")], "`../x`, which is not"),
        (MAGIC_2, &[(OPEN, 1, b"/")], "`/`, which is not"),
        (MAGIC_2, &[(OPEN, 5_000, &long)], "at most 4096"),
        (MAGIC_2, &[(OPEN, 1, b"b")], "`b`, which the old image"),
        (MAGIC_2, &[(DATA, 10, b"short")], "truncated"),
    ];
    for (magic, operations, expected) in cases {
        let error = patched(&raw(magic, operations), &old)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}: {expected}");
    }
    let size = 1 << 40;
    for frame in [b"no frame".as_slice(), b"", &[0x28, 0xb5, 0x2f, 0xfd]] {
        let length = frame.len() as u64;
        let diff = raw(MAGIC_2, &[open, (FRAME, length, frame)]);
        assert!(patched(&diff, &old).is_err());
    }
    let diff = raw(MAGIC_2, &[open, (FRAME, size, b"x")]);
    let error = patched(&diff, &old).unwrap_err().to_string();
    assert!(error.contains("at most 134217728 are"), "{error}");
    // A number of eleven bytes.
    let stream = zstd::encode_all(
        [DATA]
            .iter()
            .chain(&[0xff; 11])
            .copied()
            .collect::<Vec<_>>()
            .as_slice(),
        1,
    );
    let diff = [MAGIC_2.as_slice(), &stream.unwrap()].concat();
    let error = patched(&diff, &old).unwrap_err().to_string();
    assert!(error.contains("64 bits"), "{error}");
}

/// A frame as streaming encoders write it: without the size of its content.
fn streamed(content: impl Read, prefix: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::with_ref_prefix(Vec::new(), 1, prefix).unwrap();
    let window = zstd::zstd_safe::CParameter::WindowLog(window_log);
    encoder.set_parameter(window).unwrap();
    io::copy(&mut BufReader::new(content), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_window_of_a_frame_may_be_larger_than_its_files() {
    let content = noise(7, 300_000);
    let old = tree(&[("a", &content)]);
    let mut new = content.clone();
    new.extend_from_slice(b"more");
    for window_log in [10, 27, 28, 29] {
        let frame = streamed(new.as_slice(), &content, window_log);
        let open = (OPEN, 1, b"a".as_slice());
        let diff = raw(MAGIC_2, &[open, (FRAME, frame.len() as u64, &frame)]);
        assert!(patched(&diff, &old).unwrap() == new, "{window_log}");
    }
}

#[test]
fn frames_of_larger_files_are_refused() {
    let most = crate::limits::TAR_DIFF_FRAME_MAX;
    let file = tempfile::tempfile().unwrap();
    file.set_len(most + 1).unwrap();
    let file = Arc::new(file);
    let mut old = OldFiles::default();
    old.add(b"large".to_vec(), FileSlice::new(file.clone(), 0, most + 1));
    old.add(b"small".to_vec(), FileSlice::new(file, 0, 10));
    let old = Arc::new(old);
    let size_is_known = zstd::encode_all(io::repeat(7).take(10), 1).unwrap();
    let prefixed = streamed(io::empty(), &[], 10);
    let mut content = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    content.set_pledged_src_size(Some(most + 1)).unwrap();
    io::copy(&mut io::repeat(7).take(most + 1), &mut content).unwrap();
    let content = content.finish().unwrap();
    let content_of_unknown_size = streamed(io::repeat(7).take(most + 1), &[], 20);
    let cases: [(&[u8], &[u8], bool); 5] = [
        (b"small", &size_is_known, true),
        (b"large", &size_is_known, false),
        (b"large", &prefixed, false),
        (b"small", &content, false),
        (b"small", &content_of_unknown_size, false),
    ];
    for (at, (path, frame, is_accepted)) in cases.into_iter().enumerate() {
        let open = (OPEN, path.len() as u64, path);
        let diff = raw(MAGIC_2, &[open, (FRAME, frame.len() as u64, frame)]);
        let made = patched(&diff, &old).map_err(|error| error.to_string());
        assert_eq!(made.is_ok(), is_accepted, "{at}");
        if let Err(error) = made {
            assert!(error.contains("of 134217729 bytes or more"), "{error}");
        }
    }
}

#[test]
fn a_file_is_not_copied_again_and_again() {
    let old = tree(&[("a", b"0123456789")]);
    let twice = [
        (OPEN, 1, b"a".as_slice()),
        (COPY, 10, b""),
        (SEEK, 0, b""),
        (COPY, 10, b""),
    ];
    let diff = raw(MAGIC_1, &twice);
    for (most, is_accepted) in [(20, true), (19, false)] {
        let mut made = Patched::with_most(diff.as_slice(), old.clone(), most).unwrap();
        let copied = io::copy(&mut made, &mut io::sink());
        let error = copied.map_err(|error| error.to_string()).err();
        let expected = "the tar-diff makes more than 19 bytes from files of the old image";
        assert_eq!(error.as_deref(), (!is_accepted).then_some(expected));
    }
}

#[test]
fn a_damaged_tar_diff_never_panics() {
    let old = tree(&[("a", &noise(1, 5_000))]);
    let mut changed = noise(1, 5_000);
    changed[17] ^= 1;
    let diff = difference(&tar(&[("a", &changed)]), &old);
    for at in 0..diff.len() {
        let mut damaged = diff.clone();
        damaged[at] ^= 0x10;
        drop(patched(&damaged, &old));
        assert!(
            patched(&diff[..at], &old).is_err() || at + 4 > diff.len(),
            "{at}"
        );
    }
}

#[test]
fn paths_are_usable_if_everybody_can_read_them() {
    let long = vec![b'x'; 4_097];
    for path in [
        b"".as_slice(),
        b"a/../b",
        b"/a",
        b"./a",
        b"sysroot/ostree/repo/x",
        b"\xff/x",
        &long,
    ] {
        assert!(!is_usable(path), "{}", String::from_utf8_lossy(path));
    }
    for path in [
        b"a".as_slice(),
        b"a/b",
        "ä/x".as_bytes(),
        b"sysroot/x",
        &long[1..],
    ] {
        assert!(is_usable(path), "{}", String::from_utf8_lossy(path));
    }
}

/// Files of which more change than wait at a time, and smaller ones and new ones between
/// them, in an old and a new form.
fn many_changed() -> [Vec<(String, Vec<u8>)>; 2] {
    let sizes = [3 << 20, 100, 5 << 20, 70_000, 9 << 20, 3_000, 2 << 20, 1];
    let old = sizes.iter().enumerate().map(|(number, size)| {
        let content = noise(number as u64, *size);
        (format!("file-{number}"), content)
    });
    let old: Vec<_> = old.collect();
    let mut new = old.clone();
    for (_, content) in &mut new {
        let middle = content.len() / 2;
        content.splice(middle..middle, *b"changed");
    }
    new.insert(3, ("new".to_owned(), noise(99, 2 << 20)));
    new.insert(5, old[2].clone());
    [old, new]
}

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    let files = files
        .iter()
        .map(|(path, it)| (path.as_str(), it.as_slice()));
    files.collect()
}

#[test]
fn the_output_is_the_same_for_any_number_of_workers() {
    let [old, new] = many_changed();
    let (old, new) = (tree(&borrowed(&old)), tar(&borrowed(&new)));
    let by = |workers| {
        difference_by(workers, 9, &mut &new[..], &old, &Quiet)
            .unwrap()
            .0
    };
    let diff = by(1);
    assert!(diff.len() < 3 << 20, "{}", diff.len());
    assert!([2, 8].iter().all(|workers| by(*workers) == diff));
    assert!(patched(&diff, &old).unwrap() == new);
}

#[test]
fn an_old_file_that_cannot_be_read_is_told() {
    let [_, new] = many_changed();
    let file = Arc::new(tempfile::tempfile().unwrap());
    let mut old = OldFiles::default();
    old.add(b"file-2".to_vec(), FileSlice::new(file, 0, 5 << 20));
    let made = difference_by(2, 9, &mut &tar(&borrowed(&new))[..], &old, &Quiet);
    let Err(DifferenceError::Read(error)) = made else {
        panic!("{made:?}");
    };
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// Is interrupted as soon as somebody looks this number of times.
struct Interrupted(AtomicUsize);

impl Progress for Interrupted {
    fn advance(&self, _bytes: u64) {}

    fn is_interrupted(&self) -> bool {
        let left = &self.0;
        let relaxed = Ordering::Relaxed;
        let is_left = left.fetch_update(relaxed, relaxed, |left| left.checked_sub(1));
        is_left.is_err()
    }
}

#[test]
fn an_interrupt_ends_it_at_any_time() {
    let [old, new] = many_changed();
    let (old, new) = (tree(&borrowed(&old)), tar(&borrowed(&new)));
    for looks in 0..8 {
        let progress = Interrupted(AtomicUsize::new(looks));
        let made = difference_by(2, 9, &mut &new[..], &old, &progress);
        let Err(DifferenceError::Read(error)) = made else {
            panic!("it went on");
        };
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
}

#[test]
fn a_large_file_is_copied_up_to_its_first_change() {
    let size = usize::try_from(TAR_DIFF_SOURCE_MAX).unwrap() + 100_000;
    let old = noise(1, size);
    let mut new = old.clone();
    new[size - 50_000] ^= 1;
    let files = tree(&[("a", &old)]);
    for (new, most) in [(&old, 600), (&new, 80_000)] {
        let new = tar(&[("a", new)]);
        let diff = difference(&new, &files);
        assert!(diff.len() < most, "{}", diff.len());
        assert!(patched(&diff, &files).unwrap() == new);
    }
}

/// The old content of a large file is far from the new one.
#[test]
fn every_level_finds_what_is_far_away() {
    let mut state = 1_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    });
    let content: Vec<u8> = words.take(400_000).flat_map(u64::to_le_bytes).collect();
    let mut changed = content.clone();
    changed[1_000_000..1_000_004].copy_from_slice(b"new!");
    changed.splice(2_000_000..2_000_000, *b"more");
    let old = tree(&[("file", &content)]);
    let new = tar(&[("file", &changed)]);
    for level in [1, 9, 10, 12, 13, 16, 19] {
        let diff = difference_at(level, &new, &old);
        assert!(diff.len() < 2_000, "level {level}: {}", diff.len());
        assert_eq!(patched(&diff, &old).unwrap(), new, "level {level}");
    }
}
