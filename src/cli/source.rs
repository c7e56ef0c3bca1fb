//! SRC, and which image of it is meant.

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
    /// Where the image is: a file, an OCI layout, or - for standard input
    #[arg(value_name = "SRC", index = 1)]
    source: OsString,
}

impl SourceArgument {
    /// What the user typed.
    pub(super) fn typed(&self) -> &OsStr {
        &self.source
    }

    /// Takes it apart, for a command of which a hint may show how it reads standard input.
    pub(super) fn location(&self, command: &'static str) -> Result<Location, Failure> {
        Location::parse(&self.source, source_of(command))
    }
}

/// Which image of several is meant, and which platform of it.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Take this image: a reference, a digest, an image id, a prefix of one, or #N
    #[arg(long, value_name = "REF")]
    image: Option<Selector>,

    /// Take this platform: OS/ARCH[/VARIANT], OS or ARCH [default: the host's]
    #[arg(long, value_name = "PLATFORM")]
    pub(super) platform: Option<Platform>,
}

impl Choice {
    /// The image that is meant, by `--image` or by the end of SRC.
    pub(super) fn selector(&self, source: &Location) -> Result<Option<Selector>, Failure> {
        if source.reference()?.is_some() && self.image.is_some() {
            return Err(Failure::usage("SRC and `--image` both name an image"));
        }
        Ok(selector(source)?.or_else(|| self.image.clone()))
    }
}

/// The image that the end of a location means.
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
