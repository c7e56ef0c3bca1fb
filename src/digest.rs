//! Names of content: [`Digest`] of a blob as stored, [`DiffId`] of a layer unpacked.
//!
//! The grammar is that of the image specification ([descriptor.md]). Only the two
//! registered algorithms that archives use are known. Any other is refused, since
//! content that cannot be verified cannot be passed on as verified.
//!
//! [descriptor.md]: https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

/// A hash function that a digest may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `sha256`, which nearly every image uses.
    Sha256,
    /// `sha512`, which the specification also allows.
    Sha512,
}

impl Algorithm {
    /// The name before the colon, which is also the folder under `blobs/`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The number of hexadecimal digits after the colon.
    fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// The digest of a blob as stored: `sha256:` and 64 lower-case hexadecimal digits.
///
/// A value of this type is always well formed, so that it may become a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hex: Box<str>,
}

impl Digest {
    /// Computes the `sha256` digest of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::by(Algorithm::Sha256, bytes)
    }

    /// The digest of bytes in memory by this hash function.
    pub(crate) fn by(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The hash function.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hexadecimal digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    /// Parses `algorithm:hex`.
    ///
    /// Upper-case digits are refused, as in the specification and every other tool.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let malformed = || DigestError::Malformed(text.to_owned());
        let (name, hex) = text.split_once(':').ok_or_else(malformed)?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ if is_algorithm_name(name) => {
                return Err(DigestError::UnknownAlgorithm(text.to_owned()));
            }
            _ => return Err(malformed()),
        };
        let is_hex = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex.len() != algorithm.hex_length() || !is_hex {
            return Err(malformed());
        }
        Ok(Self {
            algorithm,
            hex: hex.into(),
        })
    }
}

/// Returns true if `name` fits the grammar: parts of `[a-z0-9]+` joined by one of
/// `+._-`.
fn is_algorithm_name(name: &str) -> bool {
    name.split(['+', '.', '_', '-']).all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

/// The reason why a text is not a [`Digest`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text does not fit the grammar.
    #[error("`{0}` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
    Malformed(String),
    /// The text fits the grammar, but restow cannot compute the hash function.
    #[error("`{0}` uses a hash function other than sha256 and sha512")]
    UnknownAlgorithm(String),
}

/// The digest of a layer's whole uncompressed tar stream, including any bytes after the
/// end-of-archive blocks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DiffId(pub Digest);

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DiffId {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse().map(Self)
    }
}

/// A running computation of a [`Digest`].
#[derive(Clone, Debug)]
pub(crate) enum Hasher {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        let (algorithm, hex) = match self {
            Self::Sha256(hasher) => (Algorithm::Sha256, hex(&hasher.finalize())),
            Self::Sha512(hasher) => (Algorithm::Sha512, hex(&hasher.finalize())),
        };
        Digest {
            algorithm,
            hex: hex.into(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_256: &str =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests_of_known_bytes() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY_256);
        assert_eq!(
            Digest::of(&[0; 1024]).to_string(),
            "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
        );
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"ab");
        hasher.update(b"c");
        assert!(
            hasher
                .finish()
                .to_string()
                .starts_with("sha512:ddaf35a193617abacc417349ae204131")
        );
    }

    #[test]
    fn only_well_formed_digests_parse() {
        assert_eq!(EMPTY_256.parse::<Digest>().unwrap().to_string(), EMPTY_256);
        let wrong = [
            "",
            "sha256",
            "sha256:",
            "sha256:../../../../etc/passwd",
            &EMPTY_256[..70],
            &format!("{EMPTY_256}0"),
            &EMPTY_256.to_uppercase(),
            &EMPTY_256.replace("e3b0", "E3B0"),
            &EMPTY_256.replace("sha256", "sha512"),
            &EMPTY_256.replace("sha256", "sha256/"),
            &EMPTY_256[7..],
        ];
        for text in wrong {
            assert_eq!(
                text.parse::<Digest>(),
                Err(DigestError::Malformed(text.to_owned()))
            );
        }
        for text in ["blake3:00", "multihash+base58:Qm"] {
            assert_eq!(
                text.parse::<Digest>(),
                Err(DigestError::UnknownAlgorithm(text.to_owned()))
            );
        }
    }
}
