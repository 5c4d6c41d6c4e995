//! Writes the man pages, from the same declaration as `--help`: `cargo run --example
//! manual -- DIRECTORY` gives `DIRECTORY/*.8`. `make manual` calls it; packages take them
//! along.

mod page;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use crio_credential_provider::cli::Cli;

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1);
    let directory = directory.unwrap_or_else(|| OsString::from("build/man"));
    let directory = Path::new(&directory);
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    for (file, text) in pages()? {
        let path = directory.join(file);
        write(&path, &text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build product, in no login's way"
)]
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    fs::write(path, text)
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
    let commands = program.get_subcommands();
    for command in commands.filter(|command| command.get_name() != "help") {
        let title = format!("{name}-{}", command.get_name());
        let page = page::of_subcommand(&program, command, &title)?;
        pages.push((format!("{title}.8"), page));
    }
    Ok(pages)
}
