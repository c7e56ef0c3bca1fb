//! Detecting the compression of a stream, and unpacking it.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use liblzma::stream as xz;

use crate::limits::{UNPACKED_MAX, UNPACKED_RATIO_MAX, XZ_MEMORY_MAX, ZSTD_WINDOW_LOG_MAX};
use crate::stream::{COPY_BUFFER, CountingReader};

/// Number of bytes that [`Compression::sniff`] needs.
pub(crate) const SNIFF_LENGTH: u64 = 8;

/// The compression of a layer, or of a whole archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Uncompressed bytes.
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
    /// Detects the compression from a stream's first bytes, of which it needs eight, if
    /// there are that many.
    ///
    /// Bytes without a known magic number are uncompressed. Names do not matter.
    pub(crate) fn sniff(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            // A frame, or a skippable one (RFC 8878, section 3.1.2), which may come
            // first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, _, _, _, _, ..] => {
                Self::Zstd
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            _ => Self::None,
        }
    }

    /// Its name; `none` for uncompressed bytes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Unpacks a stream, with buffers on both sides of the decoder.
///
/// # Errors
///
/// Fails if there is not enough memory for the decoder. Reading fails with a
/// [`DecodeError`] if the stream is damaged or exceeds a limit.
pub(crate) fn unpacked<R: Read>(compression: Compression, input: R) -> io::Result<Unpacked<R>> {
    let input = BufReader::with_capacity(COPY_BUFFER, input);
    let decoder = Decoder::new(compression, input)?;
    Ok(BufReader::with_capacity(COPY_BUFFER, decoder))
}

/// An unpacked stream, with buffers on both sides of the decoder.
pub(crate) type Unpacked<R> = BufReader<Decoder<BufReader<R>>>;

/// An error of a [`Decoder`]: a compressed stream cannot be unpacked. The source is the
/// decoder's error or a [`DecodeLimit`].
///
/// System errors are returned unchanged instead.
#[derive(Debug, thiserror::Error)]
#[error("its {0} stream is damaged")]
pub(crate) struct DecodeError(pub(crate) Compression, #[source] pub(crate) io::Error);

impl DecodeError {
    /// Wraps the error of a stream that cannot be unpacked, unless it is a system
    /// error.
    fn wrap(compression: Compression, source: io::Error) -> io::Error {
        if compression == Compression::None || source.raw_os_error().is_some() {
            return source;
        }
        io::Error::new(source.kind(), Self(compression, source))
    }

    /// The decoder's error, for a stream that is reported in another way.
    pub(crate) fn unwrap(error: io::Error) -> io::Error {
        match error.downcast() {
            Ok(Self(_, source)) => source,
            Err(error) => error,
        }
    }
}

/// Unpacks a stream of any [`Compression`].
///
/// It unpacks one level: a gzip stream in a gzip stream results in the inner one.
/// Memory is bounded whatever the stream claims, and so is the unpacked size: by
/// [`UNPACKED_MAX`], and beyond that by [`UNPACKED_RATIO_MAX`]. The unpacked size in
/// the stream itself (zstd in a frame's header, gzip and xz after the data) is verified
/// by its decoder.
pub(crate) struct Decoder<R: BufRead> {
    compression: Compression,
    kind: Kind<CountingReader<R>>,
    /// The number of unpacked bytes.
    unpacked: u64,
    /// The number of unpacked bytes permitted for any stream.
    free: u64,
    leftover: Arc<Leftover>,
}

/// Bytes after the end of a compressed stream, which do not belong to it.
///
/// Only gzip permits any: other decoders refuse them. The value is known after all was
/// read.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    size: AtomicU64,
    is_junk: AtomicBool,
}

impl Leftover {
    /// The number of bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// True if one of them is not zero.
    pub(crate) fn is_junk(&self) -> bool {
        self.is_junk.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: &[u8]) {
        self.size.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let is_junk = bytes.iter().any(|byte| *byte != 0);
        self.is_junk.fetch_or(is_junk, Ordering::Relaxed);
    }
}

enum Kind<R: BufRead> {
    /// Passed on unchanged.
    None(R),
    Gzip(GzipMembers<R>),
    Zstd(zstd::stream::read::Decoder<'static, R>),
    Xz(liblzma::bufread::XzDecoder<R>),
    Bzip2(bzip2::bufread::MultiBzDecoder<R>),
}

impl<R: BufRead> Decoder<R> {
    /// Wraps a compressed stream.
    pub(crate) fn new(compression: Compression, input: R) -> io::Result<Self> {
        let decoder = Self::with_free(compression, input, UNPACKED_MAX);
        decoder.map_err(|error| DecodeError::wrap(compression, error))
    }

