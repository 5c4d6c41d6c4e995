//! `completion SHELL`: the shells accept the scripts, and bash completes with its script.

use std::process::Command;

use clap::CommandFactory;
use crio_credential_provider::cli::Cli;

use crate::support::{Node, Outcome};

const NAME: &str = "crio-credential-provider";

fn run(arguments: &[&str]) -> Outcome {
    Node::new().provider_without_cluster().run_with(arguments)
}

fn script(shell: &str) -> String {
    let outcome = run(&["completion", shell]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.stdout
}

/// The completions that bash offers for the last of these words, which follow the
/// program's name.
fn completed(script: &str, words: &[&str]) -> Vec<String> {
    // This is what bash does when the tab key is pressed.
    let completing = r#"
        eval "$SCRIPT"
        name=$1
        function=$(complete -p "$name" | sed 's/.* -F \([^ ]*\) .*/\1/')
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "$function" "$name" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--norc", "-c", completing, "bash", NAME])
        .args(words)
        .env("SCRIPT", script)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{words:?}: {output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let offered = stdout.lines().filter(|line| !line.is_empty());
    offered.map(ToOwned::to_owned).collect()
}

#[test]
fn bash_completes_subcommands_and_their_values() {
    let script = script("bash");
    for (words, expected) in [
        (&["res"][..], &["resolve"][..]),
        (&["--log-lev"], &["--log-level"]),
        (&["--log-level", "de"], &["debug"]),
        (&["resolve", "--out"], &["--output"]),
        (&["resolve", "-o", ""], &["text", "json"]),
        (&["config", "--output", "y"], &["yaml"]),
        (
            &["explain", "nginx", "-n", "team-a", "--secrets-"],
            &["--secrets-annotation"],
        ),
        (&["check", "--log-format", "j"], &["json"]),
        (&["completion", ""], &["bash", "zsh", "fish"]),
        (&["completion", "z"], &["zsh"]),
    ] {
        let mut offered = completed(&script, words);
        offered.retain(|word| !word.starts_with('-') || expected.contains(&word.as_str()));
        assert_eq!(offered, expected, "{words:?}");
    }
}

#[test]
fn bash_completes_every_flag_after_its_subcommand() {
    let script = script("bash");
    let mut program = Cli::command();
    program.build();
    for command in program
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        let offered = completed(&script, &[command.get_name(), "--"]);
        let flags = command
            .get_arguments()
            .filter_map(|argument| argument.get_long());
        for flag in flags {
            let flag = format!("--{flag}");
            assert!(
                offered.contains(&flag),
                "{} {flag}: {offered:?}",
                command.get_name()
            );
        }
    }
}

#[test]
fn every_shell_gets_every_subcommand() {
    for shell in ["bash", "zsh", "fish"] {
        let script = script(shell);
        for command in Cli::command().get_subcommands() {
            assert!(
                script.contains(command.get_name()),
                "{shell}: {}",
                command.get_name()
            );
        }
        // A shell that is installed accepts the syntax of its script.
        let checked = Command::new(shell).args(["-n", "-c", &script]).output();
        if let Ok(checked) = checked {
            assert!(checked.status.success(), "{shell}: {checked:?}");
        }
    }
}

#[test]
fn another_shell_is_wrong_usage() {
    assert_eq!(run(&["completion", "csh"]).code, Some(2));
    assert_eq!(run(&["completion"]).code, Some(2));
}
