//! Options shared by several commands, and their values.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use restow::{Changes, CompressionChoice, Encoding, MediaTypes, PathPattern, Timestamp};

use crate::cli::failure::Failure;

/// The option that applies instructions to the config of a new image or of new layers.
#[derive(Debug, Args)]
pub(super) struct ChangeOption {
    /// Apply a Dockerfile instruction to the config (repeatable)
    ///
    /// CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER,
    /// VOLUME or WORKDIR, as in `docker import`. Several are read as the lines of one
    /// Dockerfile: ENTRYPOINT clears an earlier CMD.
    #[arg(long = "change", short, value_name = "INSTRUCTION")]
    changes: Vec<String>,
}

impl ChangeOption {
    /// Parses the instructions.
    pub(super) fn parse(&self) -> Result<Changes, Failure> {
        parse_changes(&self.changes)
    }
}

/// Reads the value of `--compress`.
pub(super) fn parse_compress(text: &str) -> Result<CompressionChoice, String> {
    let split = text.split_once(':');
    let (name, level) = split.map_or((text, None), |(name, level)| (name, Some(level)));
    let leveled = |levels: RangeInclusive<i32>, make: fn(Option<i32>) -> Encoding| {
        let wrong = || {
            let (least, most) = (levels.start(), levels.end());
            format!("the level of {name} must be from {least} to {most}")
        };
        let read = |text: &str| text.parse().ok().filter(|level| levels.contains(level));
        let level = level.map(|text| read(text).ok_or_else(wrong)).transpose()?;
        let (encoding, always) = (make(level), level.is_some());
        Ok(CompressionChoice::To { encoding, always })
    };
    match (name, level) {
        ("keep", None) => Ok(CompressionChoice::Keep),
        ("none", None) => Ok(CompressionChoice::To {
            encoding: Encoding::Plain,
            always: false,
        }),
        ("gzip", _) => leveled(Encoding::GZIP_LEVELS, Encoding::Gzip),
        ("zstd", _) => leveled(Encoding::ZSTD_LEVELS, Encoding::Zstd),
        _ => Err("expected keep, none, gzip, gzip:LEVEL, zstd or zstd:LEVEL".to_owned()),
    }
}

/// Reads the value of `--media-types`.
pub(super) fn parse_media_types(text: &str) -> Result<MediaTypes, String> {
    match text {
        "keep" => Ok(MediaTypes::Keep),
        "oci" => Ok(MediaTypes::Oci),
        "docker" => Ok(MediaTypes::Docker),
        _ => Err("expected keep, oci or docker".to_owned()),
    }
}

/// Reads a path in an image, which is not empty.
pub(super) fn image_path() -> impl TypedValueParser<Value = OsString> {
    OsStringValueParser::new().try_map(|path| {
        if path.is_empty() {
            return Err("the path is empty");
        }
        Ok(path)
    })
}

/// Reads a number of at least 1.
pub(super) fn parse_positive(text: &str) -> Result<NonZeroUsize, String> {
    let wrong = |_| "must be a number, at least 1".to_owned();
    text.parse().map_err(wrong)
}

/// Reads the value of `--created`.
pub(super) fn parse_created(text: &str) -> Result<Timestamp, String> {
    let wrong = || {
        "expected a time such as 2026-11-23T12:00:00Z, or seconds since 1970, in the years 0 to 9999"
            .to_owned()
    };
    match text.parse() {
        Ok(seconds) => Timestamp::from_seconds(seconds).ok_or_else(wrong),
        Err(_) => text.parse().map_err(|_| wrong()),
    }
}

/// Reads a pair of a name, which is not empty, and a value, which may be.
pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// Reads the values of `--change`.
pub(super) fn parse_changes(values: &[String]) -> Result<Changes, Failure> {
    Changes::parse(values).map_err(|error| Failure::usage(error.to_string()))
}

/// Reads the value of `--owner`.
pub(super) fn parse_owner(text: &str) -> Result<(u32, u32), String> {
    // The highest number means none.
    let id = |text: &str| text.parse().ok().filter(|id| *id != u32::MAX);
    let owner = text
        .split_once(':')
        .and_then(|(uid, gid)| Some((id(uid)?, id(gid)?)));
    owner.ok_or_else(|| "expected two numbers, such as 0:0 or 1000:1000".to_owned())
}

/// The time for new documents (reproducible-builds.org/specs/source-date-epoch).
pub(super) fn source_date_epoch() -> Result<Option<Timestamp>, Failure> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    // A document cannot represent a time outside of these years.
    let time = seconds.and_then(Timestamp::from_seconds);
    time.map(Some).ok_or_else(|| {
        Failure::usage(format!(
            "SOURCE_DATE_EPOCH is `{}`; expected seconds since 1970, in the years 0 to 9999",
            text.to_string_lossy()
        ))
    })
}

/// The paths and patterns of a command line.
pub(super) fn patterns(paths: &[OsString]) -> Vec<PathPattern> {
    let paths = paths.iter();
    paths
        .map(|path| PathPattern::new(path.as_bytes()))
        .collect()
}
