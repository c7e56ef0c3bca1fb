//! Hints for errors and warnings of the library.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

use restow::{
    Candidate, ChoiceError, DecodeLimit, Error, FileKind, Folder, InputKind, LimitError, Place,
    Remedy, Warning,
};

use crate::cli::failure::Failure;
use crate::cli::text::short;

/// The hint for an error, with the option that helps.
pub(super) fn hint_for(error: &Error) -> Option<String> {
    match error {
        Error::Read { what, source } => match (what, source.as_ref()) {
            (Place::Path(path), Error::OtherFolder { folder, expected }) => {
                folder_hint(*folder, *expected, path)
            }
            (_, source) => hint_for(source),
        },
        Error::MemberSparse(_) => Some(
            "unpack it with `tar -x` and pack it again with `tar -c`, without `--sparse`".to_owned(),
        ),
        Error::LayerNotCarried(_) => Some(
            "`restow convert --with BASE PART whole.tar` puts the layers back, where BASE has them"
                .to_owned(),
        ),
        Error::BaseLacksLayers { .. } => {
            Some("name an archive or a layout that has them: `--with` may be repeated".to_owned())
        }
        Error::InventoryWithoutLayers => {
            Some("`docker save` writes an archive with the layers".to_owned())
        }
        // Without a level, what is compressed so already is kept.
        Error::AfterLayer { .. } => {
            Some("`--compress gzip:6` writes it anew, without them".to_owned())
        }
        Error::OutputExists(_) => Some("use `--force` to overwrite it".to_owned()),
        Error::Choice(error) => hint_for_choice(error),
        Error::Limit(LimitError::Compression { source, .. }) => hint_for_limit(*source),
        Error::ImageBelow { kind, folder } => {
            let folder = plain_or(folder, "FOLDER");
            let way = match *kind {
                InputKind::OciLayout => format!("name the folder: `oci:{folder}`"),
                _ => format!("pack the content of the folder: `tar -C {folder} -cf NEW.tar .`"),
            };
            Some(format!("unpack it with `tar -x` and {way}; {INSIST}"))
        }
        Error::ImageGiven(_) => Some(format!(
            "`restow convert` copies images, and `restow export` makes a root filesystem of one; \
             {INSIST}"
        )),
        Error::ImageInside { file, .. } => {
            let file = plain_or(file, "FILE");
            Some(format!(
                "unpack it with `tar -x` and name `{file}`; {INSIST}"
            ))
        }
        Error::EntryUnfit { remedy, .. } => remedy.and_then(hint_for_entry).map(str::to_owned),
        Error::NotAnImage { kind: Some(kind) } | Error::NotATar { kind: Some(kind) } => {
            hint_for_kind(*kind).map(str::to_owned)
        }
        Error::DirectoryInTheWay(_) | Error::FolderNotEmpty(_) => {
            Some("choose an empty folder, or one that does not exist yet".to_owned())
        }
        Error::Write {
            what: Place::Path(path),
            source,
        } if source.kind() == io::ErrorKind::NotADirectory && path.is_file() => {
            Some("it is a file: choose a folder, or a path where nothing is yet".to_owned())
        }
        Error::NotOfFormat {
            expected: InputKind::WholeArchive,
            ..
        } => Some("if it is a root filesystem, use `rootfs:PATH`".to_owned()),
        Error::NotADelta => {
            Some("the delta is the second argument: `restow apply OLD DELTA NEW`".to_owned())
        }
        Error::BlobRemoved { .. } => Some("run the command again".to_owned()),
        Error::BlobsElsewhere(_) | Error::LayoutOfArchive(_) => Some(
            "copy the images to keep into a new layout: `restow convert --image REF oci:DIR oci:NEW`"
                .to_owned(),
        ),
        Error::NotAFolder
        | Error::NotOfFormat {
            expected: InputKind::DockerArchive | InputKind::OciArchive,
            ..
        } => Some("use the path without a prefix: the format is recognized".to_owned()),
        Error::Write {
            what: Place::Path(path),
            source,
        } if source.kind() == io::ErrorKind::NotFound => missing_folder(path),
        Error::Write {
            what: Place::Temporary(_),
            source,
        } => Some(match source.kind() {
            io::ErrorKind::NotFound => {
                "choose another folder with `--tmpdir DIR`; a container gets one with \
                 `docker run --tmpfs /tmp`"
                    .to_owned()
            }
            _ => "choose another folder with `--tmpdir DIR`".to_owned(),
        }),
        _ => None,
    }
}

