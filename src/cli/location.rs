//! Names of images on the command line: `docker-archive:app.tar:app:1.0`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use restow::Format;

use crate::cli::argument::{Argument, Role};
use crate::cli::descriptor;
use crate::cli::elsewhere::{self, TRANSPORTS};
use crate::cli::failure::Failure;

/// An input or an output, as typed by the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The format, if the user named one.
    pub(super) format: Option<Format>,
    /// Its place.
    pub(super) place: Place,
    /// The part after the path, if there is one.
    pub(super) reference: Option<String>,
    /// The argument that named it.
    pub(super) argument: Argument,
}

/// A path, or one of the standard streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file or a folder.
    Path(PathBuf),
    /// `-`, or the path of a standard stream.
    Standard,
}

impl Location {
    /// Parses an argument like containers-transports(5): after a transport, the path ends at the
    /// next colon. An argument without a transport is a path.
    ///
    /// # Errors
    ///
    /// Fails if the path is empty, or if the word before the first colon is not a known transport.
    /// That word is never part of a file name, since the user may mean an engine: a file with a
    /// colon in its name is written with a slash before it, as `./a:b`.
    pub(super) fn parse(text: &OsStr, argument: Argument) -> Result<Self, Failure> {
        let bytes = text.as_bytes();
        let (format, rest) = match word_before_colon(bytes) {
            None => (None, bytes),
            Some(word) => {
                let named = |format: &Format| format.transport().as_bytes() == word;
                let Some(format) = TRANSPORTS.into_iter().find(named) else {
                    return Err(elsewhere::refuse(text, word.len(), argument));
                };
                (Some(format), &bytes[word.len() + 1..])
            }
        };
        let colon = match format {
            None | Some(Format::Rootfs) => None,
            Some(_) => rest.iter().position(|byte| *byte == b':'),
        };
        let (path, reference) = match colon {
            Some(colon) => (&rest[..colon], Some(&rest[colon + 1..])),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(Failure::usage(format!("{} has no path", argument.name)));
        }
        let place = Place::parse(path, argument.role);
        if let (Some(format), Place::Path(path), true) = (format, &place, argument.role.is_output())
        {
            elsewhere::check_slashes(path, format)?;
        }
        if let (None, Place::Path(path)) = (format, &place) {
            elsewhere::check_no_reference(path, argument)?;
        }
        Ok(Self {
            format,
            place,
            reference: reference.map(|text| String::from_utf8_lossy(text).into_owned()),
            argument,
        })
    }

    /// Parses several arguments for inputs, of which only one may be standard input.
    pub(super) fn parse_all<T: AsRef<OsStr>>(
        texts: &[T],
        argument: Argument,
    ) -> Result<Vec<Self>, Failure> {
        let mut locations: Vec<Self> = Vec::new();
        let mut before = None;
        for text in texts.iter().map(AsRef::as_ref) {
            let location = Self::parse(text, argument).map_err(|failure| {
                let hint = before.and_then(|before| elsewhere::image_in(before, text));
                match (failure, hint) {
                    (Failure::Name { message, .. }, Some(hint)) => Failure::Name { message, hint },
                    (failure, _) => failure,
                }
            });
            locations.push(location?);
            before = Some(text);
        }
        let standard = locations.iter().filter(|it| it.place == Place::Standard);
        if standard.count() > 1 {
            return Err(Failure::usage("standard input can be read only once"));
        }
        Ok(locations)
    }

    /// Parses the argument for another input, which must not be the same stream.
    pub(super) fn beside(&self, text: &OsStr, argument: Argument) -> Result<Self, Failure> {
        let other = Self::parse(text, argument)?;
        if other.place == Place::Standard && self.place == Place::Standard {
            let (one, other) = (self.argument.name, argument.name);
            let message = format!("{one} and {other} cannot both be standard input");
            return Err(Failure::usage(message));
        }
        Ok(other)
    }

    /// The part after the path, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if it is empty.
    pub(super) fn reference(&self) -> Result<Option<&str>, Failure> {
        match self.reference.as_deref() {
            Some("") => Err(Failure::usage(format!(
                "{} ends in a colon, but no reference follows",
                self.argument.name
            ))),
            reference => Ok(reference),
        }
    }

    /// The path, unless it is a standard stream.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Path(path) => Some(path),
            Place::Standard => None,
        }
    }
}

/// The part of a name before its first colon, unless it contains a slash.
fn word_before_colon(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| matches!(byte, b':' | b'/'))?;
    (bytes[end] == b':').then(|| &bytes[..end])
}

impl Place {
    fn parse(bytes: &[u8], role: Role) -> Self {
        let path = PathBuf::from(OsString::from_vec(bytes.to_vec()));
        let own = if role.is_output() {
            descriptor::STDOUT
        } else {
            descriptor::STDIN
        };
        if bytes == b"-" || descriptor::of_path(&path) == Some(own) {
            Self::Standard
        } else {
            Self::Path(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRC: Argument = Argument {
        name: "SRC",
        role: Role::Images("restow convert - DST"),
    };

    #[test]
    fn names_are_taken_apart_as_in_skopeo() {
        let path = |path: &str| Place::Path(path.into());
        let cases = [
            ("app.tar", None, path("app.tar"), None),
            ("./oci:x", None, path("./oci:x"), None),
            ("./a:b.tar", None, path("./a:b.tar"), None),
            ("/a:b.tar", None, path("/a:b.tar"), None),
            ("a/b:c", None, path("a/b:c"), None),
            ("-", None, Place::Standard, None),
            ("/dev/stdin", None, Place::Standard, None),
            ("/dev/stdout", None, path("/dev/stdout"), None),
            (
                "docker-archive:a.tar",
                Some(Format::DockerArchive),
                path("a.tar"),
                None,
            ),
            (
                "docker-archive:a.tar:reg:5000/app:1",
                Some(Format::DockerArchive),
                path("a.tar"),
                Some("reg:5000/app:1"),
            ),
            (
                "docker-archive:-",
                Some(Format::DockerArchive),
                Place::Standard,
                None,
            ),
            (
                "oci:dir:1.0",
                Some(Format::OciDirectory),
                path("dir"),
                Some("1.0"),
            ),
            (
                "oci-archive:/x/a:@1",
                Some(Format::OciArchive),
                path("/x/a"),
                Some("@1"),
            ),
            ("rootfs:a:b", Some(Format::Rootfs), path("a:b"), None),
        ];
        for (text, format, place, reference) in cases {
            let expected = Location {
                format,
                place,
                reference: reference.map(str::to_owned),
                argument: SRC,
            };
            let location = Location::parse(OsStr::new(text), SRC).unwrap();
            assert_eq!(location, expected);
        }
    }

    #[test]
    fn a_word_before_a_colon_is_a_transport() {
        for text in ["a:b.tar", "OCI:x", ":x", "dir:", "docker://a/b:c", "ö:x"] {
            let refused = Location::parse(OsStr::new(text), SRC);
            assert!(matches!(refused, Err(Failure::Name { .. })), "{text}");
        }
        for text in ["", "oci:", "docker-archive::app:1"] {
            let refused = Location::parse(OsStr::new(text), SRC);
            assert!(matches!(refused, Err(Failure::Usage { .. })), "{text}");
        }
    }
}
