//! One man page: the sections that clap's generator makes, with our own sections in place
//! of its section EXTRA.

use std::fmt::Write as _;

use anyhow::Result;
use clap::{Arg, Command};
use clap_mangen::Man;
use provider::settings::ALL;

/// The longest default that fits on the line of its flag.
const LONGEST_DEFAULT: usize = 34;

/// Environment variables that other programs use too.
const VARIABLES: [(&str, &str); 3] = [
    (
        "HTTPS_PROXY, NO_PROXY",
        "The proxy to the API server, and the hosts that are reached without it, as for kubectl.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "The system's CA certificates.",
    ),
    ("NO_COLOR", "If it is set, subcommands print no colours."),
];

/// The files that the program reads and writes.
const FILES: [(&str, &str); 4] = [
    (
        "/etc/crio/credential-provider.toml",
        "Settings, each under the name of its flag.",
    ),
    (
        "/etc/containers/registries.conf, /etc/containers/registries.conf.d/",
        "The mirrors, as CRI-O reads them: containers-registries.conf(5).",
    ),
    (
        "/etc/crio/auth/NAMESPACE-SHA256.json",
        "The auth file of one image in one namespace: containers-auth.json(5). CRI-O deletes it after the pull.",
    ),
    (
        "/var/lib/kubelet/config.json",
        "The node's own logins, which are carried over.",
    ),
];

const SEE_ALSO: &str = "crio(8), crio.conf(5), containers-registries.conf(5), containers-auth.json(5), \
\"Configure a kubelet image credential provider\" at https://kubernetes.io/docs/";

/// The page of the program itself.
pub(crate) fn of_program(program: &Command) -> Result<String> {
    let own = program.clone().mut_args(with_short_default);
    let help = Help::of(&own);
    let mut page = Page::of(own, &usage(program), program.get_name(), &help)?;
    page.section("ENVIRONMENT");
    for setting in ALL {
        page.item(
            setting.variable,
            &format!("The same as --{}.", setting.name),
        );
    }
    for (name, text) in VARIABLES {
        page.item(name, text);
    }
    page.section("FILES");
    for (name, text) in FILES {
        page.item(name, text);
    }
    page.section("SEE ALSO");
    page.paragraph(SEE_ALSO);
    Ok(page.text)
}

/// The page of a subcommand. The plugin's flags are on the page of the program.
pub(crate) fn of_subcommand(program: &Command, command: &Command, title: &str) -> Result<String> {
    let of_plugin = |argument: &Arg| ALL.iter().any(|setting| argument.get_id() == setting.name);
    let own = command.clone().mut_args(|argument| {
        let hidden = of_plugin(&argument);
        with_short_default(argument.hide(hidden))
    });
    let help = Help::of(&own);
    let mut page = Page::of(own, &usage(command), title, &help)?;
    let name = program.get_name();
    page.section("OPTIONS OF THE PLUGIN");
    let flags: Vec<_> = ALL
        .iter()
        .map(|setting| format!("--{}", setting.name))
        .collect();
    page.paragraph(&format!(
        "Also accepted, and described in {name}(8): {}.",
        flags.join(", ")
    ));
    page.section("ENVIRONMENT");
    page.paragraph(&format!(
        "One variable for each option of the plugin, and those for proxies and certificates: see {name}(8)."
    ));
    page.section("SEE ALSO");
    page.paragraph(&format!("{name}(8)"));
    Ok(page.text)
}

/// The usage of a command, as in `--help`. It must be made before flags are hidden.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.replacen("Usage: ", "", 1)
}

/// The subcommands that have a page; clap's own `help` has none.
pub(crate) fn subcommands(program: &Command) -> impl Iterator<Item = &Command> {
    let all = program.get_subcommands();
    all.filter(|command| command.get_name() != "help")
}

/// Moves a long default from the line of the flag into its text.
fn with_short_default(argument: Arg) -> Arg {
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    let defaults = defaults.join(", ");
    if defaults.len() <= LONGEST_DEFAULT {
        return argument;
    }
    let help = argument.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    argument
        .hide_default_value(true)
        .help(format!("{help}. Default: {defaults}"))
}

