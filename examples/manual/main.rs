//! Writes the man pages and the shell completions, from the same declaration as `--help`:
//! `cargo run --example manual -- DIRECTORY` gives `DIRECTORY/man` and
//! `DIRECTORY/completions`. `make manual` calls it; packages contain them.

mod page;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use crio_credential_provider::cli::{Cli, Completion, Shell};
use crio_credential_provider::commands::completion;

/// The files of the completion scripts, by the names that each shell looks for.
const COMPLETIONS: [(&str, Shell); 3] = [
    ("crio-credential-provider.bash", Shell::Bash),
    ("_crio-credential-provider", Shell::Zsh),
    ("crio-credential-provider.fish", Shell::Fish),
];

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    let directory = directory.unwrap_or_else(|| OsString::from("build"));
    let directory = Path::new(&directory);
    let man = directory.join("man");
    for (file, text) in pages()? {
        write(&man, &file, text.as_bytes())?;
    }
    let completions = directory.join("completions");
    for (file, shell) in COMPLETIONS {
        let mut script = Vec::new();
        completion(&Completion { shell }, &mut script)?;
        write(&completions, file, &script)?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "it writes build products, not auth files"
)]
fn write(directory: &Path, file: &str, text: &[u8]) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    let path = directory.join(file);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

fn program() -> Command {
    let mut program = Cli::command();
    program.build();
    program
}

/// A page for the program, and one for each subcommand, with their file names.
fn pages() -> Result<Vec<(String, String)>> {
    let program = program();
    let name = program.get_name().to_owned();
    let mut pages = vec![(format!("{name}.8"), page::of_program(&program)?)];
    for command in page::subcommands(&program) {
        let title = format!("{name}-{}", command.get_name());
        let page = page::of_subcommand(&program, command, &title)?;
        pages.push((format!("{title}.8"), page));
    }
    Ok(pages)
}
