//! The list of commands in the help of `restow` itself, in groups.

use std::fmt::Write as _;

use clap::Command;

/// The groups in order, each with its commands.
const GROUPS: [(&str, &[&str]); 4] = [
    (
        "Move",
        &["convert", "export", "extract", "import", "delta", "apply"],
    ),
    (
        "Change",
        &["squash", "append", "config", "rebase", "remove"],
    ),
    (
        "Look",
        &[
            "images", "inspect", "history", "files", "cat", "diff", "waste", "verify",
        ],
    ),
    ("Help", &["help", "completions", "man"]),
];

/// The end of the help of `restow` itself.
const MORE: &str = "\
Run `restow help COMMAND` for the options and examples of a command, `restow help names` for \
the names of images, and `restow help json` for the fields of JSON output.

Exit codes: 0 success; 1 failure (bad input, system error or failed check); 2 usage error. Those \
of `diff`: 0 same; 1 different; 2 failure of any kind.";

/// The names of all commands.
pub(super) fn commands() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|(_, names)| names.iter().copied())
}

/// Lists the subcommands in their groups, each with its description.
pub(super) fn arrange(command: Command) -> Command {
    let styles = command.get_styles().clone();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let names = command.get_subcommands().map(|it| it.get_name().len());
    let width = names.max().unwrap_or(0);
    let mut template = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (group, names) in GROUPS {
        let _ = write!(template, "\n{header}{group}:{header:#}\n");
        for subcommand in names.iter().filter_map(|it| command.find_subcommand(it)) {
            let name = subcommand.get_name();
            let about = subcommand.get_about().cloned().unwrap_or_default();
            let padding = " ".repeat(width - name.len());
            let _ = writeln!(template, "  {literal}{name}{literal:#}{padding}  {about}");
        }
    }
    let _ = write!(
        template,
        "\n{header}Global options:{header:#}\n{{options}}{{after-help}}"
    );
    command.help_template(template).after_help(MORE)
}
