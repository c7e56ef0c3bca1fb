//! `restow remove`: from the command line to the operation, and its report.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use clap::Args;
use restow::{
    Cause, ChoiceError, Error, Format, Place, RemoveOptions, RemoveReport, RemovedItem, Selector,
};
use serde_json::{Value, json};

use crate::cli::argument::{Argument, Role};
use crate::cli::failure::Failure;
use crate::cli::hint::{choices, is_list};
use crate::cli::location::Location;
use crate::cli::process::Process;
use crate::cli::source::selector;
use crate::cli::text::{count, escaped, json_text, short, size};

/// Remove images or names from an OCI layout, and the blobs that are no longer needed
///
/// A name removes only itself if the image has others, and the image with its last name.
/// Signatures and attestations of an image go with it. Then every blob is deleted that
/// nothing in the layout refers to; without REF and `--untagged`, that is all. Other files
/// are not touched.
///
/// The layout is complete at any moment, and restow may write to it meanwhile. Other tools
/// must not: they do not wait, and a blob that they have not listed yet would be deleted.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An OCI layout in a folder
    #[arg(value_name = "LAYOUT")]
    layout: OsString,

    /// Images to remove, by reference, digest, id or number, as in '#3'
    ///
    /// `restow images LAYOUT` lists all of these. Unique prefixes of digests and ids are enough,
    /// from 4 digits on.
    #[arg(value_name = "REF")]
    images: Vec<Selector>,

    #[command(flatten)]
    more: More,

    /// Report what would be removed and freed; change nothing
    #[arg(long)]
    dry_run: bool,

    /// Print a JSON object; `restow help json` lists the fields
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// The options that remove more than the arguments alone.
#[derive(Debug, Args)]
struct More {
    /// Remove all images without a name
    #[arg(long)]
    untagged: bool,

    /// Remove an image that a digest, an id or #N selects even if it has several names
    #[arg(long)]
    force: bool,
}

const LAYOUT: Argument = Argument {
    name: "LAYOUT",
    role: Role::Option("LAYOUT"),
};

pub(super) fn run(arguments: &Arguments, process: &Process) -> Result<(), Failure> {
    let location = Location::parse(&arguments.layout, LAYOUT)?;
    let folder = location.path();
    let Some(folder) = folder.filter(|_| is_of_layout(&location)) else {
        return Err(Failure::usage("LAYOUT must be an OCI layout in a folder"));
    };
    let mut options = RemoveOptions::default();
    options.images = selector(&location)?.into_iter().collect();
    options.images.extend(arguments.images.iter().cloned());
    options.untagged = arguments.more.untagged;
    options.force = arguments.more.force;
    options.dry_run = arguments.dry_run;
    let report = process.session(None).remove(folder, &options);
    let report = report.map_err(|error| advise(error, folder, &options))?;
    let output = &process.output;
    if arguments.json {
        let object = to_json(&arguments.layout, arguments.dry_run, &report);
        return output.data(&json_text(&object));
    }
    let lines = to_text(&report, arguments.dry_run);
    if arguments.dry_run {
        let lines: Vec<String> = lines.iter().map(|it| escaped(it)).collect();
        return output.lines(&lines);
    }
    for line in &lines {
        output.say(line);
    }
    Ok(())
}

fn is_of_layout(location: &Location) -> bool {
    matches!(location.format, None | Some(Format::OciDirectory))
}

/// The hint for a failure after which the images are gone, but not all blobs that nothing needs.
fn blobs_left(options: &RemoveOptions) -> String {
    let blobs = "`restow remove LAYOUT` deletes the blobs that are left";
    if options.images.is_empty() && !options.untagged {
        return blobs.to_owned();
    }
    format!("the images are no longer listed; {blobs}")
}

/// The hint for a document that cannot be read, so that nobody knows what must stay for it.
const UNKNOWN_NEEDS: &str = "nobody knows which blobs it needs: remove the image with it, or copy those \
     to keep into a new layout: `restow convert --image REF oci:DIR oci:NEW`";

/// True if this is a blob that the layout has, but not as it should be.
fn is_damaged(what: &Place, error: &Error) -> bool {
    matches!(what, Place::Blob(_)) && error.cause() == Cause::Input
}

