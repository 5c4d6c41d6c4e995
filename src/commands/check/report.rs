//! The findings of the checks, as text and as JSON.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io::{self, Write};
use std::iter;
use std::mem;

use clap::ValueEnum;
use provider::excerpt;
use serde::Serialize;

use crate::cli::CheckName;
use crate::commands::output::{Cell, Printer, Style, print_json};

/// The version of the JSON. Within a version, fields may be added and none is changed.
const VERSION: u32 = 1;
/// The document that has a section about each check, where packages install it.
const DOCUMENT: &str = "/usr/share/doc/crio-credential-provider/docs/checks.md";
/// The most names that a message lists.
const SHOWN: usize = 5;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    /// The check passed.
    Pass,
    /// It works, with a reservation, or could not be checked.
    Warn,
    /// Pulls that need a login will fail, or logins are not safe.
    Fail,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    name: CheckName,
    pub(super) status: Status,
    message: String,
    /// The remedy; `None` if there is nothing to do.
    remedy: Option<String>,
}

/// The findings of all checks. Each check that was not skipped has one.
#[derive(Debug)]
pub(super) struct Report {
    checks: Vec<Finding>,
    skipped: Vec<CheckName>,
}

#[derive(Serialize)]
struct Wire<'a> {
    version: u32,
    checks: Vec<WireCheck<'a>>,
    skipped: &'a [CheckName],
    summary: Summary,
}

#[derive(Serialize)]
struct WireCheck<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    documentation: String,
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) pass: usize,
    pub(super) warn: usize,
    pub(super) fail: usize,
}

impl Status {
    fn cell(self) -> Cell {
        match self {
            Self::Pass => Style::Good.cell("PASS"),
            Self::Warn => Style::Warning.cell("WARN"),
            Self::Fail => Style::Bad.cell("FAIL"),
        }
    }
}

impl Finding {
    /// The check passed.
    pub(super) fn pass(name: CheckName, message: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Pass,
            message: message.into(),
            remedy: None,
        }
    }

    /// It works, with a reservation, or could not be checked.
    pub(super) fn warn(
        name: CheckName,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Warn,
            remedy: Some(remedy.into()),
            ..Self::pass(name, message)
        }
    }

    /// It does not work.
    pub(super) fn fail(
        name: CheckName,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Fail,
            remedy: Some(remedy.into()),
            ..Self::pass(name, message)
        }
    }

    /// It was not checked; the remedy is what has to be given.
    pub(super) fn not_checked(name: CheckName, why: &str, remedy: impl Into<String>) -> Self {
        Self::warn(name, format!("not checked: {why}"), remedy)
    }

    /// It could not be read: a warning if that needs root, else a failure.
    pub(super) fn unreadable(
        name: CheckName,
        error: &(dyn StdError + 'static),
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        if is_denied(error) {
            Self::warn(name, message, "run it as root")
        } else {
            Self::fail(name, message, remedy)
        }
    }
}