/// The text below the flags in `--help`, split into sections.
#[derive(Debug, Default)]
struct Help {
    prose: Vec<String>,
    /// The examples as typed, line by line.
    examples: String,
    /// Each exit code, and what it means.
    codes: Vec<(String, String)>,
}

impl Help {
    fn of(command: &Command) -> Self {
        let text = command.get_after_help().map(ToString::to_string);
        let mut help = Self::default();
        for paragraph in text.unwrap_or_default().split("\n\n") {
            if let Some(codes) = paragraph.strip_prefix("Exit codes: ") {
                help.codes = codes
                    .trim_end_matches('.')
                    .split("; ")
                    .filter_map(|code| code.split_once(' '))
                    .map(|(code, meaning)| (code.to_owned(), format!("{meaning}.")))
                    .collect();
            } else if let Some(first) = paragraph.strip_prefix("Examples:") {
                first.clone_into(&mut help.examples);
            } else if help.examples.is_empty() {
                help.prose.push(paragraph.to_owned());
            } else {
                help.examples.push_str("\n\n");
                help.examples.push_str(paragraph);
            }
        }
        help
    }
}

/// The roff of a page.
struct Page {
    text: String,
}

impl Page {
    /// Writes the parts that come from the declaration of a command.
    fn of(command: Command, usage: &str, title: &str, help: &Help) -> Result<Self> {
        let version = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
        let subcommands = subcommands(&command).map(|subcommand| {
            let about = subcommand.get_about().map(ToString::to_string);
            (subcommand.get_name().to_owned(), about.unwrap_or_default())
        });
        let subcommands: Vec<_> = subcommands.collect();
        let man = Man::new(command);
        // The title of a subcommand takes the whole width of the header. Lines are broken
        // only between words, and not justified: groff 1.23 reads the string AD in each
        // paragraph; other formatters only have the request.
        let head = format!(".TH \"{title}\" 8 \"\" \"{version}\" \"\\&\"\n.nh\n.ds AD l\n.ad l\n");
        let mut bytes = head.into_bytes();
        man.render_name_section(&mut bytes)?;
        let mut page = Self {
            text: String::from_utf8(bytes)?,
        };
        page.section("SYNOPSIS");
        for line in usage.lines() {
            page.line(".br");
            page.paragraph(line.trim());
        }
        let mut bytes = Vec::new();
        man.render_description_section(&mut bytes)?;
        page.text.push_str(&String::from_utf8(bytes)?);
        for paragraph in &help.prose {
            page.text.push_str(".PP\n");
            page.paragraph(paragraph);
        }
        let mut bytes = Vec::new();
        man.render_options_section(&mut bytes)?;
        page.text.push_str(&String::from_utf8(bytes)?);
        if !subcommands.is_empty() {
            page.section("SUBCOMMANDS");
        }
        for (name, about) in subcommands {
            page.item(&format!("{title}-{name}(8)"), &about);
        }
        if !help.examples.is_empty() {
            page.section("EXAMPLES");
            page.unfilled(&help.examples.replace("\n  ", "\n"));
        }
        page.section("EXIT STATUS");
        for (code, meaning) in &help.codes {
            page.item(code, meaning);
        }
        Ok(page)
    }

    fn section(&mut self, name: &str) {
        self.line(&format!(".SH {name}"));
    }

    fn item(&mut self, name: &str, text: &str) {
        self.line(".TP");
        self.line(&format!("\\fB{}\\fR", escaped(name)));
        self.paragraph(text);
    }

    fn paragraph(&mut self, text: &str) {
        for line in text.lines() {
            self.line(&escaped(line));
        }
    }

    /// Writes lines without filling.
    fn unfilled(&mut self, text: &str) {
        self.line(".nf");
        self.paragraph(text.trim_start());
        self.line(".fi");
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").unwrap_or_default();
    }
}

/// A line of text, escaped so that roff reads no request or escape in it.
fn escaped(line: &str) -> String {
    let text = line
        .replace('\\', r"\e")
        .replace('-', r"\-")
        .replace('\'', r"\(aq")
        .replace('`', r"\(ga")
        .replace('^', r"\(ha")
        .replace('~', r"\(ti");
    if text.starts_with('.') {
        format!(r"\&{text}")
    } else {
        text
    }
}
