//! A kubelet image credential provider plugin for CRI-O.
//!
//! A pod pulls `docker.io/library/nginx`. The node's registries.conf sends CRI-O to a
//! mirror that needs a login, and the login is in a Secret of the pod's namespace.
//! kubelet runs this program, which finds the mirrors, reads the Secrets with the pod's
//! own token, and leaves a short-lived auth file for CRI-O.
//!
//! The plugin is the crate [`provider`], whose documentation lists its stages. This crate
//! is the program: [`cli`] is the command line, [`commands`] are the subcommands that an
//! administrator runs, and [`version`] is the build information.

pub mod cli;
pub mod commands;
pub mod version;

use std::env;
use std::io::{self, IsTerminal, Write, stdin, stdout};
use std::panic;
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use provider::deadline::Deadline;
use provider::logging::{Format, Level};
use provider::logins::node_providers;
use provider::settings::Settings;
use provider::{logging, sandbox, story};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use signal_hook::consts::{SIGABRT, SIGXFSZ};
use signal_hook::flag::{register, register_conditional_shutdown};

use crate::cli::{Action, Command, Invocation, UsageError};

const FAILURE: u8 = 1;
/// The time after which kubelet kills a provider (kubelet: `pluginExecTimeout`).
const KUBELETS_TIMEOUT: Duration = Duration::from_secs(60);
/// The most bytes of the error of a failed run; most have 300.
const MAX_MESSAGE: usize = 4096;

/// Runs the process: arguments, log, deadline and exit code. Everything else is in
/// [`provider::story::run`] or one of the [`commands`].
pub fn main() -> ExitCode {
    if node_providers::is_leader(env::args_os().next().as_deref()) {
        node_providers::lead(stdin());
        return ExitCode::SUCCESS;
    }
    match cli::parse(env::args_os()) {
        Ok(Invocation {
            mut settings,
            action,
        }) => {
            let log = logging::start(settings.log_level, settings.log_format);
            // In the sandbox the working directory of another process cannot be read.
            settings.ask_parent();
            for key in &settings.unknown_keys {
                tracing::warn!("{key}");
            }
            let result = guarded(&settings, &action);
            log.note_left_out();
            report(result)
        }
        Err(UsageError::Clap(error)) => {
            // Ignore a closed pipe: the help text has no reader then.
            let _ignored = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FAILURE))
        }
        Err(UsageError::Settings(error)) => {
            logging::start(Level::Info, Format::Text);
            report(Err(error.into()))
        }
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

/// Runs the action in the sandbox, without access that it does not need. A panic is a
/// failure like others: one line, and exit code 1.
#[expect(clippy::exit, reason = "there is no way back from a panic")]
fn guarded(settings: &Settings, action: &Action) -> anyhow::Result<()> {
    // The process holds tokens and passwords: no core file, no reading from outside. This
    // fails only for an invalid argument.
    let _ignored = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string);
        let place = place.unwrap_or_default();
        tracing::error!("internal error at {place}: please report it");
        exit(i32::from(FAILURE));
    }));
    // If memory cannot be allocated, std prints one line and aborts. Without this, such a
    // run would end by a signal, not with exit code 1.
    let always = Arc::new(AtomicBool::new(true));
    let _id = register_conditional_shutdown(SIGABRT, FAILURE.into(), always)
        .context("exit with 1 after an abort")?;
    // A write beyond a limit of file sizes then fails, as one to a full disk does. By
    // default its signal ends the process, and a temporary file is left.
    register(SIGXFSZ, Arc::default()).context("report a file size limit as an error")?;
    // The plugin enters the sandbox after it has opened its lock, and `check` after it
    // has read the node's processes.
    if settings.sandbox && !matches!(action, Action::Plugin | Action::Run(Command::Check(_))) {
        let written = match action {
            Action::Run(Command::Config(command)) => commands::written_directory(command),
            Action::Plugin | Action::VersionJson | Action::Run(_) => None,
        };
        sandbox::restrict_writes(&[written.as_ref().unwrap_or(&settings.auth_dir)]);
    }
    let deadline = Deadline::new(settings.timeout);
    let _enforced = deadline.enforce();
    run(settings, action, deadline)
}

fn run(settings: &Settings, action: &Action, deadline: Deadline) -> anyhow::Result<()> {
    match action {
        Action::VersionJson => print_build_info().context("write to stdout"),
        Action::Plugin if stdin().is_terminal() => anyhow::bail!(
            "stdin is a terminal: kubelet runs this program and writes a CredentialProviderRequest to its stdin; by hand, try \"resolve IMAGE\" or --help"
        ),
        Action::Plugin => {
            if settings.timeout > KUBELETS_TIMEOUT {
                let timeout = settings.timeout;
                tracing::warn!(
                    "--timeout {timeout:?} has no effect beyond 1m, when kubelet ends a provider"
                );
            }
            story::run(settings, deadline, stdin(), stdout())
        }
        Action::Run(command) => match command {
            Command::Resolve(command) => commands::resolve(settings, deadline, command, stdout()),
            Command::Config(command) => commands::config(settings, command, stdout()),
            Command::Explain(command) => {
                commands::explain(settings, deadline, command, stdin(), stdout())
            }
            Command::Check(command) => {
                commands::check(settings, deadline, command, env::args_os(), stdout())
            }
            Command::Completion(command) => commands::completion(command, stdout()),
        },
    }
}

fn print_build_info() -> io::Result<()> {
    let mut stdout = stdout();
    serde_json::to_writer_pretty(&mut stdout, &version::build_info())?;
    writeln!(stdout)
}

/// A message as one line of bounded length: it may contain text from tenants and servers.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if line.len() > MAX_MESSAGE {
            line.push_str("...");
            break;
        }
        // Controls of bidirectional text reorder the text around them.
        let is_bidi = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        line.push(if c.is_control() || is_bidi { ' ' } else { c });
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_bounded_length_without_controls() {
        assert_eq!(
            one_line("read \"a\": it is \u{e9}"),
            "read \"a\": it is \u{e9}"
        );
        assert_eq!(
            one_line("a\nb\u{1b}[2J\u{9b}c\u{202e}d\u{2066}e\u{200f}f\u{7f}"),
            "a b [2J c d e f "
        );
        let long = one_line(&"\u{e9}".repeat(MAX_MESSAGE));
        assert!(long.ends_with("..."), "{long}");
        assert!(long.len() < MAX_MESSAGE + 10, "{}", long.len());
    }
}