    fn with_free(compression: Compression, input: R, free: u64) -> io::Result<Self> {
        let input = CountingReader::new(input);
        let leftover = Arc::<Leftover>::default();
        let kind = match compression {
            Compression::None => Kind::None(input),
            Compression::Gzip => Kind::Gzip(GzipMembers {
                member: Some(flate2::bufread::GzDecoder::new(input)),
                leftover: Arc::clone(&leftover),
            }),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Kind::Zstd(decoder)
            }
            Compression::Xz => {
                let stream = xz::Stream::new_stream_decoder(XZ_MEMORY_MAX, xz::CONCATENATED)?;
                Kind::Xz(liblzma::bufread::XzDecoder::new_stream(input, stream))
            }
            Compression::Bzip2 => Kind::Bzip2(bzip2::bufread::MultiBzDecoder::new(input)),
        };
        Ok(Self {
            compression,
            kind,
            unpacked: 0,
            free,
            leftover,
        })
    }

    /// The bytes after the end of the stream, as far as it was read.
    pub(crate) fn leftover(&self) -> Arc<Leftover> {
        Arc::clone(&self.leftover)
    }

    /// The number of bytes consumed.
    fn taken(&self) -> u64 {
        match &self.kind {
            Kind::None(input) => input.count(),
            // Nothing more is unpacked after the last member has ended.
            Kind::Gzip(decoder) => decoder
                .member
                .as_ref()
                .map_or(u64::MAX, |member| member.get_ref().count()),
            Kind::Zstd(decoder) => decoder.get_ref().count(),
            Kind::Xz(decoder) => decoder.get_ref().count(),
            Kind::Bzip2(decoder) => decoder.get_ref().count(),
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let failed = |error| DecodeError::wrap(self.compression, error);
        let length = match &mut self.kind {
            Kind::None(input) => return input.read(buffer),
            Kind::Gzip(input) => input.read(buffer),
            Kind::Zstd(input) => input.read(buffer),
            Kind::Xz(input) => input.read(buffer),
            Kind::Bzip2(input) => input.read(buffer),
        }
        .map_err(|error| failed(explain(error)))?;
        self.unpacked += length as u64;
        if self.unpacked > self.free && self.unpacked / UNPACKED_RATIO_MAX > self.taken() {
            let limit = DecodeLimit::Unpacked { free: self.free };
            return Err(failed(io::Error::other(limit)));
        }
        Ok(length)
    }
}

/// A limit that a compressed stream exceeds, although it is otherwise valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeLimit {
    /// The memory for an xz stream.
    #[error("it needs more than the limit of {limit} bytes of memory")]
    Memory {
        /// The limit.
        limit: u64,
    },
    /// The unpacked size.
    #[error(
        "it exceeds the limits of {free} unpacked bytes and of {UNPACKED_RATIO_MAX} times its size"
    )]
    Unpacked {
        /// The size that is accepted for any stream.
        free: u64,
    },
    /// The window of a zstd stream: one made with `--long` or `--ultra`.
    #[error("its window exceeds the limit of {limit} bytes")]
    Window {
        /// The limit.
        limit: u64,
    },
}

/// The zstd library's message for a window that is too large; it has no code for it in
/// Rust.
const ZSTD_WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// Distinguishes a limit from damage.
fn explain(error: io::Error) -> io::Error {
    let cause = error.get_ref();
    let is_memory =
        cause.is_some_and(|it| matches!(it.downcast_ref::<xz::Error>(), Some(xz::Error::MemLimit)));
    if is_memory {
        let limit = XZ_MEMORY_MAX;
        return io::Error::other(DecodeLimit::Memory { limit });
    }
    if cause.is_some_and(|it| it.to_string() == ZSTD_WINDOW_TOO_LARGE) {
        let limit = 1 << ZSTD_WINDOW_LOG_MAX;
        return io::Error::other(DecodeLimit::Window { limit });
    }
    error
}

/// Unpacks every member of a gzip stream.
///
/// Padding after the last member, and anything else that does not begin a member, is
/// counted and ignored, as by gzip(1) and the engines that call it.
struct GzipMembers<R> {
    /// Absent after the last member has ended.
    member: Option<flate2::bufread::GzDecoder<R>>,
    leftover: Arc<Leftover>,
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
                drain(&mut input, &self.leftover)?;
            }
        }
    }
}

