//! Names of images outside of files: in engines, registries and other transports.
//!
//! restow only reads and writes files. For a name as docker, podman or skopeo use it, a hint shows
//! the command line that works.

use std::ffi::OsStr;
use std::path::Path;

use restow::{Format, Reference};

use crate::cli::argument::{Argument, Role};
use crate::cli::failure::Failure;

/// The transports of containers-transports(5) that restow supports.
pub(super) const TRANSPORTS: [Format; 4] = [
    Format::DockerArchive,
    Format::OciDirectory,
    Format::OciArchive,
    Format::Rootfs,
];

/// Transports of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    /// The store of an engine, with the engine's command.
    Engine(&'static str),
    /// A registry: `docker://`.
    Registry,
    /// A transport of skopeo.
    Skopeo,
    /// A download.
    Url,
    /// A path.
    File,
    /// Another name of a supported transport.
    Ours(Format),
}

/// Words before a colon in the names of skopeo, podman, syft, crane and similar tools, in lower
/// case.
const OTHERS: [(&str, Other); 22] = [
    ("docker-daemon", Other::Engine("docker")),
    ("docker", Other::Engine("docker")),
    ("containers-storage", Other::Engine("podman")),
    ("podman", Other::Engine("podman")),
    ("registry", Other::Registry),
    ("dir", Other::Skopeo),
    ("docker-dir", Other::Skopeo),
    ("sif", Other::Skopeo),
    ("ostree", Other::Skopeo),
    ("atomic", Other::Skopeo),
    ("http", Other::Url),
    ("https", Other::Url),
    ("ftp", Other::Url),
    ("file", Other::File),
    ("oci-dir", Other::Ours(Format::OciDirectory)),
    ("oci-layout", Other::Ours(Format::OciDirectory)),
    ("ocidir", Other::Ours(Format::OciDirectory)),
    ("oci-tar", Other::Ours(Format::OciArchive)),
    ("docker-tar", Other::Ours(Format::DockerArchive)),
    ("docker-save", Other::Ours(Format::DockerArchive)),
    ("tar", Other::Ours(Format::DockerArchive)),
    ("tarball", Other::Ours(Format::Rootfs)),
];

/// Refuses an argument with an unsupported transport, a word of this many bytes, and hints at the
/// right command line.
pub(super) fn refuse(text: &OsStr, word_length: usize, argument: Argument) -> Failure {
    let bytes = text.as_encoded_bytes();
    let word = String::from_utf8_lossy(&bytes[..word_length]);
    let rest = String::from_utf8_lossy(&bytes[word_length + 1..]);
    let text = text.to_string_lossy();
    let message = if word.is_empty() {
        format!("`{text}`: the transport before the colon is missing")
    } else {
        format!("`{text}`: unknown transport `{word}`")
    };
    let hint = hint(&word, &rest, argument);
    Failure::Name { message, hint }
}

fn hint(word: &str, rest: &str, argument: Argument) -> String {
    let small = word.to_ascii_lowercase();
    let found = OTHERS.iter().find(|(name, _)| *name == small);
    let other = match found {
        // For some tools `docker:app` is in an engine; for all, `docker://app` is in a registry.
        Some((_, Other::Engine("docker"))) if rest.starts_with("//") => Some(Other::Registry),
        Some((_, other)) => Some(*other),
        None => nearest(&small).map(Other::Ours),
    };
    let itself = format!("{word}:{rest}");
    match other {
        Some(Other::Engine(engine)) => engine_hint(engine, rest, argument.role),
        Some(Other::Registry) => registry_hint(rest, argument.role),
        Some(Other::Skopeo) => skopeo_hint(&small, rest, argument.role),
        Some(Other::Url) if argument.role.is_output() => {
            "restow does not upload: write a file and upload it".to_owned()
        }
        Some(Other::Url) => {
            let pipe = pipe(&format!("curl -fL {itself}"), argument.role);
            format!("restow does not download: {pipe}")
        }
        Some(Other::File) => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            format!("use only the path: `{path}`")
        }
        Some(Other::Ours(format)) => {
            format!("did you mean `{format}:{rest}`? To name a file, type `./{itself}`")
        }
        None => format!(
            "{}to name a file, type `./{itself}`",
            other_hint(word, rest, argument)
        ),
    }
}

/// The transport of which a word is a misspelling, with at most a third of the letters wrong.
fn nearest(word: &str) -> Option<Format> {
    let distance = |format: &Format| strsim::damerau_levenshtein(word, format.transport());
    let nearest = TRANSPORTS.into_iter().min_by_key(distance)?;
    (distance(&nearest) <= nearest.transport().len() / 3).then_some(nearest)
}

