//! The `--help` of a subcommand: its own flags first, then its examples, and the plugin's
//! flags, which every subcommand takes, at the end.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory};

use super::Cli;
use super::options::HEADING;

const HEADING_OF_USAGE: &str = "Usage: ";

/// The width for which the usage is wrapped; clap wraps everything else.
const USAGE_COLUMNS: usize = 80;

/// Replaces clap's help text, for the same arguments.
pub(super) fn arranged(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    if error.kind() != ErrorKind::DisplayHelp {
        return error;
    }
    match command(None).try_get_matches_from(arguments) {
        Err(arranged) => arranged,
        Ok(_) => error,
    }
}

/// The command line for help texts, with lines of `columns` or of the terminal's width.
/// Its subcommands hide the plugin's flags and list them after everything else.
pub(super) fn command(columns: Option<usize>) -> Command {
    let mut program = Cli::command();
    if let Some(columns) = columns {
        program = program.term_width(columns);
    }
    // Adds the plugin's flags to the subcommands.
    program.build();
    let flags = plugin_flags(&program, columns);
    program.mut_subcommands(|mut subcommand| {
        let usage = folded(&subcommand.render_usage().to_string());
        let own = subcommand.get_after_help().map(ToString::to_string);
        let own = own.unwrap_or_default();
        subcommand
            .mut_args(|argument| {
                let hidden = argument.get_help_heading() == Some(HEADING);
                argument.hide(hidden)
            })
            .override_usage(usage)
            .after_help(format!("{own}\n\n{flags}"))
    })
}

/// The plugin's flags with their heading, as clap prints them.
fn plugin_flags(program: &Command, columns: Option<usize>) -> String {
    let flags = program
        .get_arguments()
        .filter(|argument| argument.get_help_heading() == Some(HEADING));
    let mut block = Command::new("plugin")
        .disable_help_flag(true)
        .help_template("{all-args}")
        .args(flags.cloned());
    if let Some(columns) = columns {
        block = block.term_width(columns);
    }
    block.render_help().to_string().trim_end().to_owned()
}

/// A usage without its heading, in lines that clap does not wrap.
fn folded(usage: &str) -> String {
    let indent = " ".repeat(HEADING_OF_USAGE.len());
    let usage = usage.strip_prefix(HEADING_OF_USAGE).unwrap_or(usage);
    let mut folded = String::new();
    let mut column = indent.len();
    for word in usage.split(' ') {
        if column + word.len() >= USAGE_COLUMNS {
            folded.push('\n');
            folded.push_str(&indent);
            column = indent.len();
        } else if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
        column += word.len() + 1;
    }
    folded
}