/// The folder that an output needs and that does not exist.
fn missing_folder(output: &Path) -> Option<String> {
    let folder = output.parent().filter(|it| !it.as_os_str().is_empty())?;
    (!folder.exists()).then(|| format!("create the folder first: `mkdir -p {}`", folder.display()))
}

/// The hint for a choice that failed, with the available ones.
fn hint_for_choice(error: &ChoiceError) -> Option<String> {
    Some(match error {
        ChoiceError::NameInSeveralInputs { .. } => {
            "take one of them, as in `oci:DIR:REF`, or rename one first: \
             `restow convert SRC DST --retag OLD=NEW`"
                .to_owned()
        }
        ChoiceError::PlatformTwice { .. } => {
            "choose the images with `--image REF`, or as in `oci:DIR:REF`".to_owned()
        }
        ChoiceError::NoSuchName { have, .. } if have.is_empty() => {
            "no image has a name; `--image ID --tag NEW` gives one".to_owned()
        }
        ChoiceError::NoSuchName { have, .. } => format!("available: {}", list(have)),
        ChoiceError::NoSuchImageInAny { wanted, have, .. }
        | ChoiceError::NoSuchImage { wanted, have, .. } => {
            format!("{}available: {}", right_form(wanted), choices(have))
        }
        ChoiceError::SeveralImages { have, .. } | ChoiceError::OneImage { have, .. } => {
            format!("choose one with `--image REF`: {}", choices(have))
        }
        ChoiceError::ArtifactChosen { kind, .. } if kind == "a delta" => {
            "`restow apply OLD DELTA NEW` makes the image".to_owned()
        }
        ChoiceError::PartialFormat => "name a file as DST".to_owned(),
        ChoiceError::UnknownBase { .. } => "name it with `--from OLDBASE`".to_owned(),
        ChoiceError::NotTheAnnotatedBase { .. } => {
            "name the old base with `--from OLDBASE`".to_owned()
        }
        ChoiceError::SeveralNames { .. } => {
            "name one of them, or use `--force` to remove all".to_owned()
        }
        ChoiceError::PartOfIndex { .. } => {
            "name the index, or copy the platforms to keep: `restow convert --platform PLATFORM SRC NEW`"
                .to_owned()
        }
        ChoiceError::NoSuchPlatform { have, .. } if !have.is_empty() => {
            format!("choose one with `--platform PLATFORM`: {}", list(have))
        }
        ChoiceError::NoSuchSetting { have, .. } => match have.as_slice() {
            [] => "nothing is set in its config".to_owned(),
            have => format!("available: {}", list(have)),
        },
        ChoiceError::ImagesSharePlatform(_) => "choose one with `--platform PLATFORM`".to_owned(),
        ChoiceError::NoSuchPath {
            path,
            deleted_by,
            missing,
            ..
        } => match deleted_by {
            Some(_) => format!(
                "`restow files --all-layers SRC {}` shows the layers that have it",
                word_or(path, "PATH")
            ),
            None if path.contains(['*', '?', '[']) => {
                "only `files`, `extract` and the PATHs of `diff` may be patterns: \
                 `restow files SRC PATTERN` lists what one matches"
                    .to_owned()
            }
            None => match literal_name(path).filter(|_| missing.is_none()) {
                Some(name) => format!("`restow files SRC '**/{name}'` looks in every folder"),
                None => "`restow files SRC` lists the files of the image".to_owned(),
            },
        },
        ChoiceError::NoPathMatches { pattern, .. } => {
            if pattern.trim_start_matches('/').contains('/') {
                return None;
            }
            let name = bare_name(pattern).unwrap_or("PATTERN");
            format!("`'**/{name}'` matches in every folder")
        }
        ChoiceError::NotInLayer {
            path,
            layer: Some(_),
            ..
        } => format!(
            "`restow files --all-layers SRC {}` shows the layers that have it",
            word_or(path, "PATH")
        ),
        ChoiceError::NotAFile {
            path,
            kind: "a directory",
        } => format!("`restow files SRC {}` lists it", word_or(path, "PATH")),
        ChoiceError::NotAFile {
            path,
            kind: "a symbolic link",
        } => format!(
            "`restow files --all-layers SRC {}` shows its target; without `--layer`, links are \
             followed",
            word_or(path, "PATH")
        ),
        ChoiceError::ImagesShareReference(_) => "choose one image with `--image REF`".to_owned(),
        _ => return None,
    })
}

