//! Arguments in the wrong order.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use restow::{ChoiceError, Error, Place};

use crate::cli::elsewhere;
use crate::cli::failure::Failure;
use crate::cli::location::Location;

/// Adds the hint for a SRC that cannot be an image, if a later argument is an archive or a
/// layout: the command line shows the order. If the first of them is a path that the image does
/// not have, it may be the name of an image in SRC.
pub(super) fn advise<'a>(
    failure: Failure,
    source: &Location,
    later: impl IntoIterator<Item = &'a OsStr>,
    line: &str,
) -> Failure {
    let is_wrong = match &failure {
        Failure::Library(error) => is_no_image(error, source),
        Failure::Advised { error, .. } => is_no_image(error, source),
        _ => false,
    };
    let mut later = later.into_iter().peekable();
    if let Failure::Library(Error::Choice(ChoiceError::NoSuchPath { .. })) = &failure
        && let Some(hint) = later.peek().and_then(|name| image_in(source, name))
    {
        return advised(failure, hint);
    }
    let mut later = later.filter(|_| is_wrong);
    let found = later.find_map(|it| Some((it, kind(Path::new(it))?)));
    let Some((name, kind)) = found else {
        return failure;
    };
    let name = name.to_string_lossy();
    let hint = format!("`{name}` is {kind}: SRC comes first, as in `{line}`");
    advised(failure, hint)
}

/// An error of the library with this hint in place of its own.
fn advised(failure: Failure, hint: String) -> Failure {
    let error = match failure {
        Failure::Library(error) => Box::new(error),
        Failure::Advised { error, .. } => error,
        failure => return failure,
    };
    Failure::Advised { error, hint }
}

/// The hint for a word that looks like the name of an image in this place, which names none.
fn image_in(source: &Location, name: &OsStr) -> Option<String> {
    let path = source.path().filter(|_| source.reference.is_none())?;
    let mut place = OsString::new();
    if let Some(format) = source.format {
        place.push(format.transport());
        place.push(":");
    }
    place.push(path);
    elsewhere::image_in(&place, name)
}

/// True if an error says that SRC is missing, or something other than an image.
fn is_no_image(error: &Error, source: &Location) -> bool {
    let Error::Read {
        what,
        source: cause,
    } = error
    else {
        return false;
    };
    let is_source = matches!(what, Place::Path(path) if Some(path.as_path()) == source.path());
    is_source
        && match cause.as_ref() {
            Error::OtherFolder { .. } | Error::NotAnImage { .. } | Error::NotATar { .. } => true,
            Error::System(error) => error.kind() == ErrorKind::NotFound,
            _ => false,
        }
}

/// The first bytes of compressed files.
const MAGICS: [&[u8]; 4] = [
    &[0x1f, 0x8b],
    &[0x28, 0xb5, 0x2f, 0xfd],
    &[0xfd, b'7', b'z', b'X', b'Z'],
    b"BZh",
];

/// The kind of place at a path, if images may be in it, by its first bytes. A file at the path of
/// a file in the image is usually something else.
pub(super) fn kind(path: &Path) -> Option<&'static str> {
    if path.is_dir() {
        return path.join("oci-layout").is_file().then_some("a layout");
    }
    // A pipe would wait.
    let file = File::open(path.is_file().then_some(path)?).ok()?;
    let mut start = Vec::new();
    file.take(512).read_to_end(&mut start).ok()?;
    let is_tar = start.get(257..262) == Some(b"ustar");
    let is_archive = is_tar || MAGICS.iter().any(|magic| start.starts_with(magic));
    is_archive.then_some("an archive")
}
