//! A kubelet image credential provider plugin for CRI-O.
//!
//! A pod pulls `docker.io/library/nginx`; the node's registries.conf sends CRI-O
//! to a mirror that wants a login; the login sits in a Secret of the pod's
//! namespace. kubelet runs this program, which finds the mirrors, fetches the
//! Secrets with the pod's own token, and leaves a short-lived auth file for CRI-O.
//!
//! The way through, in reading order; each arrow is a type, each stage a room:
//!
//! ```text
//! stdin
//!   -> kubelet::Request             kubelet            what kubelet writes and reads
//!   -> ServiceAccount               service_account    token claims -> whose pod it is
//!   -> registries_conf::Config      (crate)            registries.conf and its drop-ins
//!   -> Sources                      sources            nothing but the image itself? answer
//!   -> SecretNames                 secret_names       which Secrets count, where they are named
//!   -> SecretDoc, one by one        cluster            the API server: found, verified, asked
//!   -> Selection                    credentials        one credential per pull source
//!   -> AuthFile                     auth_file          name, content, and the only writes
//!   -> kubelet::Response            kubelet
//! stdout
//! ```
//!
//! [`provider`] tells it as a story; the part from sources to the auth file's content
//! is in [`logins`], since `explain` tells it too. Beside the way: [`cli`] (flags to
//! [`cli::Config`]), [`commands`] (what one runs by hand), [`deadline`],
//! [`signals`], [`sandbox`], [`logging`], [`secret`] (what must not be seen) and
//! [`version`].

pub mod provider;
pub mod logins;
pub mod kubelet;
pub mod service_account;
pub mod sources;
pub mod secret_names;
pub mod cluster;
pub mod credentials;
pub mod auth_file;
pub mod cli;
pub mod commands;
pub mod deadline;
pub mod signals;
pub mod sandbox;
pub mod logging;
pub mod secret;
mod json;
mod dns;
pub mod version;

use std::env;
use std::io::{self, IsTerminal, Write, stdin, stdout};
use std::panic;
use std::process::{ExitCode, exit};

use anyhow::Context;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::cli::{Cli, Command, Config};
use crate::deadline::Deadline;

const FAILURE: u8 = 1;

/// The process: arguments, log, deadline, exit code. Everything else is
/// [`provider::run`] or one of [`commands`].
pub fn main() -> ExitCode {
    let cli = match cli::parse(env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout; a broken pipe there is nobody's loss.
            error.print().unwrap_or_default();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FAILURE));
        }
    };
    match cli.config().context("the working directory") {
        Ok(config) => {
            logging::start(config.log_level, config.log_format);
            report(guarded(&cli, &config))
        }
        Err(error) => report(Err(error)),
    }
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", one_line(&format!("{error:#}")));
            ExitCode::from(FAILURE)
        }
    }
}

/// Gives up what is not needed, and makes a panic a failure like others: one line,
/// and exit code 1.
#[expect(clippy::exit, reason = "there is no way back from a panic")]
fn guarded(cli: &Cli, config: &Config) -> anyhow::Result<()> {
    // The process holds tokens and passwords: no core file, no reading from outside.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap_or_default();
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        tracing::error!("internal error at {place}: please report it");
        exit(i32::from(FAILURE));
    }));
    // `check` enters it once it has seen the node's processes.
    if config.sandbox && !matches!(cli.command, Some(Command::Check(_))) {
        let written = match &cli.command {
            Some(Command::Config(command)) => commands::written_directory(command),
            _ => None,
        };
        sandbox::restrict_writes(written.as_ref().unwrap_or(&config.auth_dir));
    }
    let deadline = Deadline::new(config.timeout);
    deadline.enforce();
    run(cli, config, deadline)
}

fn run(cli: &Cli, config: &Config, deadline: Deadline) -> anyhow::Result<()> {
    if cli.version_json {
        return print_build_info().context("write to stdout");
    }
    match &cli.command {
        None if stdin().is_terminal() => anyhow::bail!(
            "stdin is a terminal: kubelet runs this program and writes a CredentialProviderRequest to its stdin; by hand, try \"resolve IMAGE\" or --help"
        ),
        None => provider::run(config, deadline, stdin(), stdout()),
        Some(Command::Resolve(command)) => commands::resolve(config, command, stdout()),
        Some(Command::Config(command)) => commands::config(config, command, stdout()),
        Some(Command::Explain(command)) => {
            commands::explain(config, deadline, command, stdin(), stdout())
        }
        Some(Command::Check(command)) => {
            commands::check(config, deadline, command, env::args_os(), stdout())
        }
    }
}

fn print_build_info() -> io::Result<()> {
    let mut stdout = stdout();
    serde_json::to_writer_pretty(&mut stdout, &version::build_info())?;
    writeln!(stdout)
}

/// Whatever went into a message, it is one line in the log and in the pod's event.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