/// The name in a path that has no other, if it can be a word in quotes.
fn bare_name(path: &str) -> Option<&str> {
    let name = path.trim_start_matches('/');
    let is_quotable = |it: char| !['/', '\''].contains(&it) && !it.is_control();
    (!name.is_empty() && name.chars().all(is_quotable)).then_some(name)
}

/// The same, if it is also a pattern that matches nothing else: without escapes.
fn literal_name(path: &str) -> Option<&str> {
    bare_name(path).filter(|name| !name.contains(['\\', char::REPLACEMENT_CHARACTER]))
}

/// The form of a request for an image that was meant, as the beginning of a hint.
fn right_form(wanted: &str) -> String {
    if wanted.parse::<NonZeroUsize>().is_ok() {
        format!("to choose by number: `'#{wanted}'`; ")
    } else if is_list(wanted) {
        "name one image; `convert` takes several: `--image REF --image REF`; ".to_owned()
    } else {
        String::new()
    }
}

/// True if a text may be meant as several names of images.
pub(super) fn is_list(text: &str) -> bool {
    text.split(',').filter(|name| !name.is_empty()).count() > 1
}

/// A failure at an image that `--image` does not select, or not alone: the REF after its path does.
pub(super) fn advise_ref(error: Error) -> Failure {
    let hint = match &error {
        Error::Choice(
            ChoiceError::SeveralImages { have, .. } | ChoiceError::OneImage { have, .. },
        ) => format!(
            "choose one after its path, as in `oci:DIR:REF` or `docker-archive:FILE:REF`: {}",
            choices(have)
        ),
        _ => return error.into(),
    };
    let error = Box::new(error);
    Failure::Advised { error, hint }
}

/// The hint for a stream that exceeds a limit: the command that compresses it again.
fn hint_for_limit(limit: DecodeLimit) -> Option<String> {
    let command = match limit {
        DecodeLimit::Window { .. } => "zstd -dc --long=31 FILE | zstd -o NEW",
        DecodeLimit::Memory { .. } => "xz -dc FILE | xz > NEW",
        _ => return None,
    };
    Some(format!("recompress it: `{command}`"))
}

/// The hint for a folder, where images or a root filesystem were expected.
fn folder_hint(folder: Folder, expected: InputKind, path: &Path) -> Option<String> {
    let path = path.display();
    let wants_rootfs = matches!(expected, InputKind::Rootfs | InputKind::Tar);
    let hint = match folder {
        Folder::DockerArchive => {
            format!("pack it again: `tar -C {path} -c . | restow convert - DST`")
        }
        Folder::Skopeo => format!("`skopeo copy dir:{path} oci:DIR` converts it to an OCI layout"),
        Folder::Layout if wants_rootfs => format!("`restow export oci:{path}` makes a tar of it"),
        Folder::Layout => format!("use `oci:{path}`"),
        Folder::Other | Folder::Empty if wants_rootfs => {
            format!("`restow import {path} DST` makes an image of it")
        }
        Folder::Other => format!("if it is a root filesystem: `restow import {path} DST`"),
        _ => return None,
    };
    match expected {
        InputKind::Rootfs => Some(format!("{hint}; {INSIST}")),
        _ => Some(hint),
    }
}

/// The hint for a tar that does not look like a root filesystem.
const INSIST: &str = "use `rootfs:PATH` if it really is a root filesystem";

/// A name to be typed in a command line, or a placeholder if the name needs quotes.
pub(super) fn plain_or<'a>(name: &'a str, other: &'a str) -> &'a str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/+:@%-".contains(&byte);
    if name.bytes().all(is_plain) && !name.starts_with('-') {
        name
    } else {
        other
    }
}

/// A name as a word of a shell, or a placeholder if it cannot be one in plain quotes.
pub(super) fn word_or(name: &str, other: &str) -> String {
    let is_quotable = |it: char| {
        !it.is_control() && !['\'', '`', '\\', char::REPLACEMENT_CHARACTER].contains(&it)
    };
    if !name.is_empty() && plain_or(name, "") == name {
        name.to_owned()
    } else if name.chars().all(is_quotable) && !name.starts_with('-') {
        format!("'{name}'")
    } else {
        other.to_owned()
    }
}

/// Maximum number of names in a hint; a layout may hold thousands.
const LISTED_MAX: usize = 20;

