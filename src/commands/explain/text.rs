//! The result for people.

use std::io::{self, Write};

use registries_conf::{PullFromMirror, PullSource, PullSources, SourceKind};

use super::Explained;
use super::masked::masked;
use crate::commands::output::{Cell, Printer, Style};
use crate::commands::resolve::{numbered, of_candidate, print_registry, remark, unusable};
use provider::kubelet::Response;
use provider::logins::Logins;
use provider::logins::{Candidate, Origin};
use provider::settings::Settings;

/// Prints the pull sources with their entries, what is not used, the auth file and the
/// response to kubelet.
pub(super) fn print(
    explained: &Explained<'_>,
    config: &Settings,
    mut printer: Printer<impl Write>,
) -> io::Result<()> {
    let logins = &explained.logins;
    let title = Style::Heading.cell(logins.sources.image.as_str());
    let namespace = format!("for namespace {}", explained.namespace);
    printer.line(0, &[title, namespace.into()])?;
    print_registry(2, &logins.sources.own, &mut printer)?;
    print_sources(explained, &mut printer)?;
    print_unused(explained, &mut printer)?;
    print_auth_file(explained, &mut printer)?;
    heading("what kubelet is told", &mut printer)?;
    printer.line(2, &[answer(logins, config).into()])
}

fn heading(title: &str, printer: &mut Printer<impl Write>) -> io::Result<()> {
    printer.line(0, &[])?;
    printer.line(0, &[Style::Heading.cell(title)])
}

fn print_sources(explained: &Explained<'_>, printer: &mut Printer<impl Write>) -> io::Result<()> {
    let sources = &explained.logins.sources;
    if sources.own.registry.is_some() {
        heading("pull sources", printer)?;
        print_each(explained, &sources.own, printer)?;
    }
    if sources.no_login().is_some() {
        return Ok(());
    }
    for one in &sources.candidates {
        printer.line(0, &[])?;
        printer.line(0, &of_candidate(&one.candidate))?;
        print_registry(2, &one.pull, printer)?;
        print_each(explained, &one.pull, printer)?;
    }
    Ok(())
}

fn print_each(
    explained: &Explained<'_>,
    pull: &PullSources<'_>,
    printer: &mut Printer<impl Write>,
) -> io::Result<()> {
    for (number, source) in numbered(&pull.sources) {
        printer.line(2, &of_source(number, source))?;
        if source.is_blocked() {
            continue;
        }
        let chosen = explained.chosen(source);
        printer.table(5, &entries(explained, source, chosen))?;
    }
    for source in &pull.unusable {
        let cells = [
            "-".into(),
            Cell::from(&source.location),
            way(source.kind, source.pull),
        ];
        printer.line(2, &[&cells[..], &[unusable(source)]].concat())?;
    }
    Ok(())
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

/// The entry that is used, then those that lose.
fn entries(
    explained: &Explained<'_>,
    source: &PullSource<'_>,
    chosen: Option<&Candidate>,
) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    match chosen {
        Some(candidate) => rows.push(vec![
            Style::Good.cell("used"),
            Cell::from(candidate.origin.to_string()),
            Cell::from(format!("key {:?}", candidate.key)),
            Cell::from(format!("user {:?}", candidate.credential.username_lossy())),
        ]),
        None if explained.logins.sources.no_login().is_some() => {}
        None => rows.push(vec![Style::Warning.cell("no login")]),
    }
    for loser in explained.findings.losers(&source.name, chosen) {
        rows.push(vec![
            Style::Faint.cell("not used"),
            Cell::from(loser.origin.to_string()),
            Cell::from(format!("key {:?}", loser.key)),
            Cell::from(loser.why),
        ]);
    }
    rows
}

fn print_unused(explained: &Explained<'_>, printer: &mut Printer<impl Write>) -> io::Result<()> {
    let skipped = &explained.findings.skipped;
    if !skipped.is_empty() {
        heading("skipped", printer)?;
        let row = |(origin, reason): &(String, String)| {
            vec![Style::Warning.cell(origin), Cell::from(reason)]
        };
        let rows: Vec<_> = skipped.iter().map(row).collect();
        printer.table(2, &rows)?;
    }
    let unmatched = &explained.findings.unmatched;
    if !unmatched.is_empty() {
        heading("matches no pull source", printer)?;
        let row = |(origin, key): &(Origin, String)| {
            vec![
                Cell::from(origin.to_string()),
                Cell::from(format!("key {key:?}")),
            ]
        };
        let rows: Vec<_> = unmatched.iter().map(row).collect();
        printer.table(2, &rows)?;
    }
    Ok(())
}

fn print_auth_file(explained: &Explained<'_>, printer: &mut Printer<impl Write>) -> io::Result<()> {
    heading("auth file", printer)?;
    let path = explained.auth_file.to_string_lossy();
    printer.line(2, &[path.into()])?;
    let logins = &explained.logins;
    let Some(content) = &logins.content else {
        let why = logins.sources.no_login().map_or_else(
            || "no login matches a pull source".to_owned(),
            |why| why.to_string(),
        );
        let none = format!("is not written, and removed if it is there: {why}");
        return printer.line(2, &[none.into()]);
    };
    for line in masked(content).lines() {
        printer.line(2, &[line.into()])?;
    }
    Ok(())
}

fn answer(logins: &Logins<'_>, config: &Settings) -> String {
    let image = &logins.sources.image;
    if logins.response(config) != Response::empty() {
        return format!(
            "an empty login for {image}: a credential of the namespace is used, so other service accounts must prove that they may use the image"
        );
    }
    let why = if logins.content.is_none() {
        "there is no auth file"
    } else if logins.selection.has_pods() {
        "--no-empty-login is given, so all pods of the node may use the image"
    } else {
        "only the node's own logins are used, so all pods of the node may use the image"
    };
    format!("\"auth\": {{}}: {why}")
}