/// Whether an error is, or comes from, a lack of permissions.
pub(super) fn is_denied(error: &(dyn StdError + 'static)) -> bool {
    let mut causes = iter::successors(Some(error), |&error| error.source());
    causes.any(|error| {
        let error = error.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    })
}

/// An error with all its causes, in one line.
pub(super) fn chain(error: &dyn StdError) -> String {
    let causes = iter::successors(Some(error), |&error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// The first items, and the number of the others.
pub(super) fn listed(items: impl IntoIterator<Item = impl Display>) -> String {
    excerpt::listed(SHOWN, items)
}

impl Report {
    /// A report without these checks, and without those that need them.
    pub(super) fn without(skipped: &[CheckName]) -> Self {
        let mut skipped = CheckName::with_dependants(skipped.to_vec());
        skipped.sort();
        skipped.dedup();
        Self {
            checks: Vec::new(),
            skipped,
        }
    }

    /// Whether a check is left out.
    pub(super) fn is_skipped(&self, name: CheckName) -> bool {
        self.skipped.contains(&name)
    }

    /// Adds the findings of a check.
    pub(super) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.checks.extend(findings);
    }

    /// Adds a finding with the reason for each check that could not be made, and sorts
    /// all findings.
    pub(super) fn complete(&mut self) {
        let skipped = &self.skipped;
        self.checks
            .retain(|finding| !skipped.contains(&finding.name));
        for &name in CheckName::value_variants() {
            let is_found = self.checks.iter().any(|finding| finding.name == name);
            if !is_found && !self.is_skipped(name) {
                self.checks.push(self.blocked(name));
            }
        }
        self.checks.sort_by_key(|finding| finding.name);
    }

    fn blocked(&self, name: CheckName) -> Finding {
        let passes = |need: &CheckName| {
            let mut checks = self.checks.iter();
            checks.all(|finding| finding.name != *need || finding.status == Status::Pass)
        };
        let needs = name.needs().iter();
        let needs = listed(needs.filter(|need| !passes(need)));
        Finding::not_checked(
            name,
            &format!("it builds on {needs}"),
            format!("see {needs}"),
        )
    }

    /// Changes the texts of all findings, such as the paths in them.
    pub(super) fn map_texts(&mut self, map: impl Fn(String) -> String) {
        for finding in &mut self.checks {
            finding.message = map(mem::take(&mut finding.message));
            finding.remedy = finding.remedy.take().map(&map);
        }
    }

    /// How many checks ended how.
    pub(super) fn summary(&self) -> Summary {
        let count = |status| {
            let checks = self.checks.iter();
            checks.filter(|finding| finding.status == status).count()
        };
        Summary {
            pass: count(Status::Pass),
            warn: count(Status::Warn),
            fail: count(Status::Fail),
        }
    }

    /// The findings, or only the problems.
    fn shown(&self, quiet: bool) -> impl Iterator<Item = &Finding> {
        let checks = self.checks.iter();
        checks.filter(move |finding| !quiet || finding.status != Status::Pass)
    }

    /// Prints one line per check with the remedy below it, and the summary; with `quiet`
    /// only the problems.
    ///
    /// # Errors
    /// The errors of the output.
    pub(super) fn print(&self, quiet: bool, mut printer: Printer<impl Write>) -> io::Result<()> {
        let names = self.shown(quiet).map(|finding| finding.name.to_string());
        let width = names.map(|name| name.len()).max().unwrap_or_default();
        for finding in self.shown(quiet) {
            let Finding {
                name,
                status,
                message,
                remedy,
            } = finding;
            let name = format!("{name:width$}");
            printer.line(0, &[status.cell(), name.into(), message.into()])?;
            if let Some(remedy) = remedy {
                let indent = "PASS ".len() + width + 1;
                printer.line(indent, &[Style::Faint.cell("->"), remedy.into()])?;
            }
        }
        if quiet {
            return Ok(());
        }
        let Summary { pass, warn, fail } = self.summary();
        let mut summary = format!("{pass} passed, {warn} warned, {fail} failed");
        if !self.skipped.is_empty() {
            summary = format!("{summary}, {} skipped", self.skipped.len());
        }
        let more = format!("({DOCUMENT} explains each)");
        printer.line(0, &[Style::Heading.cell(summary), Style::Faint.cell(more)])
    }

    /// `{"version": 1, "checks": [..], "skipped": [..], "summary": {..}}`.
    ///
    /// # Errors
    /// The errors of the output.
    pub(super) fn print_json(&self, quiet: bool, out: impl Write) -> io::Result<()> {
        let checks = self.shown(quiet).map(|finding| WireCheck {
            finding,
            documentation: documentation(finding.name),
        });
        let wire = Wire {
            version: VERSION,
            checks: checks.collect(),
            skipped: &self.skipped,
            summary: self.summary(),
        };
        print_json(out, &wire)
    }
}

/// The link to the section about a check. Its heading is the name, and the anchors of
/// headings have no dots.
fn documentation(name: CheckName) -> String {
    format!("{DOCUMENT}#{}", name.to_string().replace('.', ""))
}
