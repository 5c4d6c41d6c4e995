//! `completion SHELL`: a script with which a shell completes our command line.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::generate;
use clap_complete::shells;

use crate::cli::{Cli, Completion, Shell};

const NAME: &str = "crio-credential-provider";

/// The program's name without a hyphen. clap's script for bash replaces hyphens in one of
/// two places that must agree, and not in the other: with a hyphen in the name, nothing
/// is completed after a subcommand.
const NAME_FOR_BASH: &str = "crio_credential_provider";

/// Prints the completion script for a shell.
///
/// # Errors
/// Stdout cannot be written to.
pub fn completion(command: &Completion, mut stdout: impl Write) -> anyhow::Result<()> {
    let script = script(command.shell);
    let written = stdout.write_all(&script).and_then(|()| stdout.flush());
    written.context("write to stdout")
}

fn script(shell: Shell) -> Vec<u8> {
    let mut program = Cli::command();
    let mut script = Vec::new();
    match shell {
        Shell::Bash => {
            program = program.name(NAME_FOR_BASH);
            generate(shells::Bash, &mut program, NAME_FOR_BASH, &mut script);
            let script = String::from_utf8_lossy(&script);
            // Only the command gets the real name; functions keep the one without a
            // hyphen.
            script
                .replace(&format!(" {NAME_FOR_BASH}\n"), &format!(" {NAME}\n"))
                .into_bytes()
        }
        Shell::Zsh => {
            generate(shells::Zsh, &mut program, NAME, &mut script);
            script
        }
        Shell::Fish => {
            generate(shells::Fish, &mut program, NAME, &mut script);
            script
        }
    }
}
