//! `import`: a root filesystem in a tar or in a folder becomes an image of one layer.

use std::fs;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use crate::digest::DiffId;
use crate::dockerfile::Changes;
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Warning};
use crate::folder::{PackedLayer, Sockets};
use crate::format::root::Root;
use crate::format::sink::{ImageSink, OutputKind};
use crate::format::source::{Content, Image, ImageSource, Layer, LayerBytes, LayerPosition};
use crate::format::{RootfsInput, warn_of_tar};
use crate::image::{Config, Document, ImportedConfig, Platform, Timestamp, rfc3339};
use crate::ops::Selector;
use crate::ops::choose::image::choose_image;
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::edited::warn_of_lists;
use crate::ops::intake::{Intake, Taken, pack_options, warn_of_sockets};
use crate::ops::nothing::Nothing;
use crate::ops::verify::BareTar;
use crate::stream::{Encoding, Hashed, Workers};
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
    warn_of_lists(&options.changes, &context.watch);
    let workers = context.workers_for(sink.as_ref())?;
    let importer = Importer {
        sink: sink.as_ref(),
        workers: &workers,
        options,
        context,
    };
    let (input, sockets) = packed(input, options, context)?;
    let report = importer.run(input)?;
    if let Some(sockets) = sockets.as_ref().and_then(|it| it.get()) {
        warn_of_sockets(sockets, &context.watch);
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
    let pack = pack_options(options.owner, options.latest);
    let packed = PackedLayer::of_folder(folder.to_owned(), pack, None).map_err(Error::Thread)?;
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

/// A layer whose entries were accepted.
struct Judged {
    /// The hash of its unpacked bytes.
    unpacked: Hashed,
    /// The time of its newest entry, in seconds since 1970.
    newest_mtime: i64,
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
            let taken = self.judge(taken, &place)?;
            let report = self.deliver(&taken, &taken.unpacked, encoding)?;
            self.write_plain(&mut input, &place, Some(&taken.unpacked))?;
            return Ok(report);
        }
        if encoding == Encoding::Plain {
            let taken = self.write_plain(&mut input, &place, None)?;
            let taken = self.judge(taken, &place)?;
            return self.deliver(&taken, &taken.unpacked, encoding);
        }
        let (blob, taken) = write_encoded(self.sink, encoding, self.workers, |encoder, to| {
            self.take(&mut input, &place, encoder, to)
        })?;
        let taken = self.judge(taken, &place)?;
        self.deliver(&taken, &blob, encoding)
    }

    /// Refuses entries that no engine accepts, and warns of ambiguous ones.
    fn judge(&self, taken: Taken, place: &Place) -> Result<Judged> {
        let watch = &self.context.watch;
        let judged = BareTar::judged(taken.judge);
        let refused = judged.refuse(watch);
        refused.map_err(|error| error.while_reading(place.clone()))?;
        warn_of_tar(&taken.summary, &taken.leftover, watch);
        Ok(Judged {
            unpacked: taken.unpacked,
            newest_mtime: taken.summary.newest_mtime,
        })
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
        let intake = Intake {
            watch,
            place,
            is_certain: input.is_certain,
            number: 0,
        };
        let stream = input.open(watch);
        let stream = stream.map_err(|error| error.while_reading(place.clone()))?;
        intake.unpacked(stream, output, to)
    }

    /// Writes the documents that make the layer an image.
    fn deliver(&self, taken: &Judged, blob: &Hashed, encoding: Encoding) -> Result<WriteReport> {
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
            newest: &rfc3339(taken.newest_mtime),
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
            keeps_compression: false,
        };
        let content = Content::Image(Image {
            manifest: None,
            config,
            layers: vec![layer],
            annotations: Vec::new(),
            others: Vec::new(),
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
            scanned: None,
            context: Context {
                watch: self.context.watch.silent(),
                ..self.context
            },
        };
        delivery.run(vec![TransferItem::new(content, vec![&root])])
    }
}
