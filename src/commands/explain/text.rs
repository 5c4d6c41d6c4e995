//! The result as text.

use std::collections::BTreeSet;
use std::io::{self, Write};

use registries_conf::{PullFromMirror, PullSource, PullSources, SourceKind};

use super::findings::Remark;
use super::masked::masked;
use super::settings::GivenSetting;
use super::{Credentials, Explained, ExplainedImage};
use crate::commands::node_providers;
use crate::commands::output::{Cell, Printer, Style};
use crate::commands::resolve::{numbered, of_candidate, print_registry, remark, unusable};
use provider::excerpt::ShownKey;

/// Prints the result for each image, its verdict first, and then the remarks about all
/// images.
///
/// # Errors
/// The errors of the output, and an error after the deadline.
pub(super) fn print(explained: &Explained<'_>, mut printer: Printer<impl Write>) -> io::Result<()> {
    for (index, image) in explained.images.iter().enumerate() {
        if index > 0 {
            printer.line(0, &[])?;
        }
        let credentials = &image.credentials();
        let sections = Sections {
            explained,
            image,
            credentials,
        };
        sections.print(&mut printer)?;
    }
    let findings = explained.findings;
    print_remarks("skipped", &findings.skipped, explained, &mut printer)?;
    print_remarks(
        "probably mistakes",
        &findings.mistakes,
        explained,
        &mut printer,
    )?;
    print_unmatched(explained, &mut printer)?;
    print_settings(explained, &mut printer)
}

fn heading(title: &str, printer: &mut Printer<impl Write>) -> io::Result<()> {
    printer.line(0, &[])?;
    printer.line(0, &[Style::Heading.cell(title)])
}

/// The sections about one image.
struct Sections<'a> {
    explained: &'a Explained<'a>,
    image: &'a ExplainedImage<'a>,
    credentials: &'a Credentials<'a>,
}

impl Sections<'_> {
    fn print(&self, printer: &mut Printer<impl Write>) -> io::Result<()> {
        let sources = &self.image.logins.sources;
        let title = Style::Heading.cell(format!("{}:", sources.image));
        let verdict = &self.image.verdict;
        let verdict = verdict.outcome.style().cell(&verdict.text);
        printer.line(0, &[title, verdict])?;
        printer.line(2, &[self.explained.asked.whose().into()])?;
        print_registry(2, &sources.own, printer)?;
        self.print_sources(printer)?;
        if !self.image.providers.is_empty() {
            printer.line(0, &[])?;
            node_providers::print(0, &self.image.providers, printer)?;
        }
        self.print_auth_file(printer)?;
        heading("the response to kubelet", printer)?;
        let settings = self.explained.settings;
        let response = if self.image.is_owned(settings) {
            format!("an empty login for {}", sources.image)
        } else {
            "\"auth\": {}".to_owned()
        };
        let why = self.image.why_response(settings);
        printer.line(2, &[format!("{response}: {why}").into()])
    }

    fn print_sources(&self, printer: &mut Printer<impl Write>) -> io::Result<()> {
        let sources = &self.image.logins.sources;
        if !sources.own.sources.is_empty() || !sources.own.unusable.is_empty() {
            heading("pull sources", printer)?;
            self.print_each(&sources.own, printer)?;
        }
        if sources.no_login().is_some() {
            return Ok(());
        }
        for one in &sources.candidates {
            printer.line(0, &[])?;
            printer.line(0, &of_candidate(&one.candidate))?;
            print_registry(2, &one.pull, printer)?;
            self.print_each(&one.pull, printer)?;
        }
        Ok(())
    }

    fn print_each(
        &self,
        pull: &PullSources<'_>,
        printer: &mut Printer<impl Write>,
    ) -> io::Result<()> {
        for (number, source) in numbered(&pull.sources) {
            self.explained.in_time()?;
            printer.line(2, &of_source(number, source))?;
            if !source.is_blocked() {
                printer.table(5, &self.entries(source))?;
            }
        }
        for source in &pull.unusable {
            let location = Cell::from(&source.location);
            let way = way(source.kind, source.pull);
            printer.line(2, &["-".into(), location, way, unusable(source)])?;
        }
        Ok(())
    }

    /// The rows of a source: the entry that is used, then those that lose.
    fn entries(&self, source: &PullSource<'_>) -> Vec<Vec<Cell>> {
        let explained = self.explained;
        let chosen = self.credentials.get(&source.name).copied();
        let mut rows = Vec::new();
        match chosen {
            Some(candidate) => rows.push(vec![
                Style::Good.cell("used"),
                explained.shown(&candidate.origin).to_string().into(),
                key(&candidate.key),
                Cell::from(format!("user {:?}", candidate.credential.username_lossy())),
            ]),
            None if self.image.logins.sources.no_login().is_some() => {}
            None => rows.push(vec![Style::Warning.cell("no login")]),
        }
        let (losers, left_out) = explained.findings.losers(&source.name, chosen);
        for loser in losers {
            rows.push(vec![
                Style::Faint.cell("not used"),
                explained.shown(loser.origin).to_string().into(),
                key(loser.key),
                loser.why.into(),
            ]);
        }
        rows.extend(and_more(left_out, "not used"));
        rows
    }

    fn print_auth_file(&self, printer: &mut Printer<impl Write>) -> io::Result<()> {
        heading("auth file", printer)?;
        printer.line(2, &[self.image.auth_file.to_string_lossy().into()])?;
        if let Some(why) = self.image.why_no_file() {
            let none = format!("is not written, and removed if it exists: {why}");
            return printer.line(2, &[none.into()]);
        }
        let content = self.image.logins.content.as_deref();
        for line in content
            .map(|content| masked(content))
            .iter()
            .flat_map(|text| text.lines())
        {
            printer.line(2, &[line.into()])?;
        }
        Ok(())
    }
}