fn list(names: &[String]) -> String {
    listed(names, |name| format!("`{name}`"))
}

/// Values for `--image`, each with the id that selects the same image.
pub(super) fn choices(candidates: &[Candidate]) -> String {
    listed(candidates, |candidate| match &candidate.id {
        Some(id) if id.to_string() != candidate.name => {
            format!("`{}` ({})", candidate.name, short(id))
        }
        Some(id) => format!("`{}`", short(id)),
        _ => format!("`{}`", candidate.name),
    })
}

fn listed<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    let mut listed: Vec<_> = items.iter().take(LISTED_MAX).map(text).collect();
    if items.len() > LISTED_MAX {
        listed.push(format!("and {} more", items.len() - LISTED_MAX));
    }
    listed.join(", ")
}

/// The hint for a tar with an entry that engines refuse.
fn hint_for_entry(remedy: Remedy) -> Option<&'static str> {
    Some(match remedy {
        Remedy::Export => {
            "`restow export rootfs:PATH NEW.tar` rewrites the tar so that engines accept it"
        }
        Remedy::OnlyNew => "with `--only-new` the layer is written anew so that engines accept it",
        Remedy::Repack => "unpack it with `tar -x` and pack it again with `tar -c`",
        _ => return None,
    })
}

/// The hint for a warning.
pub(super) fn hint_for_warning(warning: &Warning) -> Option<String> {
    match warning {
        Warning::EntryUnfit { remedy, .. } => remedy.and_then(hint_for_entry).map(str::to_owned),
        Warning::TooManyLayers { .. } => {
            Some("`restow squash` makes one layer of several".to_owned())
        }
        Warning::LayerTrailing { .. } => {
            Some("`restow convert --compress gzip:6` writes the layer anew".to_owned())
        }
        Warning::NoRepository(tag) => Some(format!("name it with `--tag NAME:{tag}`")),
        _ => None,
    }
}

/// The hint for a file of another kind: the way to an image.
fn hint_for_kind(kind: FileKind) -> Option<&'static str> {
    Some(match kind {
        FileKind::Compressed("gzip" | "zstd" | "xz" | "bzip2") => {
            "it is compressed twice: unpack it once"
        }
        FileKind::Compressed(_) | FileKind::Rar | FileKind::SevenZip | FileKind::Zip => {
            "unpack it first; restow reads gzip, zstd, xz and bzip2"
        }
        FileKind::Disk(_) | FileKind::Squashfs => {
            "mount it and pack its content: `tar -C MOUNTPOINT -cf ROOTFS.tar .`"
        }
        FileKind::Dockerfile => "build the image first: `docker build`, then `docker save`",
        FileKind::GitLfsPointer => "fetch the real file: `git lfs pull`",
        FileKind::Html => {
            "the server answered with a page in place of the file: check the address and the login"
        }
        FileKind::Utf16 => {
            "PowerShell's `>` converts the data to text; write the file with `docker save -o FILE`"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_that_cannot_be_written_have_a_way_out() {
        let place = || Place::Temporary("/tmp".into());
        let hint = |kind: io::ErrorKind| hint_for(&Error::write(place(), kind.into()));
        let other = Some("choose another folder with `--tmpdir DIR`");
        assert_eq!(hint(io::ErrorKind::StorageFull).as_deref(), other);
        assert_eq!(hint(io::ErrorKind::PermissionDenied).as_deref(), other);
        let in_container = "choose another folder with `--tmpdir DIR`; a container gets one with \
                            `docker run --tmpfs /tmp`";
        assert_eq!(hint(io::ErrorKind::NotFound).as_deref(), Some(in_container));
    }

    #[test]
    fn a_word_for_a_shell_is_quoted_if_that_makes_it_one() {
        let cases = [
            ("app.tar", "app.tar"),
            ("in dir/$x", "'in dir/$x'"),
            ("", "''"),
            ("-x y", "SRC"),
            ("it's", "SRC"),
            ("a\\tb", "SRC"),
            ("a\nb", "SRC"),
            ("\u{fffd}", "SRC"),
        ];
        for (name, expected) in cases {
            assert_eq!(word_or(name, "SRC"), expected);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..22).map(|n| n.to_string()).collect();
        assert!(list(&names).ends_with("`18`, `19`, and 2 more"));
        assert_eq!(list(&names[..2]), "`0`, `1`");
    }
}