/// A hint for a name without any known transport. It may mean an existing path and an image in
/// it, or only the name of an image.
fn other_hint(word: &str, rest: &str, argument: Argument) -> String {
    if matches!(argument.role, Role::Tree(_)) || rest.is_empty() {
        return String::new();
    }
    let path = Path::new(word);
    let is_archive = path.extension().is_some_and(|it| it == "tar") || path.is_file();
    if path.is_dir() {
        return format!("to name an image in a layout, type `oci:{word}:{rest}`; ");
    }
    if is_archive {
        return format!("to name an image in an archive, type `docker-archive:{word}:{rest}`; ");
    }
    match image(&format!("{word}:{rest}")) {
        Some(name) => match argument.role {
            Role::Output(command, source) => {
                format!("to name the image, type `{command} --tag {name} {source} FILE`; ")
            }
            role => format!("{}; ", engine_hint("docker", &name, role)),
        },
        None => String::new(),
    }
}

/// The command line that gets an image from an engine, or into it.
fn engine_hint(engine: &str, name: &str, role: Role) -> String {
    let name = image(name);
    match role {
        Role::Output(command, source) => {
            let tag = name
                .map(|name| format!("--tag {name} "))
                .unwrap_or_default();
            format!("pipe it to the engine: `{command} {tag}{source} - | {engine} load`")
        }
        Role::Tree(command) => {
            let name = name.map(|name| format!(" {name}")).unwrap_or_default();
            format!("pipe it to the engine: `{command} | {engine} import -{name}`")
        }
        Role::Rootfs(_) | Role::Images(_) | Role::Option(_) => {
            let name = name.unwrap_or_else(|| "NAME".to_owned());
            format!("{NO_ENGINE}: {}", saved(engine, &name, role))
        }
    }
}

fn registry_hint(name: &str, role: Role) -> String {
    let name = image(name).unwrap_or_else(|| "NAME".to_owned());
    match role {
        Role::Output(command, source) => format!(
            "restow does not push to registries: `{command} {source} oci:DIR`, then `skopeo copy oci:DIR docker://{name}`"
        ),
        Role::Tree(_) => {
            "`export` writes a root filesystem, which registries do not store".to_owned()
        }
        role => format!(
            "{}, after `docker pull {name}`",
            engine_hint("docker", &name, role)
        ),
    }
}

fn skopeo_hint(word: &str, rest: &str, role: Role) -> String {
    let word = if word == "docker-dir" { "dir" } else { word };
    match role {
        Role::Output(command, source) if word == "sif" => format!(
            "`sif:` is not supported: `{command} {source} FILE`, then `apptainer build {rest} docker-archive:FILE`"
        ),
        Role::Output(command, source) => format!(
            "`{word}:` is not supported: `{command} {source} oci:DIR`, then `skopeo copy oci:DIR {word}:{rest}`"
        ),
        Role::Tree(_) => format!("`{word}:` is not supported, and `export` writes a tar"),
        _ => format!(
            "`{word}:` is not supported: `skopeo copy {word}:{rest} oci:DIR` converts it to a layout"
        ),
    }
}

const NO_ENGINE: &str = "restow only reads files; pipe the image in";

/// The pipe that reads an image from an engine.
fn saved(engine: &str, name: &str, role: Role) -> String {
    match role {
        Role::Rootfs(_) => pipe(&format!("{engine} export CONTAINER"), role),
        _ => pipe(&format!("{engine} save {name}"), role),
    }
}

/// The command line in which the output of a command is the input of restow.
fn pipe(producer: &str, role: Role) -> String {
    match role {
        Role::Option(option) => format!("`{producer} > FILE`, and `{option} FILE`"),
        Role::Images(command)
        | Role::Rootfs(command)
        | Role::Tree(command)
        | Role::Output(command, _) => format!("`{producer} | {command}`"),
    }
}

/// A text, if it is a valid name of an image.
fn image(text: &str) -> Option<String> {
    let name = text.trim_start_matches('/');
    name.parse::<Reference>().ok().map(|_| name.to_owned())
}

/// Refuses an output that looks like the name of an image and cannot be a path, since a parent
/// of it is a file.
pub(super) fn check_no_reference(path: &Path, argument: Argument) -> Result<(), Failure> {
    let Role::Output(command, source) = argument.role else {
        return Ok(());
    };
    let text = path.to_string_lossy();
    let is_tagged = |name: Reference| name.is_tagged();
    if has_folder(path) || !text.parse().is_ok_and(is_tagged) {
        return Ok(());
    }
    Err(Failure::Name {
        message: format!(
            "`{text}` looks like the name of an image, but {} is a file",
            argument.name
        ),
        hint: format!("to name the image, type `{command} --tag {text} {source} FILE`"),
    })
}

