//! `restow man`: the help of every command as manual pages.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use restow::{Error, Place};

use crate::cli::failure::Failure;
use crate::cli::process::Process;
use crate::cli::text::count;

/// Write the manual pages of restow and its commands to a folder
///
/// The pages are restow.1 and restow-COMMAND.1 for each command.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder of the pages; created if it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Overwrite pages that exist and differ
    #[arg(long, short)]
    force: bool,
}

/// Writes all pages of this program, or none if one of them must not be replaced.
pub(super) fn run(
    arguments: &Arguments,
    program: Command,
    process: &Process,
) -> Result<(), Failure> {
    let folder = &arguments.folder;
    let replace = arguments.force;
    let mut pages = pages(program);
    pages.retain(|page| !page.is_in(folder));
    if !replace {
        for page in &pages {
            let path = folder.join(&page.name);
            if fs::symlink_metadata(&path).is_ok() {
                return Err(Error::OutputExists(path).into());
            }
        }
    }
    fs::create_dir_all(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => failed(folder, io::ErrorKind::NotADirectory.into()),
        _ => failed(folder, error),
    })?;
    for page in &pages {
        page.write(folder, replace)?;
    }
    process.output.tell(&format!(
        "wrote {} to {}",
        count(pages.len(), "manual page"),
        folder.display()
    ));
    Ok(())
}

/// A manual page.
struct Page {
    /// Its file.
    name: String,
    /// Its source in roff.
    text: Vec<u8>,
}

impl Page {
    /// The page of a command, or of the program itself.
    fn of(command: &Command, program: &Command) -> Self {
        let version = program.get_version().unwrap_or_default();
        let man = Man::new(command.clone())
            // An empty date, so that the page is the same on every day.
            .date("\"\"")
            .source(format!("{} {version}", program.get_name()))
            .manual("User Commands");
        let mut text = Vec::new();
        render(&man, command, program, &mut text).expect("memory can be written to");
        Self {
            name: man.get_filename(),
            text,
        }
    }

    /// True if a folder already contains it with the same content.
    fn is_in(&self, folder: &Path) -> bool {
        let mut text = Vec::new();
        let file = restow::open_regular(&folder.join(&self.name));
        let read = file.and_then(|mut file| file.read_to_end(&mut text));
        read.is_ok() && text == self.text
    }

    /// Writes it to a folder, where it appears once it is complete.
    fn write(&self, folder: &Path, replace: bool) -> Result<(), Failure> {
        let path = folder.join(&self.name);
        // A symbolic link is followed: its target is replaced, and the link remains.
        let target = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        match restow::write_file(&target, &self.text, replace) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::OutputExists(path).into())
            }
            Err(error) => Err(failed(&path, error)),
        }
    }
}

/// The pages of a program and of its commands.
fn pages(program: Command) -> Vec<Page> {
    // Without their own heading they would be a second section of options.
    let mut program = program.mut_subcommands(|command| {
        command.mut_args(|it| {
            if it.is_positional() {
                it.help_heading("Arguments")
            } else {
                it
            }
        })
    });
    program.build();
    std::iter::once(&program)
        .chain(commands(&program))
        .map(|command| Page::of(command, &program))
        .collect()
}

/// The commands in the help of a program.
fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|it| !it.is_hide_set())
}

/// The name of a page in man(1): `restow-convert`.
fn page_name(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name()).to_owned()
}

/// Writes a page, section by section.
fn render(man: &Man, command: &Command, program: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(text)?;
    }
    man.render_options_section(text)?;
    let mut rest = Roff::default();
    let after = command.get_after_long_help().or(command.get_after_help());
    if let Some(after) = after {
        sections(&mut rest, &after.to_string());
    }
    rest.control("SH", ["SEE ALSO"]);
    let others: Vec<String> = if command.get_name() == program.get_name() {
        commands(program).map(page_name).collect()
    } else {
        vec![page_name(program)]
    };
    for (position, name) in others.iter().enumerate() {
        let end = if position + 1 < others.len() { "," } else { "" };
        rest.text([bold(name.as_str()), roman(format!("(1){end}"))]);
    }
    rest.to_writer(text)
}

/// Writes the text at the end of a help page: a section for each heading, such as "Examples:",
/// with indented lines verbatim. The text before the first heading becomes the notes.
fn sections(roff: &mut Roff, text: &str) {
    let mut heading = "Notes";
    let lines: Vec<&str> = text.lines().collect();
    for (position, paragraph) in lines.split(|line| line.is_empty()).enumerate() {
        let (is_new, body) = match paragraph {
            [first, body @ ..] if !first.starts_with(' ') && first.ends_with(':') => {
                heading = first.trim_end_matches(':');
                (true, body)
            }
            body => (position == 0, body),
        };
        if is_new {
            roff.control("SH", [heading.to_uppercase().as_str()]);
        } else {
            roff.control("PP", []);
        }
        let is_indented = body.iter().all(|line| line.starts_with(' '));
        if is_indented {
            roff.control("nf", []);
        }
        for line in body {
            roff.text([roman(line.trim_start())]);
        }
        if is_indented {
            roff.control("fi", []);
        }
    }
}

/// The failure to write a path.
fn failed(path: &Path, error: io::Error) -> Failure {
    Error::write(Place::Path(path.to_owned()), error).into()
}
