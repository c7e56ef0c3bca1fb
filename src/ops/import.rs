//! `import`: a root filesystem in a tar or in a folder becomes an image of one layer.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use crate::digest::{Algorithm, DiffId};
use crate::dockerfile::Changes;
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Warning};
use crate::folder::{PackOptions, PackedFolder, Sockets};
use crate::format::root::Root;
use crate::format::sink::{ImageSink, OutputKind};
use crate::format::source::{Content, Image, ImageSource, Layer, LayerBytes, LayerPosition};
use crate::format::{
    Blob, Bytes, Container, Format, Member, Outline, RootfsInput, RootfsStream, not_a_tar,
    warn_of_tar,
};
use crate::image::{Config, Document, ImportedConfig, Platform, Timestamp, rfc3339};
use crate::ops::Selector;
use crate::ops::choose::image::choose_image;
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::verify::{BareTar, Judge};
use crate::stream::{Encoding, Hashed, Leftover, TeeReader, Workers, copy};
use crate::tar_stream::{Buffered, TarSummary, Time, check_tar, is_no_tar};
use crate::transfer::Context;
use crate::transfer::blob::write_encoded;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy};
use crate::transfer::deliver::Delivery;
use crate::transfer::item::TransferItem;
use crate::transfer::naming::Name;
use crate::transfer::report::WriteReport;

/// Properties of an imported image, apart from its layer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ImportOptions {
    /// Its names.
    pub names: Vec<Name>,
    /// The compression of its layer; by default none.
    pub compress: CompressionChoice,
    /// Its platform; by default that of `config`, or else the host's.
    pub platform: Option<Platform>,
    /// The comment of its history.
    pub message: Option<String>,
    /// The config to copy, except for rootfs and history.
    pub config: Option<ImageConfig>,
    /// The changes to the config.
    pub changes: Changes,
    /// The uid and gid of all entries of a folder, instead of their own. A tar is not
    /// changed.
    pub owner: Option<(u32, u32)>,
    /// The time that replaces later ones of entries of a folder. A tar is not changed.
    pub latest: Option<Timestamp>,
}

/// Implements [`Session::import`](crate::Session::import).
pub(crate) fn import(
    input: RootfsInput,
    sink: Box<dyn ImageSink>,
    options: &ImportOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    let workers = Workers::start(context.jobs).map_err(Error::Thread)?;
    let importer = Importer {
        sink: sink.as_ref(),
        workers: &workers,
        options,
        context,
    };
    let (input, sockets) = packed(input, options, context)?;
    let report = importer.run(input)?;
    if let Some(Sockets { first, count }) = sockets.as_ref().and_then(|it| it.get())
        && let Some(others) = count.checked_sub(1)
    {
        let entry = first.clone();
        let warning = Warning::SocketsSkipped { entry, others };
        context.watch.warn(warning);
    }
    sink.finish(&context.watch)?;
    Ok(report)
}

/// Starts to pack a folder. The second value is then known after it was read.
fn packed(
    input: RootfsInput,
    options: &ImportOptions,
    context: Context<'_>,
) -> Result<(RootfsInput, Option<Arc<OnceLock<Sockets>>>)> {
    let Some(folder) = input.folder() else {
        return Ok((input, None));
    };
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) {
        context.watch.warn(Warning::FolderEmpty);
    }
    let pack = PackOptions {
        owner: options.owner,
        latest: options.latest.map(|latest| Time {
            seconds: latest.seconds(),
            nanoseconds: 0,
        }),
    };
    let packed = PackedFolder::start(folder.to_owned(), pack).map_err(Error::Thread)?;
    let sockets = packed.sockets();
    Ok((input.packed(Box::new(packed)), Some(sockets)))
}

/// Implements [`Session::config`](crate::Session::config).
pub(crate) fn config(
    source: &dyn ImageSource,
    image: Option<&Selector>,
    platform: Option<&Platform>,
    context: Context<'_>,
) -> Result<ImageConfig> {
    let reason = platform.map_or(PlatformChoice::OneTree, PlatformChoice::Preferred);
    let chosen = choose_image(source, image, reason, context)?;
    Ok(ImageConfig(chosen.image.config))
}

