//! Members that are hashed while their tar arrives.

use std::collections::HashMap;
use std::io::{BufRead, Cursor, Read};

use crate::digest::Algorithm;
use crate::stream::{Hashed, hash, read_head};
use crate::tar_stream::{BLOCK, Kind, SkipByReading, TarError, TarReader, is_tar_header};

/// The hashes of a member, computed as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct KnownHashes {
    /// The hash of its stored bytes.
    pub stored: Hashed,
    /// The hash of its unpacked bytes; absent if it cannot be unpacked.
    pub unpacked: Option<Hashed>,
    /// The number of bytes after the end of its compressed stream.
    pub leftover: u64,
}

/// Members below this size, in bytes, are not hashed on arrival.
const MEASURED_LEAST: u64 = 64 * 1024;

/// Hashes the layers of a tar in a stream, and returns the hashes by position, as far
/// as the tar can be read.
///
/// Only uncompressed ones: unpacking others would delay the stream, and is done in
/// parallel once they are stored.
pub(crate) fn hash_layers(input: impl BufRead) -> HashMap<u64, KnownHashes> {
    let mut measured = HashMap::new();
    // The reader of the stored tar reports its faults.
    let _ = measure_into(&mut measured, TarReader::new(SkipByReading(input)));
    measured
}

fn measure_into(
    measured: &mut HashMap<u64, KnownHashes>,
    mut reader: TarReader<SkipByReading<impl BufRead>>,
) -> Result<(), TarError> {
    while let Some(member) = reader.next_member()? {
        if member.kind != Kind::File || member.size < MEASURED_LEAST {
            continue;
        }
        let start = read_head(&mut reader, BLOCK)?;
        if is_tar_header(&start) {
            let mut whole = Cursor::new(start).chain(&mut reader);
            let stored = hash(&mut whole, algorithm_of(&member.path))?;
            let unpacked = Some(stored.clone());
            let known = KnownHashes {
                stored,
                unpacked,
                leftover: 0,
            };
            measured.insert(member.position, known);
        }
    }
    Ok(())
}

/// The algorithm of the digest in a member's name.
pub(super) fn algorithm_of(path: &[u8]) -> Algorithm {
    if path.windows(13).any(|part| part == b"blobs/sha512/") {
        Algorithm::Sha512
    } else {
        Algorithm::Sha256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::tar_stream::EMPTY_BLOCK;

    /// A tar of files with these names and contents, without an end-of-archive block.
    fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in members {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, *content).unwrap();
        }
        let mut bytes = builder.into_inner().unwrap();
        bytes.truncate(bytes.len() - 2 * EMPTY_BLOCK.len());
        bytes
    }

    #[test]
    fn plain_layers_of_some_size_are_measured_as_far_as_the_tar_goes() {
        let [content, noise] = [7, 8].map(|byte| vec![byte; 100_000]);
        let layer = tar(&[("file", &content)]);
        let archive = tar(&[
            ("layer.tar", &layer),
            ("noise", &noise),
            ("small.tar", &tar(&[("file", b"little")])),
            ("cut.tar", &layer),
        ]);
        for (input, count) in [(&archive[..], 2), (&archive[..archive.len() - 512], 1)] {
            let measured = hash_layers(input);
            assert_eq!(measured.len(), count);
            let KnownHashes {
                stored, unpacked, ..
            } = &measured[&512];
            assert_eq!(stored.digest, Digest::of(&layer));
            assert_eq!(stored.size, layer.len() as u64);
            assert_eq!(unpacked.as_ref(), Some(stored));
        }
        assert!(hash_layers(&noise[..]).is_empty(), "no tar at all");
    }
}