/// Adds the hints for what is different here: images are chosen without an option, a file is not
/// enough, and what is written is the layout itself.
fn advise(error: Error, layout: &Path, options: &RemoveOptions) -> Failure {
    let hint = match &error {
        Error::Choice(ChoiceError::SeveralImages { have, .. }) => {
            format!("choose one: {}", choices(have))
        }
        Error::Choice(ChoiceError::NoSuchImage { wanted, have, .. }) if is_list(wanted) => {
            format!(
                "separate the images by spaces; available: {}",
                choices(have)
            )
        }
        Error::DeletionInterrupted => blobs_left(options),
        Error::Write { what, source } => match what {
            Place::Path(path) if path != layout => blobs_left(options),
            _ if source.kind() == io::ErrorKind::StorageFull => {
                "a new `index.json` is written before blobs are deleted: free a few kilobytes first"
                    .to_owned()
            }
            _ => return error.into(),
        },
        Error::Read { what, source } => match (what, source.as_ref()) {
            (Place::Path(path), Error::NotAFolder) => format!(
                "`restow convert --image REF {} NEW` copies an image to keep",
                path.display()
            ),
            (_, Error::Read { what, .. }) if is_damaged(what, &error) => UNKNOWN_NEEDS.to_owned(),
            _ => return error.into(),
        },
        _ => return error.into(),
    };
    let error = Box::new(error);
    Failure::Advised { error, hint }
}

/// The report for people, in lines.
fn to_text(report: &RemoveReport, is_dry_run: bool) -> Vec<String> {
    let (remove, free) = if is_dry_run {
        ("would remove", "would free")
    } else {
        ("removed", "freed")
    };
    let line = |item: &RemovedItem| {
        let digest = short(&item.digest);
        let what = match name(item) {
            Some(name) => format!("{name} ({digest})"),
            None => digest,
        };
        let more = match &item.subject {
            _ if item.stays => ", which stays under another name or in an index".to_owned(),
            Some(subject) => format!(", which refers to {}", short(subject)),
            None => String::new(),
        };
        format!("{remove} {what}{more}")
    };
    let mut lines: Vec<String> = report.removed.iter().map(line).collect();
    let (bytes, blobs) = (size(report.bytes), count(report.blobs, "blob"));
    lines.push(format!("{free} {bytes}, {blobs}"));
    lines
}

fn name(item: &RemovedItem) -> Option<String> {
    let reference = item.reference.as_ref().map(ToString::to_string);
    reference.or_else(|| item.label.clone())
}

/// The report for programs.
fn to_json(layout: &OsStr, is_dry_run: bool, report: &RemoveReport) -> Value {
    let item = |item: &RemovedItem| {
        json!({
            "reference": item.reference.as_ref().map(ToString::to_string),
            "label": item.label,
            "digest": item.digest.to_string(),
            "subject": item.subject.as_ref().map(ToString::to_string),
            "stays": item.stays,
        })
    };
    json!({
        "layout": layout.to_string_lossy(),
        "dry_run": is_dry_run,
        "removed": report.removed.iter().map(item).collect::<Value>(),
        "blobs": report.blobs,
        "size": report.bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_after_the_images_are_gone_says_so() {
        let layout = Path::new("lay");
        let write = |path: &str| {
            let error = io::ErrorKind::PermissionDenied.into();
            Error::write(Place::Path(path.into()), error)
        };
        let hint = |error, options: &RemoveOptions| match advise(error, layout, options) {
            Failure::Advised { hint, .. } => Some(hint),
            _ => None,
        };
        let blobs = RemoveOptions::default();
        let mut untagged = RemoveOptions::default();
        untagged.untagged = true;
        let mut named = RemoveOptions::default();
        named.images.push(Selector::Name("app:1".to_owned()));
        let deletes = "`restow remove LAYOUT` deletes the blobs that are left";
        let gone = format!("the images are no longer listed; {deletes}");
        for (options, expected) in [
            (&blobs, deletes),
            (&untagged, gone.as_str()),
            (&named, &gone),
        ] {
            let left = Some(expected.to_owned());
            assert_eq!(hint(Error::DeletionInterrupted, options), left);
            assert_eq!(hint(write("lay/blobs/sha256/00"), options), left);
            assert_eq!(hint(write("lay"), options), None);
            assert_eq!(hint(Error::Interrupted, options), None);
        }
    }
}