fn drain(input: &mut impl BufRead, leftover: &Leftover) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        let length = bytes.len();
        if length == 0 {
            return Ok(());
        }
        leftover.add(bytes);
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
    fn bytes_after_the_end_of_gzip_are_counted_and_others_are_refused() {
        let cases: [(&[u8], (u64, bool)); 4] = [
            (b"", (0, false)),
            (&[0; 1000], (1000, false)),
            (b"junk", (4, true)),
            (&gzip(b"three"), (0, false)),
        ];
        for (after, expected) in cases {
            let packed = [gzip(b"one two").as_slice(), after].concat();
            let mut decoder = Decoder::new(Compression::Gzip, packed.as_slice()).unwrap();
            let leftover = decoder.leftover();
            io::copy(&mut decoder, &mut io::sink()).unwrap();
            assert_eq!((leftover.size(), leftover.is_junk()), expected);
        }
        for packed in [zstd_frame(b"one"), xz(b"one"), bzip2(b"one")] {
            let kind = Compression::sniff(&packed);
            for after in [[0; 10], [7; 10]] {
                assert!(
                    unpack(&[packed.as_slice(), &after].concat()).is_err(),
                    "{kind}"
                );
            }
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
            // Bytes that the format does not protect must at least not change anything.
            assert!(
                unpack(&flipped).map_or(true, |out| out == text),
                "{kind} flipped"
            );
        }
    }

    /// Fails, as the machine or as a reader.
    struct Failing(fn() -> io::Error);

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(self.0())
        }
    }

    #[test]
    fn a_stream_is_only_called_damaged_if_it_is() {
        let text = |compression, error| {
            let mut stream = unpacked(compression, Failing(error)).unwrap();
            stream.fill_buf().unwrap_err().to_string()
        };
        let of_format = || io::Error::other("bad");
        let of_system = || io::Error::from_raw_os_error(5);
        assert_eq!(
            text(Compression::Gzip, of_format),
            "its gzip stream is damaged"
        );
        assert_eq!(text(Compression::None, of_format), "bad");
        assert_eq!(
            text(Compression::Gzip, of_system),
            "Input/output error (os error 5)"
        );
    }

    /// Zeros, unpacked with a small free size.
    #[test]
    fn a_stream_that_unpacks_to_far_more_than_it_has_is_refused() {
        let zeros = vec![0; 64 << 20];
        for packed in [zstd_frame(&zeros), xz(&zeros), bzip2(&zeros)] {
            let kind = Compression::sniff(&packed);
            let read = |free| {
                let mut decoder = Decoder::with_free(kind, packed.as_slice(), free).unwrap();
                io::copy(&mut decoder, &mut io::sink())
                    .map_err(|error| DecodeError::unwrap(error).to_string())
            };
            let refused = "it exceeds the limits of 33554432 unpacked bytes and of 1032 times \
                           its size";
            assert_eq!(read(32 << 20), Err(refused.to_owned()), "{kind}");
            assert_eq!(read(64 << 20), Ok(64 << 20), "{kind}");
        }
        let packed = gzip(&zeros);
        let mut decoder = Decoder::with_free(Compression::Gzip, packed.as_slice(), 1).unwrap();
        assert_eq!(io::copy(&mut decoder, &mut io::sink()).unwrap(), 64 << 20);
    }

    /// A frame of ten bytes whose header declares three.
    #[test]
    fn a_zstd_frame_that_unpacks_to_more_than_it_says_is_refused() {
        for (said, is_taken) in [(10, true), (3, false), (11, false), (0, false)] {
            // Magic; one segment, and one byte for its size; the last block, raw, of ten bytes.
            let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, said, 0x51, 0, 0];
            frame.extend([b'x'; 10]);
            assert_eq!(unpack(&frame).is_ok(), is_taken, "{said}");
        }
    }

    #[test]
    fn a_zstd_window_beyond_the_limit_is_refused() {
        // Magic, a descriptor without content size, and a window of 2^30 bytes.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00];
        assert_eq!(
            limit_of(&frame),
            Some(DecodeLimit::Window { limit: 1 << 27 })
        );
        let damaged = [&zstd_frame(b"one two")[..10], &[0xff; 20]].concat();
        assert_eq!(limit_of(&damaged), None);
    }

    /// An xz stream whose header requests a dictionary of 1 GiB.
    #[test]
    fn an_xz_stream_that_takes_too_much_memory_is_refused() {
        let mut filters = xz::Filters::new();
        let mut options = xz::LzmaOptions::new_preset(0).unwrap();
        options.dict_size(1 << 30);
        filters.lzma2(&options);
        let stream = xz::Stream::new_stream_encoder(&filters, xz::Check::Crc32);
        // The encoder needs as much memory; without it the reader cannot be tested.
        let Ok(stream) = stream else { return };
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(b"one two").unwrap();
        let packed = encoder.finish().unwrap();
        let limit = XZ_MEMORY_MAX;
        assert_eq!(limit_of(&packed), Some(DecodeLimit::Memory { limit }));
    }

    /// The limit that a stream exceeds.
    fn limit_of(packed: &[u8]) -> Option<DecodeLimit> {
        DecodeError::unwrap(unpack(packed).unwrap_err())
            .downcast()
            .ok()
    }
}