/// The hint for an input that does not exist, beside the output of the command: its path, and the
/// name of the argument.
pub(super) fn missing_hint(
    path: &Path,
    format: Option<Format>,
    argument: Argument,
    output: Option<(&Path, &str)>,
) -> Option<String> {
    if let Some((format, rest)) = format.zip(after_slashes(path)) {
        let rest = rest.display();
        return Some(format!(
            "write the path without slashes before it: `{format}:{rest}`"
        ));
    }
    let is_bare = format.is_none();
    let output = output.filter(|_| !matches!(argument.role, Role::Option(_)));
    let swapped = |is_suspicious: fn(&Path) -> bool| {
        let (path, target) = output.filter(|(path, _)| is_suspicious(path))?;
        let (path, source) = (path.display(), argument.name);
        Some(format!(
            "`{path}` exists: are {source} and {target} swapped?"
        ))
    };
    swapped(Path::is_file)
        .or_else(|| is_bare.then(|| meant(path, argument.role))?)
        // An existing layout is less suspicious: the command may add to it.
        .or_else(|| swapped(Path::exists))
}

/// The rest of a path that begins with exactly two slashes, as the names of dive do:
/// `docker-archive://app.tar`.
fn after_slashes(path: &Path) -> Option<&Path> {
    let rest = path.to_str()?.strip_prefix("//")?;
    let is_relative = !rest.is_empty() && !rest.starts_with('/');
    is_relative.then_some(Path::new(rest))
}

/// Refuses an output with two slashes before its path, unless it is in a folder that exists. The
/// root itself does not count, into which nobody writes by such a name.
pub(super) fn check_slashes(path: &Path, format: Format) -> Result<(), Failure> {
    let Some(rest) = after_slashes(path) else {
        return Ok(());
    };
    let absolute = Path::new("/").join(rest);
    let folder = absolute.parent().filter(|it| *it != Path::new("/"));
    if folder.is_some_and(Path::is_dir) || absolute.exists() {
        return Ok(());
    }
    let rest = rest.display();
    Err(Failure::Name {
        message: format!("`{format}://{rest}`: two slashes before the path"),
        hint: format!("type `{format}:{rest}`, or `{format}:/{rest}` for a path from the root"),
    })
}

/// The likely meaning of a path that does not exist.
fn meant(path: &Path, role: Role) -> Option<String> {
    let text = path.to_string_lossy();
    if let Some((word, rest)) = split_at_place(&text) {
        let format = if Path::new(word).is_dir() {
            Format::OciDirectory
        } else {
            Format::DockerArchive
        };
        return Some(format!(
            "to name an image in it, type `{format}:{word}:{rest}`"
        ));
    }
    let name = image(&text).filter(|_| !path.is_absolute())?;
    let is_tagged = name.parse().is_ok_and(|name: Reference| name.is_tagged());
    let looks_like_file = path.extension().is_some() || has_folder(path) && text.contains('/');
    if !is_tagged && looks_like_file {
        return None;
    }
    Some(match role {
        Role::Rootfs(_) => {
            let pipe = pipe(&format!("docker export {name}"), role);
            format!("if that is the name of a container: {pipe}")
        }
        role => {
            let pipe = saved("docker", &name, role);
            format!("if that is the name of an image: {pipe}")
        }
    })
}

/// The hint for an argument that looks like the name of an image in the place before it.
pub(super) fn image_in(before: &OsStr, name: &OsStr) -> Option<String> {
    let (before, name) = (before.to_str()?, name.to_str()?);
    let is_tagged = name.parse().is_ok_and(|name: Reference| name.is_tagged());
    let word = name.split(':').next().unwrap_or_default();
    if !is_tagged || OTHERS.iter().any(|(other, _)| *other == word) || Path::new(name).exists() {
        return None;
    }
    let named = |format: &Format| {
        let path = before.strip_prefix(format.transport())?.strip_prefix(':')?;
        Some(path).filter(|path| Path::new(path).exists())
    };
    let place = if TRANSPORTS[..3].iter().any(|format| named(format).is_some()) {
        before.to_owned()
    } else if Path::new(before).is_dir() {
        format!("{}:{before}", Format::OciDirectory)
    } else if Path::new(before).is_file() {
        format!("{}:{before}", Format::DockerArchive)
    } else {
        return None;
    };
    Some(format!(
        "to name an image in `{before}`, type `{place}:{name}`"
    ))
}

/// Adds to the failure at an argument that it may be the name of an image in the place before it.
pub(super) fn advise_image(failure: Failure, before: &OsStr, name: &OsStr) -> Failure {
    match (failure, image_in(before, name)) {
        (Failure::Name { message, hint }, Some(meant)) => Failure::Name {
            message,
            hint: format!("{meant}; {hint}"),
        },
        (failure, _) => failure,
    }
}

/// Splits at a colon after an existing path.
fn split_at_place(text: &str) -> Option<(&str, &str)> {
    let mut colons = text.match_indices(':');
    let colon = colons.find(|(at, _)| Path::new(&text[..*at]).exists())?.0;
    Some((&text[..colon], &text[colon + 1..]))
}

/// True if the parent folder of a path exists.
fn has_folder(path: &Path) -> bool {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.is_dir(),
        _ => true,
    }
}
