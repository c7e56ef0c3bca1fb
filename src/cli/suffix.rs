//! The compression of an archive as a whole, by the suffix of its file.

use restow::{Encoding, Format};

use crate::cli::argument::Role;
use crate::cli::failure::Failure;
use crate::cli::location::Location;

/// Suffixes of formats that restow does not write, with the command that does, if it compresses
/// a stream.
const OTHERS: [(&[&str], Option<&str>); 7] = [
    (&["xz", "txz"], Some("xz")),
    (&["bz2", "tbz", "tbz2"], Some("bzip2")),
    (&["lzma", "tlz"], Some("xz --format=lzma")),
    (&["lz4", "tlz4"], Some("lz4")),
    (&["lz"], Some("lzip")),
    (&["br"], Some("brotli")),
    (&["zip", "7z", "rar"], None),
];

/// The compression that the suffix of an output selects, if any.
///
/// # Errors
///
/// Fails if restow does not write the format of the suffix.
pub(super) fn encoding(output: &Location, format: Format) -> Result<Option<Encoding>, Failure> {
    let path = output.path().filter(|_| format != Format::OciDirectory);
    let suffix = path.and_then(|path| path.extension()).unwrap_or_default();
    let suffix = suffix.to_string_lossy().to_ascii_lowercase();
    match suffix.as_str() {
        "gz" | "tgz" => return Ok(Some(Encoding::Gzip(None))),
        "zst" | "tzst" => return Ok(Some(Encoding::Zstd(None))),
        _ => {}
    }
    let other = OTHERS
        .iter()
        .find(|(names, _)| names.contains(&suffix.as_str()));
    let (Some((_, tool)), Some(path)) = (other, path) else {
        return Ok(None);
    };
    let mut hint = "use a name that ends in `.tar`, `.tar.gz` or `.tar.zst`".to_owned();
    if let Some(tool) = tool {
        let command = match output.argument.role {
            Role::Output(command, source) => format!("{command} {source} -"),
            Role::Images(command)
            | Role::Rootfs(command)
            | Role::Option(command)
            | Role::Tree(command) => command.to_owned(),
        };
        hint = format!("{hint}; `{command} | {tool} > {}`", path.display());
    }
    Err(Failure::Name {
        message: format!("`{}`: restow does not write `.{suffix}`", path.display()),
        hint,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::cli::argument::destination_of;

    #[test]
    fn the_end_of_a_name_says_the_compression() {
        const GZIP: Option<Encoding> = Some(Encoding::Gzip(None));
        const ZSTD: Option<Encoding> = Some(Encoding::Zstd(None));
        for (name, expected) in [
            ("a.tar", None),
            ("a", None),
            ("-", None),
            (".gz", None),
            ("gz", None),
            ("a.gz.tar", None),
            ("a.tar.gz", GZIP),
            ("a.gz", GZIP),
            ("a.TGZ", GZIP),
            ("docker-archive:dir/a.tgz:app:1", GZIP),
            ("oci-archive:a.tar.zst", ZSTD),
            ("a.tzst", ZSTD),
        ] {
            let argument = destination_of("restow convert", "SRC");
            let location = Location::parse(OsStr::new(name), argument).unwrap();
            let encoding = encoding(&location, Format::DockerArchive).unwrap();
            assert_eq!(encoding, expected, "{name}");
            let of_folder = super::encoding(&location, Format::OciDirectory).unwrap();
            assert_eq!(of_folder, None, "{name}");
        }
    }

    #[test]
    fn a_name_that_promises_something_else_is_refused() {
        for suffix in OTHERS.iter().flat_map(|(names, _)| *names) {
            let name = format!("a.tar.{suffix}");
            let argument = destination_of("restow convert", "SRC");
            let location = Location::parse(OsStr::new(&name), argument).unwrap();
            assert!(encoding(&location, Format::OciArchive).is_err(), "{name}");
            let of_folder = encoding(&location, Format::OciDirectory);
            assert_eq!(of_folder.unwrap(), None, "{name}");
        }
    }
}