/// The complete config of an image.
#[derive(Clone, Debug)]
pub struct ImageConfig(Document<Config>);

impl ImageConfig {
    /// Its bytes, which are JSON.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }
}

struct Importer<'a> {
    sink: &'a dyn ImageSink,
    workers: &'a Workers,
    options: &'a ImportOptions,
    context: Context<'a>,
}

/// A layer that was read.
struct Taken {
    /// The hash of its unpacked bytes.
    unpacked: Hashed,
    /// The facts about its tar as a whole.
    summary: TarSummary,
    /// The bytes after the end of the compressed stream.
    leftover: Arc<Leftover>,
    /// The checks of its entries.
    judged: BareTar,
}

impl Importer<'_> {
    fn run(&self, mut input: RootfsInput) -> Result<WriteReport> {
        let place = input.place();
        let encoding = match self.options.compress {
            CompressionChoice::Keep => Encoding::Plain,
            CompressionChoice::To { encoding, .. } => encoding,
        };
        let is_stream = matches!(self.sink.kind(), OutputKind::Stream);
        let is_read_twice = is_stream && encoding == Encoding::Plain && input.size().is_some();
        if let Some(size) = input.size() {
            let readings = 1 + u64::from(is_read_twice);
            self.context.watch.send(Event::Started {
                bytes: size.saturating_mul(readings),
                images: Some(1),
                steps: Some(1),
            });
        }
        self.context.watch.send(Event::Step(Step::Copying {
            blob: &place.to_string(),
            is_recompressed: encoding != Encoding::Plain,
        }));
        if is_read_twice {
            let taken = self.take(&mut input, &place, &mut io::sink(), &place)?;
            self.judge(&taken, &place)?;
            let report = self.deliver(&taken, &taken.unpacked, encoding)?;
            self.write_plain(&mut input, &place, Some(&taken.unpacked))?;
            return Ok(report);
        }
        if encoding == Encoding::Plain {
            let taken = self.write_plain(&mut input, &place, None)?;
            self.judge(&taken, &place)?;
            return self.deliver(&taken, &taken.unpacked, encoding);
        }
        let (blob, taken) = write_encoded(self.sink, encoding, self.workers, |encoder, to| {
            self.take(&mut input, &place, encoder, to)
        })?;
        self.judge(&taken, &place)?;
        self.deliver(&taken, &blob, encoding)
    }

    /// Refuses entries that no engine accepts, and warns of ambiguous ones.
    fn judge(&self, taken: &Taken, place: &Place) -> Result<()> {
        let watch = &self.context.watch;
        let refused = taken.judged.refuse(watch);
        refused.map_err(|error| error.while_reading(place.clone()))?;
        warn_of_tar(&taken.summary, &taken.leftover, watch);
        Ok(())
    }

    /// Writes the layer uncompressed.
    fn write_plain(
        &self,
        input: &mut RootfsInput,
        place: &Place,
        known: Option<&Hashed>,
    ) -> Result<Taken> {
        let mut writer = self.sink.begin_blob(known)?;
        let to = writer.place();
        let taken = self.take(input, place, &mut writer, &to)?;
        if let Some(known) = known.filter(|known| **known != taken.unpacked) {
            let error = Error::DigestMismatch {
                expected: known.digest.clone(),
                got: taken.unpacked.digest,
            };
            return Err(error.while_reading(place.clone()));
        }
        writer.finish(&taken.unpacked)?;
        Ok(taken)
    }

    /// Copies the unpacked bytes, and checks them meanwhile.
    fn take(
        &self,
        input: &mut RootfsInput,
        place: &Place,
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<Taken> {
        let watch = self.context.watch;
        let is_certain = input.is_certain;
        let at = |error: Error| error.while_reading(place.clone());
        let RootfsStream {
            stream,
            head,
            leftover,
        } = input.open(watch).map_err(at)?;
        let mut stream = TeeReader::new(stream);
        stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
        let teed = stream.tee();
        let has_fault = AtomicBool::new(false);
        let check = || {
            let mut outline = Outline::default();
            let mut judge = Judge::new(0, &Arc::default());
            let checked = check_tar(Buffered(teed), |tar, member, attributes| {
                outline.take_in(tar, &member)?;
                judge.take_in(tar, &member, attributes);
                Ok(())
            });
            has_fault.store(checked.is_err(), Ordering::Relaxed);
            checked.map(|summary| (summary, outline, BareTar::judged(judge)))
        };
        let (copied, checked) = thread::scope(|scope| -> Result<_> {
            let builder = thread::Builder::new().name("check".to_owned());
            let checking = builder.spawn_scoped(scope, check).map_err(Error::Thread)?;
            let mut sound = UntilFault {
                input: &mut stream,
                has_fault: &has_fault,
            };
            let copied = copy(&mut sound, output, &watch);
            // Bytes that were not copied need not be checked either.
            stream.end_tee();
            Ok((copied, checking.join()))
        })?;
        copied.map_err(|error| Error::copy(place.clone(), to.clone(), error))?;
        let checked =
            checked.unwrap_or_else(|_| Err(io::Error::other("a checking thread panicked").into()));
        let (summary, outline, judged) = match checked {
            Ok((
                TarSummary {
                    is_empty: true,
                    trailing: Some(_),
                    ..
                },
                ..,
            )) => {
                return Err(at(not_a_tar(&head)));
            }
            Err(error) if is_no_tar(&error, &head) => return Err(at(not_a_tar(&head))),
            checked => checked.map_err(|error| at(Error::Tar(error)))?,
        };
        if !is_certain {
            outline.refuse_images().map_err(at)?;
        }
        let unpacked = stream.finish().map_err(|error| at(error.into()))?.stored;
        Ok(Taken {
            unpacked,
            summary,
            leftover,
            judged,
        })
    }

    /// Writes the documents that make the layer an image.
    fn deliver(&self, taken: &Taken, blob: &Hashed, encoding: Encoding) -> Result<WriteReport> {
        let own = |source| Error::Document {
            what: "the config of the new image".to_owned(),
            source,
        };
        let diff_id = DiffId(taken.unpacked.digest.clone());
        let created = self.context.created.map(|created| created.to_string());
        let imported = ImportedConfig {
            diff_id: &diff_id,
            platform: self.options.platform.as_ref(),
            created: created.as_deref(),
            newest: &rfc3339(taken.summary.newest_mtime),
            comment: self.options.message.as_deref(),
        };
        let taken_over = self.options.config.as_ref().map(|config| &config.0);
        let mut config = imported.config(taken_over).map_err(own)?;
        if !self.options.changes.is_empty() {
            let mut value = config.value().map_err(own)?;
            self.options.changes.apply(&mut value["config"])?;
            config = Document::from_value(&value).map_err(own)?;
        }
        let layer = Layer {
            diff_id,
            bytes: LayerBytes::Written(blob.clone()),
            compression: encoding.compression(),
            position: LayerPosition::new(0, 1),
        };
        let content = Content::Image(Image {
            manifest: None,
            config,
            layers: vec![layer],
        });
        let root = Root::whole();
        let delivery = Delivery {
            source: &Nothing,
            sink: self.sink,
            workers: self.workers,
            names: &self.options.names,
            retag: &[],
            preferred: None,
            keeps_fields: false,
            policy: CompressionPolicy::new(CompressionChoice::Keep, self.sink.format()),
            context: Context {
                watch: self.context.watch.silent(),
                ..self.context
            },
        };
        delivery.run(vec![TransferItem::new(content, vec![&root])])
    }
}

/// The source of an image that is entirely new.
#[derive(Debug)]
struct Nothing;

impl ImageSource for Nothing {
    fn format(&self) -> Format {
        Format::Rootfs
    }

    fn container(&self) -> &dyn Container {
        self
    }

    fn roots(&self) -> Result<&[Root]> {
        Ok(&[])
    }

    fn load(&self, _: &Root) -> Result<Content> {
        Err(Error::NoImage)
    }
}

impl Container for Nothing {
    fn find(&self, _: &str) -> Result<Option<Member>> {
        Ok(None)
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        Blob::new(member, Bytes::Memory(&[]))
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
