//! What the checks found, for people and for programs.

use std::error::Error as StdError;
use std::io::{self, Write};
use std::iter;
use std::mem;

use serde::Serialize;

use crate::commands::output::{Cell, Printer, Style, print_json};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    /// As it should be.
    Pass,
    /// Works, or could not be looked at; worth a look.
    Warn,
    /// Pulls that need a login will fail, or logins are not safe.
    Fail,
}

/// One check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    name: &'static str,
    pub(super) status: Status,
    message: String,
    /// What to do; `None` where nothing is to be done.
    remedy: Option<String>,
}

/// All checks in the order they are printed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    checks: Vec<Finding>,
}

#[derive(Serialize)]
struct Wire<'a> {
    checks: &'a [Finding],
    summary: Summary,
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
    /// It is as it should be.
    pub(super) fn pass(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Pass,
            message: message.into(),
            remedy: None,
        }
    }

    /// It works, or cannot be looked at.
    pub(super) fn warn(
        name: &'static str,
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
        name: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Fail,
            remedy: Some(remedy.into()),
            ..Self::pass(name, message)
        }
    }

    /// It could not be read: somebody else than root may not know, everybody else
    /// has to mend it.
    pub(super) fn unreadable(
        name: &'static str,
        denied: bool,
        message: impl Into<String>,
        remedy: &str,
    ) -> Self {
        if denied {
            Self::warn(name, message, "run it as root")
        } else {
            Self::fail(name, message, remedy)
        }
    }
}

/// An error with all its causes, in one line.
pub(super) fn chain(error: &dyn StdError) -> String {
    let causes = iter::successors(Some(error), |&error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

impl Report {
    /// Adds what one of the checks found.
    pub(super) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.checks.extend(findings);
    }

    /// Changes what is told, such as the paths in it.
    pub(super) fn retell(&mut self, told: impl Fn(String) -> String) {
        for finding in &mut self.checks {
            finding.message = told(mem::take(&mut finding.message));
            finding.remedy = finding.remedy.take().map(&told);
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

    /// One line a check, the remedy below it, and the summary.
    ///
    /// # Errors
    /// As the output says.
    pub(super) fn print(&self, mut printer: Printer<impl Write>) -> io::Result<()> {
        let names = self.checks.iter().map(|finding| finding.name.len());
        let width = names.max().unwrap_or_default();
        for finding in &self.checks {
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
        let Summary { pass, warn, fail } = self.summary();
        printer.line(
            0,
            &[Style::Heading.cell(format!("{pass} passed, {warn} warned, {fail} failed"))],
        )
    }

    /// `{"checks": [..], "summary": {..}}`.
    ///
    /// # Errors
    /// As the output says.
    pub(super) fn print_json(&self, out: impl Write) -> io::Result<()> {
        let wire = Wire {
            checks: &self.checks,
            summary: self.summary(),
        };
        print_json(out, &wire)
    }
}
