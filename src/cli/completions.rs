//! `restow completions`: completion scripts for shells.

use clap::builder::PossibleValuesParser;
use clap::{Args, Command};
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
    process
        .output
        .data(String::from_utf8_lossy(&script).trim_end())
}

/// Adds the values of arguments that restow parses itself, or the usual ones of them.
fn with_values(program: Command) -> Command {
    program.mut_subcommands(|command| {
        command.mut_args(|argument| {
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
