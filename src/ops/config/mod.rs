//! `config`: an image with other settings.
//!
//! Only documents change. Layers keep their bytes, unless they are recompressed on the
//! way.

mod command;
mod edit;
pub(in crate::ops) mod options;

pub use options::ConfigOptions;

use crate::error::Result;
use crate::format::sink::ImageSink;
use crate::format::source::ImageSource;
use crate::ops::choose::image::choose_item;
use crate::ops::choose::platform::{PlatformChoice, select_platform};
use crate::ops::config::edit::Editor;
use crate::ops::edited::{Edited, warn_of_lists};
use crate::transfer::Context;
use crate::transfer::report::WriteReport;

/// Implements [`Session::configure`](crate::Session::configure).
pub(crate) fn configure(
    source: &dyn ImageSource,
    sink: Box<dyn ImageSink>,
    options: &ConfigOptions,
    context: Context<'_>,
) -> Result<WriteReport> {
    warn_of_lists(&options.changes, &context.watch);
    let mut item = choose_item(source, options.image.as_ref(), &context.watch)?;
    if let Some(platform) = &options.platform {
        item = select_platform(item, PlatformChoice::Asked(platform), &context.watch)?;
    }
    let editor = Editor::new(options, context.created);
    let changed = editor.edit(&item.content, &item.name, &mut item.descriptor)?;
    let workers = context.workers_for(sink.as_ref())?;
    let edited = Edited {
        source,
        sink,
        names: &options.names,
        platform: options.platform.as_ref(),
        compress: options.compress,
        workers: &workers,
        scanned: None,
        context,
    };
    edited.deliver(item, changed)
}
