//! Names of images on the command line: `docker-archive:app.tar:app:1.0`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use restow::format::Format;

/// What the user typed for an input or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The format, if the user named one.
    pub(super) format: Option<Format>,
    /// Where it is.
    pub(super) place: Place,
    /// The part behind the path, if there is one.
    pub(super) reference: Option<String>,
}

/// A path, or one of the standard streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file or a folder.
    Path(PathBuf),
    /// `-`.
    Standard,
}

const TRANSPORTS: [Format; 4] = [
    Format::DockerArchive,
    Format::OciDirectory,
    Format::OciArchive,
    Format::Rootfs,
];

impl Location {
    /// Takes an argument apart, as containers-transports(5) does: behind a known
    /// transport, the path goes up to the next colon. Without one all of it is a
    /// path, so that any file can be named.
    pub(super) fn parse(text: &OsStr) -> Self {
        let bytes = text.as_bytes();
        for format in TRANSPORTS {
            let prefix = format!("{format}:");
            let Some(rest) = bytes.strip_prefix(prefix.as_bytes()) else {
                continue;
            };
            let colon = match format {
                Format::Rootfs => None,
                _ => rest.iter().position(|byte| *byte == b':'),
            };
            let (path, reference) = match colon {
                Some(colon) => (&rest[..colon], Some(&rest[colon + 1..])),
                None => (rest, None),
            };
            return Self {
                format: Some(format),
                place: Place::parse(path),
                reference: reference.map(|text| String::from_utf8_lossy(text).into_owned()),
            };
        }
        Self {
            format: None,
            place: Place::parse(bytes),
            reference: None,
        }
    }
}

impl Place {
    fn parse(bytes: &[u8]) -> Self {
        match bytes {
            b"-" => Self::Standard,
            path => Self::Path(OsString::from_vec(path.to_vec()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_in_skopeo() {
        let path = |path: &str| Place::Path(path.into());
        let cases = [
            ("app.tar", None, path("app.tar"), None),
            ("./oci:x", None, path("./oci:x"), None),
            ("a:b.tar", None, path("a:b.tar"), None),
            ("-", None, Place::Standard, None),
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
            };
            assert_eq!(Location::parse(OsStr::new(text)), expected);
        }
    }
}
