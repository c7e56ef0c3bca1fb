//! `restow completions`: completion scripts for shells.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::failure::Failure;
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
    mut program: Command,
    process: &Process,
) -> Result<(), Failure> {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, name, &mut script);
    process
        .output
        .data(String::from_utf8_lossy(&script).trim_end())
}