fn of_source(number: Option<usize>, source: &PullSource<'_>) -> Vec<Cell> {
    let mut cells = vec![
        Cell::from(number.map_or_else(|| "-".to_owned(), |number| format!("{number}."))),
        Cell::from(source.name.as_str()),
        way(source.kind, source.pull),
    ];
    cells.extend(remark(source));
    cells
}

fn way(kind: SourceKind, pull: PullFromMirror) -> Cell {
    Style::Faint.cell(format!("({}, {})", kind.as_str(), pull.as_str()))
}

fn key(key: &str) -> Cell {
    format!("key {:?}", ShownKey(key)).into()
}

/// A row with the number of those that are left out, if there are any.
fn and_more(left_out: usize, label: &str) -> Option<Vec<Cell>> {
    let more = format!("and {left_out} more");
    (left_out > 0).then(|| vec![Style::Faint.cell(label), more.into()])
}

fn print_remarks(
    title: &str,
    remarks: &BTreeSet<Remark>,
    explained: &Explained<'_>,
    printer: &mut Printer<impl Write>,
) -> io::Result<()> {
    if remarks.is_empty() {
        return Ok(());
    }
    heading(title, printer)?;
    let row = |Remark { origin, key, text }: &Remark| {
        let text = match key {
            Some(key) => format!("entry {:?}: {text}", ShownKey(key)),
            None => text.clone(),
        };
        let origin = explained.shown(origin).to_string();
        vec![Style::Warning.cell(origin), text.into()]
    };
    printer.table(2, &remarks.iter().map(row).collect::<Vec<_>>())
}

fn print_unmatched(explained: &Explained<'_>, printer: &mut Printer<impl Write>) -> io::Result<()> {
    let (unmatched, left_out) = explained.unmatched();
    if unmatched.is_empty() {
        return Ok(());
    }
    heading("matches no pull source", printer)?;
    let mut rows = Vec::new();
    for entry in unmatched {
        explained.in_time()?;
        let why = match (&entry.near, entry.why()) {
            (Some(near), Some(why)) => format!("nearly {}: {why}", near.source),
            (None | Some(_), why) => why.unwrap_or_default().into_owned(),
        };
        rows.push(vec![
            explained.shown(entry.origin).to_string().into(),
            key(entry.key),
            Style::Warning.cell(why),
        ]);
    }
    rows.extend(and_more(left_out, ""));
    printer.table(2, &rows)
}

fn print_settings(explained: &Explained<'_>, printer: &mut Printer<impl Write>) -> io::Result<()> {
    let given = GivenSetting::all(explained.settings);
    if given.is_empty() {
        return Ok(());
    }
    heading("settings", printer)?;
    let row = |setting: &GivenSetting| setting.cells().map(Cell::from).to_vec();
    printer.table(2, &given.iter().map(row).collect::<Vec<_>>())
}
