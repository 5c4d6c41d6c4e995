//! README.md and docs/commands.md show the program's output: every command in a `console`
//! block is run on a node with the README's own registries.conf, and the output below it
//! must be the real one.

#![expect(clippy::disallowed_methods, reason = "lays out a node")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{NAMESPACE, ReadyNode};

const README: &str = include_str!("../../README.md");
/// The pages whose commands are run.
const PAGES: [&str; 2] = [README, include_str!("../../docs/commands.md")];
/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_crio-credential-provider");
const NAME: &str = "crio-credential-provider";
/// Stand-ins for programs of the cluster: a kubectl that prints Secrets, and an oc that
/// accepts any input.
const KUBECTL: &str = "#!/bin/sh\ncat \"$DATA/secrets.yaml\"\n";
const OC: &str = "#!/bin/sh\ncat >/dev/null\n";

/// A command as it is typed, and the output that the README shows below it.
#[derive(Debug, Default)]
struct Shown {
    command: String,
    output: String,
}

/// The blocks of a page in one language, without their indentation.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut lines = page.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim_start() != fence {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let inside = lines.by_ref().take_while(|line| line.trim() != "```");
        let mut block = String::new();
        for line in inside {
            block.push_str(line.get(indent..).unwrap_or_default());
            block.push('\n');
        }
        blocks.push(block);
    }
    blocks
}

/// The commands that run the program, with their output.
fn shown() -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for block in PAGES.iter().flat_map(|page| blocks(page, "console")) {
        let mut continued = false;
        let mut here: Vec<Shown> = Vec::new();
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                here.push(Shown::default());
                here.last_mut().unwrap().command.push_str(command);
                continued = command.ends_with(['|', '\\']);
            } else if let Some(last) = here.last_mut() {
                let to = if continued {
                    &mut last.command
                } else {
                    &mut last.output
                };
                if continued {
                    to.push('\n');
                }
                to.push_str(line);
                if continued {
                    continued = line.ends_with(['|', '\\']);
                } else {
                    to.push('\n');
                }
            }
        }
        all.extend(here);
    }
    all.retain(|shown| shown.command.split_whitespace().any(|word| word == NAME));
    all
}

/// The node of the README, with its paths below a directory.
fn node() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["etc/containers", "etc/kubernetes", "etc/crio/auth", "bin"] {
        fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    let registries = blocks(README, "toml").into_iter().next().unwrap();
    fs::write(
        root.path().join("etc/containers/registries.conf"),
        registries,
    )
    .unwrap();
    let bin = root.path().join("bin");
    symlink(PROGRAM, bin.join(NAME)).unwrap();
    for (name, script) in [("kubectl", KUBECTL), ("oc", OC)] {
        fs::write(bin.join(name), script).unwrap();
        fs::set_permissions(bin.join(name), Permissions::from_mode(0o755)).unwrap();
    }
    root
}

fn run(root: &Path, command: &str) -> (bool, String, String) {
    let at = |path: &str| root.join(path);
    let below = |subcommand| format!("{NAME} {subcommand} --root {} ", root.display());
    // The API server cannot be asked here, so the audience is given on the command line.
    let command = command
        .replace(" /etc/", &format!(" {}/etc/", root.display()))
        .replace(&format!("{NAME} resolve "), &below("resolve"))
        .replace(&format!("{NAME} explain "), &below("explain"))
        .replace(
            &format!("{NAME} config"),
            &format!("{NAME} config --audience https://issuer.example"),
        )
        .replace(" --audience AUDIENCE", "");
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", &command])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", at("bin").display()))
        .env(
            "DATA",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/readme"),
        );
    if command.contains(&format!("{NAME} config ")) {
        let registries = "CRIO_CREDENTIAL_PROVIDER_REGISTRIES_CONF";
        shell.env(registries, at("etc/containers/registries.conf"));
        shell.env(
            format!("{registries}_DIR"),
            at("etc/containers/registries.conf.d"),
        );
    }
    let output = shell.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let without_root = |text: String| text.replace(&root.display().to_string(), "");
    let stdout = without_root(text(output.stdout));
    (output.status.success(), stdout, text(output.stderr))
}

#[test]
fn the_commands_of_the_readme_print_the_output_that_it_shows() {
    let root = node();
    let commands = shown();
    let needs_a_cluster = format!("{NAME} check");
    for Shown { command, output } in &commands {
        if command.starts_with(&needs_a_cluster) {
            continue;
        }
        let (success, stdout, stderr) = run(root.path(), command);
        assert!(success, "{command}\n{stderr}");
        if !output.is_empty() {
            assert_eq!(&stdout, output, "{command}\n{stderr}");
        }
    }
    for subcommand in ["resolve", "explain", "config"] {
        let named = format!("{NAME} {subcommand}");
        assert!(
            commands.iter().any(|shown| shown.command.contains(&named)),
            "the README does not show {subcommand}"
        );
    }
}

#[test]
fn check_prints_the_output_that_the_documents_show() {
    let ready = ReadyNode::new();
    let mirrors = "[[registry]]\nlocation = \"quay.io\"\n[[registry.mirror]]\nlocation = \"mirror.example.com/quay\"\n";
    let registries = format!(
        "{}{mirrors}",
        blocks(README, "toml").into_iter().next().unwrap()
    );
    ready.write("/etc/containers/registries.conf", registries);
    ready.write(
        "/root/token",
        ready.cluster.server.token(NAMESPACE, "other"),
    );
    let token = ready.node.path("root/token");

    let outcome = ready.check(&["--quiet", "--token-file", token.to_str().unwrap()]);

    let shown = shown();
    let check = format!("{NAME} check --quiet --root");
    let shown = shown.iter().find(|shown| shown.command.starts_with(&check));
    assert_eq!(outcome.stdout, shown.unwrap().output, "{outcome}");
    assert_eq!(outcome.code, Some(1), "{outcome}");
}
