//! Taking a tar as a layer: its bytes are copied, and its entries checked meanwhile.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::digest::Algorithm;
use crate::error::{Error, Place, Result};
use crate::event::{Warning, Watch};
use crate::folder::{PackOptions, Sockets};
use crate::format::{Outline, RootfsStream, StoredStream, not_a_tar};
use crate::image::Timestamp;
use crate::ops::verify::Judge;
use crate::stream::{Hashed, Leftover, TeeReader, copy};
use crate::tar_stream::{Buffered, TarError, TarSummary, Time, check_tar, is_no_tar};

/// The changes to the entries of a folder or a file that is packed.
pub(in crate::ops) fn pack_options(
    owner: Option<(u32, u32)>,
    latest: Option<Timestamp>,
) -> PackOptions {
    PackOptions {
        owner,
        latest: latest.map(|latest| Time {
            seconds: latest.seconds(),
            nanoseconds: 0,
        }),
    }
}

/// Warns of the sockets that a layer lacks.
pub(in crate::ops) fn warn_of_sockets(sockets: &Sockets, watch: &Watch<'_>) {
    if let Some(others) = sockets.count.checked_sub(1) {
        let entry = sockets.first.clone();
        watch.warn(Warning::SocketsSkipped { entry, others });
    }
}

/// Checks the entries of a layer that is made, which has this number, counted from 0.
pub(in crate::ops) fn judged(tar: impl BufRead, number: u32) -> Result<Judge, TarError> {
    let mut judge = Judge::new(number, &Arc::default());
    check_tar(Buffered(tar), |tar, member, attributes| {
        judge.take_in(tar, &member, attributes);
        Ok(())
    })?;
    Ok(judge)
}

/// The way of a tar into a blob.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct Intake<'a> {
    /// The caller.
    pub(in crate::ops) watch: Watch<'a>,
    /// The tar in messages.
    pub(in crate::ops) place: &'a Place,
    /// True if it is a layer even if it looks like an image.
    pub(in crate::ops) is_certain: bool,
    /// The number of the layer, counted from 0.
    pub(in crate::ops) number: u32,
}

/// A layer that was read.
#[derive(Debug)]
pub(in crate::ops) struct Taken {
    /// The hash of its unpacked bytes.
    pub(in crate::ops) unpacked: Hashed,
    /// The facts about its tar as a whole.
    pub(in crate::ops) summary: TarSummary,
    /// The bytes after the end of the compressed stream.
    pub(in crate::ops) leftover: Arc<Leftover>,
    /// The checks of its entries.
    pub(in crate::ops) judge: Judge,
}

/// The members of a tar that were checked.
type Members = (TarSummary, Outline, Judge);

impl Intake<'_> {
    /// Copies the unpacked bytes, and checks them meanwhile.
    pub(in crate::ops) fn unpacked(
        &self,
        input: RootfsStream<'_>,
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<Taken> {
        let RootfsStream {
            stream,
            head,
            leftover,
        } = input;
        let mut stream = TeeReader::new(stream);
        stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
        let teed = stream.tee();
        let checked = self.copy(&mut stream, output, to, || self.check(teed));
        let (summary, judge) = self.accept(checked?, &head)?;
        let unpacked = stream.finish().map_err(|error| self.at(error.into()))?;
        Ok(Taken {
            unpacked: unpacked.stored,
            summary,
            leftover,
            judge,
        })
    }

    /// Copies the bytes as they are stored, checks the unpacked ones meanwhile, and
    /// returns the hash of the stored ones, too.
    pub(in crate::ops) fn kept(
        &self,
        input: StoredStream<'_>,
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<(Hashed, Taken)> {
        let compression = input.compression;
        let mut stream = TeeReader::new(input.stream);
        stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
        let stored = StoredStream {
            stream: Box::new(stream.tee()),
            compression,
        };
        let taken = self.copy(&mut stream, output, to, || {
            let unpacked = stored.unpacked().map_err(|error| self.at(error))?;
            self.unpacked(unpacked, &mut io::sink(), to)
        })?;
        let stored = stream.finish().map_err(|error| self.at(error.into()))?;
        Ok((stored.stored, taken?))
    }

    /// Copies a stream while another thread checks it, until a fault is found.
    fn copy<R: Read, T: Send, E: Send>(
        &self,
        stream: &mut TeeReader<R>,
        output: &mut dyn Write,
        to: &Place,
        check: impl FnOnce() -> Result<T, E> + Send,
    ) -> Result<Result<T, E>> {
        let has_fault = AtomicBool::new(false);
        let check = || {
            let checked = check();
            has_fault.store(checked.is_err(), Ordering::Relaxed);
            checked
        };
        let (copied, checked) = thread::scope(|scope| -> Result<_> {
            let builder = thread::Builder::new().name("check".to_owned());
            let checking = builder.spawn_scoped(scope, check).map_err(Error::Thread)?;
            let mut sound = UntilFault {
                input: stream,
                has_fault: &has_fault,
            };
            let copied = copy(&mut sound, output, &self.watch);
            // Bytes that were not copied need not be checked either.
            stream.end_tee();
            Ok((copied, checking.join()))
        })?;
        copied.map_err(|error| Error::copy(self.place.clone(), to.clone(), error))?;
        let panicked = |_| Error::System(io::Error::other("a checking thread panicked"));
        checked.map_err(panicked)
    }

    /// Reads all members of a tar.
    fn check(&self, tar: impl BufRead) -> Result<Members, TarError> {
        let mut outline = Outline::default();
        let mut judge = Judge::new(self.number, &Arc::default());
        let summary = check_tar(Buffered(tar), |tar, member, attributes| {
            outline.take_in(tar, &member)?;
            judge.take_in(tar, &member, attributes);
            Ok(())
        })?;
        Ok((summary, outline, judge))
    }

    /// Refuses what is no tar, and an archive of images.
    fn accept(
        &self,
        checked: Result<Members, TarError>,
        head: &[u8],
    ) -> Result<(TarSummary, Judge)> {
        let (summary, outline, judge) = match checked {
            Err(error) if is_no_tar(&error, head) => return Err(self.at(not_a_tar(head))),
            checked => checked.map_err(|error| self.at(Error::Tar(error)))?,
        };
        if summary.is_empty && summary.trailing.is_some() {
            return Err(self.at(not_a_tar(head)));
        }
        if !self.is_certain {
            outline.refuse_images().map_err(|error| self.at(error))?;
        }
        Ok((summary, judge))
    }

    fn at(&self, error: Error) -> Error {
        error.while_reading(self.place.clone())
    }
}

/// A reader that ends as soon as a fault is found in the bytes that passed through it.
struct UntilFault<'a, R> {
    input: &'a mut R,
    has_fault: &'a AtomicBool,
}

impl<R: BufRead> BufRead for UntilFault<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.has_fault.load(Ordering::Relaxed) {
            return Ok(&[]);
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
    }
}

impl<R: BufRead> Read for UntilFault<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}
