use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

fn page(name: &str) -> String {
    let pages = pages().unwrap();
    let found = pages.into_iter().find(|(file, _)| file == name);
    found.unwrap().1
}

#[test]
fn every_subcommand_has_a_page_with_its_flags() {
    for command in program().get_subcommands() {
        let name = command.get_name();
        if name == "help" {
            continue;
        }
        let page = page(&format!("crio-credential-provider-{name}.8"));
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long() else {
                continue;
            };
            let flag = flag.replace('-', r"\-");
            assert!(page.contains(&flag), "{name} lacks {flag}");
        }
    }
}

#[test]
fn every_page_has_the_sections_that_are_expected() {
    for (file, page) in pages().unwrap() {
        let sections: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .map(|name| name.trim_matches('"'))
            .collect();
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXIT STATUS",
            "ENVIRONMENT",
            "SEE ALSO",
        ] {
            assert!(sections.contains(&section), "{file}: {sections:?}");
        }
        assert!(!sections.contains(&"EXTRA"), "{file}");
        let unique: BTreeSet<_> = sections.iter().collect();
        assert_eq!(unique.len(), sections.len(), "{file}: {sections:?}");
        // Every page has at least the exit codes of success, failure and wrong usage.
        let status = page.split(".SH EXIT STATUS").nth(1).unwrap();
        let status = status.split(".SH ").next().unwrap();
        for code in ["0", "1", "2"] {
            assert!(
                status.contains(&format!("\\fB{code}\\fR")),
                "{file}: {status}"
            );
        }
    }
}

#[test]
fn each_page_shows_the_usage_and_the_program_lists_the_others() {
    let program = program();
    let name = program.get_name().to_owned();
    let commands = page::subcommands(&program).map(|command| {
        let title = format!("{name}-{}", command.get_name());
        (title, command.clone())
    });
    let mut commands: Vec<_> = commands.collect();
    let subcommands: Vec<_> = commands
        .iter()
        .map(|(title, _)| format!("{title}(8)"))
        .collect();
    commands.push((name, program));
    for (formatter, format) in formatters() {
        for (title, command) in &commands {
            let text = format(78, &page(&format!("{title}.8"))).unwrap();
            let usage = command.clone().render_usage().to_string();
            let usage: Vec<_> = usage.split_whitespace().skip(1).collect();
            let words: Vec<_> = text.split_whitespace().collect();
            let shows = words.windows(usage.len()).any(|words| words == usage);
            assert!(shows, "{formatter} {title}: {usage:?}");
        }
        let text = format(78, &page("crio-credential-provider.8")).unwrap();
        let listed = text.split("SUBCOMMANDS").nth(1).unwrap();
        let listed = listed.split("EXIT STATUS").next().unwrap();
        let listed: Vec<_> = listed
            .split_whitespace()
            .filter(|word| word.ends_with(')'))
            .collect();
        assert_eq!(listed, subcommands, "{formatter}");
    }
}

#[test]
fn text_is_not_justified() {
    for (formatter, format) in formatters() {
        let text = format(78, &page("crio-credential-provider.8")).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with(&" ".repeat(14)));
        for line in lines {
            assert!(!line.trim().contains("  "), "{formatter}: {line:?}");
        }
    }
}

#[test]
fn every_variable_is_on_the_page_of_the_program() {
    let page = page("crio-credential-provider.8");
    for argument in program().get_arguments() {
        if let Some(variable) = argument.get_env() {
            assert!(page.contains(&*variable.to_string_lossy()), "{variable:?}");
        }
    }
}

/// What a formatter prints, without bold and underlined text; nothing where it is not
/// installed.
fn formatted(program: &str, arguments: &[&str], page: &str) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(page.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{program}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Overstrikes: a character, a backspace, the character once more.
    let mut plain = String::new();
    for c in text.chars() {
        if c == '\u{8}' {
            plain.pop();
        } else {
            plain.push(c);
        }
    }
    Some(plain)
}

fn groff(width: u16, page: &str) -> Option<String> {
    let width = format!("-rLL={width}n");
    formatted("groff", &["-man", "-Tascii", "-P-c", "-ww", &width], page)
}

fn mandoc(width: u16, page: &str) -> Option<String> {
    let width = format!("width={width}");
    formatted("mandoc", &["-T", "ascii", "-O", &width], page)
}

/// Formats a page for a terminal with so many columns.
type Formatter = fn(u16, &str) -> Option<String>;

/// The formatters of this machine: groff, which every test machine has, and mandoc.
fn formatters() -> Vec<(&'static str, Formatter)> {
    let all: [(&str, Formatter); 2] = [("groff", groff), ("mandoc", mandoc)];
    let mut here = all.to_vec();
    here.retain(|(_, format)| format(80, "").is_some());
    if here.is_empty() {
        cannot_run();
    }
    here
}

/// As the tests of the program have it: what cannot run here fails in CI.
fn cannot_run() {
    let required = std::env::vars_os().any(|(name, _)| name == "REQUIRE_ALL_TESTS");
    assert!(!required, "groff is not installed");
    let test = std::thread::current();
    let test = test.name().unwrap_or_default();
    writeln!(std::io::stderr(), "skipped {test}: groff is not installed").unwrap_or_default();
}

/// Header and footer repeat and are laid out, not filled.
fn words(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.trim().lines().collect();
    let inside = &lines[1..lines.len() - 1];
    let words = inside.iter().flat_map(|line| line.split_whitespace());
    words.map(ToOwned::to_owned).collect()
}

#[test]
fn no_line_is_wider_than_a_terminal_and_none_ends_inside_a_word() {
    let formatters = formatters();
    for (file, page) in pages().unwrap() {
        for (formatter, format) in &formatters {
            let [narrow, wide] = [78, 1000].map(|width| format(width, &page).unwrap());
            for line in narrow.lines() {
                assert!(line.len() <= 80, "{formatter} {file}: {line:?}");
            }
            assert_eq!(words(&narrow), words(&wide), "{formatter} {file}");
        }
    }
}

#[test]
fn examples_come_out_as_they_are_typed() {
    let formatters = formatters();
    for command in program().get_subcommands() {
        let name = command.get_name();
        let help = command.get_after_help().map(ToString::to_string);
        let Some(examples) = help
            .as_deref()
            .and_then(|help| help.split_once("Examples:\n"))
        else {
            assert_eq!(name, "help");
            continue;
        };
        let examples = examples.1.split("\n\nExit codes").next().unwrap();
        let page = page(&format!("crio-credential-provider-{name}.8"));
        for (formatter, format) in &formatters {
            let text = format(78, &page).unwrap();
            let printed: Vec<_> = text.lines().map(str::trim).collect();
            for line in examples.lines() {
                assert!(
                    printed.contains(&line.trim()),
                    "{formatter} lacks {line:?}\n{text}"
                );
            }
        }
    }
}
