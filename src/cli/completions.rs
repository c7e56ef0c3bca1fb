//! `restow completions`: completion scripts for shells.

use std::fmt::Write as _;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Args, Command};
use clap_complete::Shell;
use restow::Code;

use crate::cli::failure::Failure;
use crate::cli::help;
use crate::cli::process::Process;

/// Print a completion script for a shell
///
/// It completes commands, options and their values. Packages install it in the folder of
/// the shell's completions; `source` loads it into a running bash.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Shell that reads the script
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script for the command line of this program.
pub(super) fn run(
    arguments: &Arguments,
    program: Command,
    process: &Process,
) -> Result<(), Failure> {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    let mut program = with_values(program);
    clap_complete::generate(arguments.shell, &mut program, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match arguments.shell {
        Shell::Bash => in_bash(&script),
        Shell::Fish => in_fish(&script, &program),
        Shell::Zsh => in_zsh(&script),
        _ => script.into_owned(),
    };
    process.output.data(script.trim_end())
}

/// The function that completes a word in bash, around that of clap.
const BASH: &str = include_str!("completions.bash");

/// Makes bash complete files wherever no option is typed: clap offers options everywhere, and
/// files without quotes and without a slash after folders.
fn in_bash(script: &str) -> String {
    let script = script
        .replace(r#"COMPREPLY=($(compgen -f "${cur}"))"#, "COMPREPLY=()")
        .replace("complete -F _restow ", "complete -F _restow_word ");
    format!("{BASH}{script}")
}

/// Adds the values of arguments, which clap has for options only.
fn in_fish(script: &str, program: &Command) -> String {
    let mut script = script.to_owned();
    for command in program.get_subcommands() {
        let arguments = command.get_positionals();
        let values = arguments.flat_map(Arg::get_possible_values);
        let values: Vec<String> = values.map(|it| it.get_name().to_owned()).collect();
        if !values.is_empty() {
            let (name, values) = (command.get_name(), values.join(" "));
            let condition = format!("__fish_restow_using_subcommand {name}");
            let _ = writeln!(
                script,
                "complete -c restow -n \"{condition}\" -f -a \"{values}\""
            );
        }
    }
    script
}

/// Makes zsh complete files as the arguments of commands such as `images`, and options after
/// them: two colons say that a command follows, with arguments of its own.
fn in_zsh(script: &str) -> String {
    let lines = script.lines().map(|line| match line.strip_prefix("'*::") {
        Some(rest) if rest.contains(" -- ") => format!("'*:{rest}"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Adds the values of arguments that restow parses itself, or the usual ones of them.
fn with_values(program: Command) -> Command {
    program.mut_subcommands(|command| {
        command.mut_args(|argument| {
            // A value after a space would be the next argument.
            if argument.is_require_equals_set() {
                let flag = argument.require_equals(false).hide_default_value(false);
                return flag.num_args(0).action(ArgAction::SetTrue);
            }
            let values: Vec<&str> = match argument.get_id().as_str() {
                "compress" => vec!["keep", "none", "gzip", "zstd"],
                "media_types" => vec!["keep", "oci", "docker"],
                "explain" => Code::ALL.iter().map(|code| code.name()).collect(),
                "name" => help::names().collect(),
                _ => return argument,
            };
            argument.value_parser(PossibleValuesParser::new(values))
        })
    })
}
