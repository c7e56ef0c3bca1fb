//! Members that are hashed while the tar that they are in arrives.

use std::collections::HashMap;
use std::io::{BufRead, Cursor, Read};

use crate::digest::Algorithm;
use crate::stream::{Hashed, hash};
use crate::tar_stream::{Kind, SkipByReading, TarError, TarReader, is_tar_header};

/// What is known of a member that was hashed as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct KnownHashes {
    /// The bytes as they lie there.
    pub stored: Hashed,
    /// What they unpack to; absent if they do not.
    pub unpacked: Option<Hashed>,
}

/// Members below this size are not worth being remembered.
const MEASURED_LEAST: u64 = 64 * 1024;

/// Hashes the layers of a tar that passes by, and returns what they are by their
/// positions, as far as the tar can be read.
///
/// Only plain ones: unpacking others would hold the stream up, and is done in parallel
/// once they lie there.
pub(crate) fn hash_layers(input: impl BufRead) -> HashMap<u64, KnownHashes> {
    let mut measured = HashMap::new();
    // Whoever reads what was kept says what is wrong with it.
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
        let mut start = Vec::new();
        (&mut reader).take(512).read_to_end(&mut start)?;
        if is_tar_header(&start) {
            let mut whole = Cursor::new(start).chain(&mut reader);
            let stored = hash(&mut whole, algorithm_of(&member.path))?;
            let unpacked = Some(stored.clone());
            measured.insert(member.position, KnownHashes { stored, unpacked });
        }
    }
    Ok(())
}

/// The algorithm of the digest that a member is called by.
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

    /// A tar of files with these names and contents, which ends without an end block.
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
            let KnownHashes { stored, unpacked } = &measured[&512];
            assert_eq!(stored.digest, Digest::of(&layer));
            assert_eq!(stored.size, layer.len() as u64);
            assert_eq!(unpacked.as_ref(), Some(stored));
        }
        assert!(hash_layers(&noise[..]).is_empty(), "no tar at all");
    }
}
