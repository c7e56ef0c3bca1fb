//! Names of images that are not in a file: of engines, registries and other transports.
//!
//! restow reads and writes files alone. Who types a name as for docker, podman or skopeo is
//! told the command line that does it.

use std::ffi::OsStr;
use std::path::Path;

use restow::{Format, Reference};

use crate::cli::argument::{Argument, Role};
use crate::cli::failure::Failure;

/// The transports of containers-transports(5) that restow has.
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
    /// A registry, of `docker://`.
    Registry,
    /// Something that skopeo reads and writes.
    Skopeo,
    /// Something to be fetched.
    Url,
    /// A path.
    File,
    /// Another name for a transport of ours.
    Ours(Format),
}

/// Words before a colon that users of skopeo, podman, syft, crane and the like type, in
/// lower case.
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

/// Refuses an argument that begins with a word that is no transport of restow, of this
/// many bytes, and says how to name what may be meant.
pub(super) fn refuse(text: &OsStr, word_length: usize, argument: Argument) -> Failure {
    let bytes = text.as_encoded_bytes();
    let word = String::from_utf8_lossy(&bytes[..word_length]);
    let rest = String::from_utf8_lossy(&bytes[word_length + 1..]);
    let text = text.to_string_lossy();
    let message = if word.is_empty() {
        format!("`{text}`: no transport before the colon")
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
        // `docker:app` is an engine's for some tools, `docker://app` a registry's for all.
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
            "restow only writes files: write one and upload it".to_owned()
        }
        Some(Other::Url) => {
            let pipe = pipe(&format!("curl -fL {itself}"), argument.role);
            format!("restow does not download: {pipe}")
        }
        Some(Other::File) => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            format!("use the path alone: `{path}`")
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

/// The transport that a word is a misspelling of: at most a third of its letters are wrong.
fn nearest(word: &str) -> Option<Format> {
    let distance = |format: &Format| strsim::damerau_levenshtein(word, format.transport());
    let nearest = TRANSPORTS.into_iter().min_by_key(distance)?;
    (distance(&nearest) <= nearest.transport().len() / 3).then_some(nearest)
}

/// The likely meaning of a name without any transport of the field: a place that is there
/// and an image in it, or the name of an image alone.
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

/// The command line that gets an image out of an engine, or into one.
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

/// The pipe that gets an image out of an engine.
fn saved(engine: &str, name: &str, role: Role) -> String {
    match role {
        Role::Rootfs(_) => pipe(&format!("{engine} export CONTAINER"), role),
        _ => pipe(&format!("{engine} save {name}"), role),
    }
}

/// How the output of a command becomes the input.
fn pipe(producer: &str, role: Role) -> String {
    match role {
        Role::Option(option) => format!("`{producer} > FILE`, and `{option} FILE`"),
        Role::Images(command)
        | Role::Rootfs(command)
        | Role::Tree(command)
        | Role::Output(command, _) => format!("`{producer} | {command}`"),
    }
}

/// The name of an image as it was typed, if it is one.
fn image(text: &str) -> Option<String> {
    let name = text.trim_start_matches('/');
    name.parse::<Reference>().ok().map(|_| name.to_owned())
}

/// Refuses the name of an image with a slash in it as an output, if it cannot be a path.
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

/// Advice for who named an input that is not there, beside an output.
pub(super) fn missing_hint(
    path: &Path,
    is_bare: bool,
    argument: Argument,
    beside: Option<&Path>,
) -> Option<String> {
    let swapped = |output: &Path| {
        let (source, output) = (argument.name, output.display());
        format!("`{output}` exists: are {source} and DST swapped?")
    };
    match beside {
        Some(output) if output.is_file() => Some(swapped(output)),
        _ => None,
    }
    .or_else(|| is_bare.then(|| meant(path, argument.role))?)
    // A layout may well be there, to be added to.
    .or_else(|| beside.filter(|output| output.exists()).map(swapped))
}

/// The likely meaning of a path where no input is.
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

/// A path that is there before a colon, and what follows.
fn split_at_place(text: &str) -> Option<(&str, &str)> {
    let mut colons = text.match_indices(':');
    let colon = colons.find(|(at, _)| Path::new(&text[..*at]).exists())?.0;
    Some((&text[..colon], &text[colon + 1..]))
}

/// Whether the folder is there that a path is in.
fn has_folder(path: &Path) -> bool {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.is_dir(),
        _ => true,
    }
}
