//! Which compression a stream has, and unpacking it.

use std::fmt;
use std::io::{self, BufRead, Read};

use liblzma::stream as xz;

/// How many bytes [`Compression::sniff`] wants to see.
pub(crate) const SNIFF_LENGTH: usize = 8;

/// The largest zstd window that is accepted, as a power of two: 128 MiB, the most
/// that `zstd --ultra` writes without `--long`. The format's own limit is 3.75 TiB,
/// and a decoder must hold the window in memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The memory that an xz stream may claim: `xz -9` needs 65 MiB to unpack.
const XZ_MEMORY_MAX: u64 = 128 * 1024 * 1024;

/// The compression of a layer, or of a whole archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Plain bytes.
    None,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames, skippable ones included.
    Zstd,
    /// The `.xz` format, any number of streams.
    Xz,
    /// The `.bz2` format, any number of streams.
    Bzip2,
}

impl Compression {
    /// Tells the compression from a stream's first bytes, of which it wants
    /// eight where there are so many.
    ///
    /// What has none of the known magic numbers is plain. Names are not asked.
    #[must_use]
    pub fn sniff(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            // A frame, or a skippable one (RFC 8878, section 3.1.2), which may come first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, _, _, _, _, ..] => {
                Self::Zstd
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            _ => Self::None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        })
    }
}

/// Unpacks a stream of any [`Compression`].
///
/// One level only: a gzip stream in a gzip stream comes out as the inner one.
/// Memory is bounded whatever the stream claims.
pub(crate) enum Decoder<R: BufRead> {
    /// Passed on as it is.
    None(R),
    /// gzip.
    Gzip(GzipMembers<R>),
    /// zstd.
    Zstd(zstd::stream::read::Decoder<'static, R>),
    /// xz.
    Xz(liblzma::bufread::XzDecoder<R>),
    /// bzip2.
    Bzip2(bzip2::bufread::MultiBzDecoder<R>),
}

impl<R: BufRead> Decoder<R> {
    /// Wraps a compressed stream.
    pub(crate) fn new(compression: Compression, input: R) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(input),
            Compression::Gzip => Self::Gzip(GzipMembers::new(input)),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Self::Zstd(decoder)
            }
            Compression::Xz => {
                let stream = xz::Stream::new_stream_decoder(XZ_MEMORY_MAX, xz::CONCATENATED)?;
                Self::Xz(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            Compression::Bzip2 => Self::Bzip2(bzip2::bufread::MultiBzDecoder::new(input)),
        })
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(input) => input.read(buffer),
            Self::Gzip(input) => input.read(buffer),
            Self::Zstd(input) => input.read(buffer),
            Self::Xz(input) => input.read(buffer),
            Self::Bzip2(input) => input.read(buffer),
        }
    }
}

/// Unpacks every member of a gzip stream.
///
/// Padding behind the last member, and anything else that does not begin a
/// member, is ignored, as gzip(1) does and the engines that call it.
pub(crate) struct GzipMembers<R> {
    /// Absent once the last member has ended.
    member: Option<flate2::bufread::GzDecoder<R>>,
}

impl<R: BufRead> GzipMembers<R> {
    fn new(input: R) -> Self {
        Self {
            member: Some(flate2::bufread::GzDecoder::new(input)),
        }
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else {
                return Ok(0);
            };
            let length = member.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let ended = self.member.take();
            let mut input = ended.expect("it was there above").into_inner();
            let another_begins = input.fill_buf()?.first() == Some(&0x1f);
            if another_begins {
                self.member = Some(flate2::bufread::GzDecoder::new(input));
            } else {
                drain(&mut input)?;
            }
        }
    }
}

fn drain(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let length = input.fill_buf()?.len();
        if length == 0 {
            return Ok(());
        }
        input.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decoder::new(Compression::sniff(bytes), bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
        let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
        compressor.include_checksum(true).unwrap();
        compressor.compress(bytes).unwrap()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_form_of_every_compression_unpacks() {
        let skippable = [&[0x52, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("plain", b"one two".to_vec()),
            ("gzip", gzip(b"one two")),
            ("gzip, two members", [gzip(b"one "), gzip(b"two")].concat()),
            (
                "gzip, empty member first",
                [gzip(b""), gzip(b"one two")].concat(),
            ),
            (
                "gzip, zero padding",
                [gzip(b"one two"), vec![0; 1000]].concat(),
            ),
            (
                "gzip, junk behind",
                [gzip(b"one two"), b"junk".to_vec()].concat(),
            ),
            ("zstd", zstd_frame(b"one two")),
            (
                "zstd, two frames",
                [zstd_frame(b"one "), zstd_frame(b"two")].concat(),
            ),
            (
                "zstd, skippable first",
                [skippable.clone(), zstd_frame(b"one two")].concat(),
            ),
            (
                "zstd, skippable between and behind",
                [
                    zstd_frame(b"one "),
                    skippable.clone(),
                    zstd_frame(b"two"),
                    skippable,
                ]
                .concat(),
            ),
            ("xz", xz(b"one two")),
            ("xz, two streams", [xz(b"one "), xz(b"two")].concat()),
            ("bzip2", bzip2(b"one two")),
            (
                "bzip2, two streams",
                [bzip2(b"one "), bzip2(b"two")].concat(),
            ),
        ];
        for (name, bytes) in cases {
            assert_eq!(unpack(&bytes).expect(name), b"one two", "{name}");
        }
    }

    #[test]
    fn a_damaged_or_cut_stream_is_an_error() {
        let text = b"some text that is long enough to be worth packing ".repeat(40);
        for packed in [gzip(&text), zstd_frame(&text), xz(&text), bzip2(&text)] {
            let kind = Compression::sniff(&packed);
            assert!(unpack(&packed[..packed.len() - 5]).is_err(), "{kind} cut");
            let mut flipped = packed.clone();
            flipped[packed.len() / 2] ^= 0x10;
            // Bytes that go unnoticed by the format must at least change nothing.
            assert!(
                unpack(&flipped).map_or(true, |out| out == text),
                "{kind} flipped"
            );
        }
    }

    #[test]
    fn a_zstd_window_beyond_the_limit_is_refused() {
        // Magic, a descriptor without content size, and a window of 2^30 bytes.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00];
        assert!(unpack(&frame).is_err());
    }
}
