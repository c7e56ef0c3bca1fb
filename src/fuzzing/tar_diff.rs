//! The target for tar-diffs.

use std::io::{BufReader, Read, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::event::Watch;
use crate::stream::{FileSlice, Workers};
use crate::tar_diff::{OldFiles, Operations, Patched, write_difference};

/// The most bytes that are made.
const MOST: u64 = 4 << 20;

/// Reads bytes as a tar-diff, as its operations, and as a new tar.
///
/// A tar-diff of any bytes makes them again, whatever the old files are.
pub fn tar_diff(data: &[u8]) {
    let half = data.len() / 2;
    let Some(files) = files(&[("a", data), ("b/a", &data[..half]), ("c", b"content")]) else {
        return;
    };
    for magic in [b"tardf1\n\0", b"tardf2\n\0"] {
        let stream = zstd::encode_all(data, 1).expect("memory does not fail");
        read(&[magic.as_slice(), &stream].concat(), &files);
    }
    read(data, &files);
    let observer = |_: crate::event::Event<'_>| ();
    let flag = Arc::default();
    let watch = Watch::new(&observer, &flag);
    let mut new = BufReader::new(data);
    let workers = Workers::start(NonZeroUsize::MIN).expect("there is a thread");
    let written = write_difference(&mut new, &files, 1, &workers, &watch, Vec::new());
    let (diff, size) = written.expect("memory does not fail");
    assert_eq!(size, data.len() as u64, "all of it was read");
    let mut made = Vec::new();
    let patched = Patched::new(diff.as_slice(), files).and_then(|mut it| it.read_to_end(&mut made));
    patched.expect("an own tar-diff can be applied");
    assert!(made == data, "a tar-diff makes the same bytes");
}

fn read(diff: &[u8], files: &Arc<OldFiles>) {
    if let Ok(patched) = Patched::new(diff, files.clone()) {
        let _ = std::io::copy(&mut patched.take(MOST), &mut std::io::sink());
    }
    if let Ok(mut operations) = Operations::new(diff) {
        for _ in 0..10_000 {
            if !matches!(operations.next_operation(), Ok(Some(_))) {
                break;
            }
        }
    }
}

/// A tree of files with this content.
pub(super) fn files(content: &[(&str, &[u8])]) -> Option<Arc<OldFiles>> {
    let mut file = tempfile::tempfile().ok()?;
    for (_, bytes) in content {
        file.write_all(bytes).ok()?;
    }
    let file = Arc::new(file);
    let (mut files, mut start) = (OldFiles::default(), 0);
    for (path, bytes) in content {
        let size = bytes.len() as u64;
        let slice = FileSlice::new(file.clone(), start, size);
        files.add(path.as_bytes().to_vec(), slice);
        start += size;
    }
    Some(Arc::new(files))
}
