//! SRC, and the selection of an image in it.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Args;
use restow::{Platform, Selector};

use crate::cli::argument::source_of;
use crate::cli::failure::Failure;
use crate::cli::location::Location;

/// The argument that names the input of images.
#[derive(Debug, Args)]
pub(super) struct SourceArgument {
    /// Source: an archive, an OCI layout, or - for stdin
    #[arg(value_name = "SRC", index = 1)]
    source: OsString,
}

impl SourceArgument {
    /// The argument as typed.
    pub(super) fn typed(&self) -> &OsStr {
        &self.source
    }

    /// Parses it. A hint may show `command`, which reads standard input.
    pub(super) fn location(&self, command: &'static str) -> Result<Location, Failure> {
        Location::parse(&self.source, source_of(command))
    }
}

/// The options that select an image and its platform.
#[derive(Debug, Args)]
#[command(next_help_heading = "Image selection")]
pub(super) struct Choice {
    /// Select an image by reference, digest, id or #N
    ///
    /// `restow images SRC` lists all of these. Unique prefixes of digests and ids are enough.
    /// The selection may also follow SRC, as in `oci:DIR:app:1.0`.
    #[arg(long, value_name = "REF")]
    pub(super) image: Option<Selector>,

    /// Select a platform: OS/ARCH[/VARIANT], OS or ARCH [default: the host's]
    #[arg(long, value_name = "PLATFORM")]
    pub(super) platform: Option<Platform>,
}

impl Choice {
    /// The image that `--image` or the end of SRC selects.
    pub(super) fn selector(&self, source: &Location) -> Result<Option<Selector>, Failure> {
        if source.reference()?.is_some() && self.image.is_some() {
            let name = source.argument.name;
            let message = format!("{name} and `--image` both name an image");
            return Err(Failure::usage(message));
        }
        Ok(selector(source)?.or_else(|| self.image.clone()))
    }
}

/// The image that the end of a location selects.
pub(super) fn selector(location: &Location) -> Result<Option<Selector>, Failure> {
    let Some(text) = location.reference()? else {
        return Ok(None);
    };
    // containers-transports(5) counts from 0.
    let selector = match text.strip_prefix('@').map(str::parse::<usize>) {
        Some(Ok(number)) => Ok(Selector::Number(NonZeroUsize::MIN.saturating_add(number))),
        Some(Err(_)) | None => Selector::from_str(text),
    };
    selector
        .map(Some)
        .map_err(|error| Failure::usage(error.to_string()))
}
