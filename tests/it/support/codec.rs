//! Digests and compressions without optimisation: whole buffers in memory, one call each.

use std::fmt::Write as _;
use std::io::{Read, Write};

use sha2::{Digest, Sha256};

/// The storage form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Codec {
    /// Uncompressed.
    Plain,
    /// gzip, with any number of members.
    Gzip,
    /// zstd, with any number of frames.
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
}

impl Codec {
    /// Every codec, plain first.
    pub(crate) const ALL: [Self; 5] = [Self::Plain, Self::Gzip, Self::Zstd, Self::Xz, Self::Bzip2];

    /// The codec with the magic number at the start of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            _ => Self::Plain,
        }
    }

    /// Compresses `bytes`, fast rather than well.
    pub(crate) fn compress(self, bytes: &[u8]) -> Vec<u8> {
        let because = "writing to memory cannot fail";
        match self {
            Self::Plain => bytes.to_vec(),
            Self::Gzip => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).expect(because);
                encoder.finish().expect(because)
            }
            Self::Zstd => zstd::encode_all(bytes, 1).expect(because),
            Self::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
                encoder.write_all(bytes).expect(because);
                encoder.finish().expect(because)
            }
            Self::Bzip2 => {
                let mut encoder =
                    bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(bytes).expect(because);
                encoder.finish().expect(because)
            }
        }
    }
}

/// Decompresses `bytes` according to their magic number.
#[track_caller]
pub(crate) fn decompress(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let outcome = match Codec::of(bytes) {
        Codec::Plain => return bytes.to_vec(),
        Codec::Gzip => gunzip(bytes, &mut plain),
        Codec::Zstd => zstd::Decoder::new(bytes).and_then(|mut it| it.read_to_end(&mut plain)),
        Codec::Xz => liblzma::read::XzDecoder::new_multi_decoder(bytes).read_to_end(&mut plain),
        Codec::Bzip2 => bzip2::read::MultiBzDecoder::new(bytes).read_to_end(&mut plain),
    };
    outcome.expect("the compressed stream is whole");
    plain
}

/// Reads gzip members up to the end, or up to the zeros with which some writers fill a block.
fn gunzip(mut bytes: &[u8], plain: &mut Vec<u8>) -> std::io::Result<usize> {
    while bytes.iter().any(|byte| *byte != 0) {
        flate2::bufread::GzDecoder::new(&mut bytes).read_to_end(plain)?;
    }
    Ok(plain.len())
}

/// The SHA-256 of `bytes`, as `sha256:<hex>`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    named(Sha256::digest(bytes).as_slice())
}

/// Writes a finished SHA-256 as `sha256:<hex>`.
pub(crate) fn named(hash: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in hash {
        write!(text, "{byte:02x}").expect("text can grow");
    }
    text
}

/// The hexadecimal part of a digest.
#[track_caller]
pub(crate) fn hex(digest: &str) -> &str {
    digest
        .strip_prefix("sha256:")
        .unwrap_or_else(|| panic!("`{digest}` is not a sha256 digest"))
}
