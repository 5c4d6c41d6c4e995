//! Writes the man pages and the shell completions, from the same declaration as
//! `--help`: `cargo run --example manual -- DIRECTORY` gives `DIRECTORY/man/*.8` and
//! `DIRECTORY/completions/`. `make manual` calls it; packages take them along.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use crio_credential_provider::cli::Cli;

/// Where the program keeps and finds things; for the page of the program itself.
const FILES: &str = r"
.SH FILES
.TP
\fI/etc/containers/registries.conf\fR, \fI/etc/containers/registries.conf.d/\fR
The mirrors, as CRI\-O reads them: containers\-registries.conf(5).
.TP
\fI/etc/crio/auth/\fR\fINAMESPACE\fR\-\fISHA256\fR\fI.json\fR
The auth file of one image in one namespace: containers\-auth.json(5). CRI\-O deletes it after the pull.
.TP
\fI/var/lib/kubelet/config.json\fR
The node's own logins, which are carried over.
";
const SEE_ALSO: &str = r"
.SH SEE ALSO
crio(8), crio.conf(5), containers\-registries.conf(5), containers\-auth.json(5),
.UR https://kubernetes.io/docs/tasks/administer\-cluster/kubelet\-credential\-provider/
Configure a kubelet image credential provider
.UE
";

fn main() -> Result<()> {
    let directory = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| OsString::from("build"));
    let directory = Path::new(&directory);
    man_pages(&directory.join("man")).context("man pages")?;
    completions(&directory.join("completions")).context("completions")
}

fn program() -> Command {
    let mut program = Cli::command();
    program.build();
    program
}

/// A page for the program, and one for each subcommand.
fn man_pages(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let program = program();
    let name = program.get_name().to_owned();
    let mut page = File::create(directory.join(format!("{name}.8")))?;
    man(program.clone()).render(&mut page)?;
    page.write_all(FILES.as_bytes())?;
    page.write_all(SEE_ALSO.as_bytes())?;
    for command in program
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        let file = format!("{name}-{}.8", command.get_name());
        let title = format!("{name}-{}", command.get_name());
        let mut page = File::create(directory.join(file))?;
        man(command.clone()).title(title).render(&mut page)?;
        write!(page, "\n.SH SEE ALSO\n{}(8)\n", name.replace('-', r"\-"))?;
    }
    Ok(())
}

fn man(command: Command) -> Man {
    Man::new(command).section("8").source(concat!(
        env!("CARGO_PKG_NAME"),
        " ",
        env!("CARGO_PKG_VERSION")
    ))
}

fn completions(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut program = program();
    let name = program.get_name().to_owned();
    for (shell, file) in [
        (Shell::Bash, format!("{name}.bash")),
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ] {
        clap_complete::generate(
            shell,
            &mut program,
            &name,
            &mut File::create(directory.join(file))?,
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "reads what it wrote itself")]

    use super::*;

    fn written(write: impl FnOnce(&Path) -> io::Result<()>) -> Vec<(String, String)> {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let mut files: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    #[test]
    fn every_subcommand_has_a_page_with_its_flags() {
        let pages = written(man_pages);
        for command in program().get_subcommands() {
            let name = command.get_name();
            if name == "help" {
                continue;
            }
            let file = format!("crio-credential-provider-{name}.8");
            let (_, page) = pages.iter().find(|(name, _)| *name == file).unwrap();
            for flag in command
                .get_arguments()
                .filter_map(|argument| argument.get_long())
            {
                let flag = flag.replace('-', r"\-");
                assert!(page.contains(&flag), "{file} lacks {flag}");
            }
        }
        let (_, main) = &pages
            .iter()
            .find(|(name, _)| name == "crio-credential-provider.8")
            .unwrap();
        assert!(
            main.contains("registries\\-conf") && main.contains(".SH FILES"),
            "{main}"
        );
    }

    #[test]
    fn every_shell_completes_every_subcommand() {
        let files = written(completions);
        assert_eq!(files.len(), 3);
        for (file, text) in files {
            for command in program().get_subcommands() {
                assert!(
                    text.contains(command.get_name()),
                    "{file} lacks {}",
                    command.get_name()
                );
            }
        }
    }
}
