//! `resolve IMAGE...`: the registry and the pull sources of images in CRI-O, and the
//! entry and file that they come from.

pub(super) mod json;

use std::io::{self, IsTerminal, Write};

use registries_conf::{
    Candidate, Config as Registries, ImageName, PullSource, PullSources, Registry, UnknownKey,
    UnusableSource,
};

use tracing::warn;

use super::node_providers::{self, NodeProviders, Serving};
use super::output::{Cell, Printer, Style, finish};
use super::root::Root;
use crate::cli::{Output, Resolve};
use provider::deadline::{Deadline, Elapsed};
use provider::logins::{GlobalFiles, GlobalTexts};
use provider::settings::Settings;
use provider::sources::{Sources, every};

/// The most unknown keys that are named.
const MAX_KEYS: usize = 20;

/// An image with its pull sources.
struct Resolved<'a> {
    sources: Sources<'a>,
    /// The node's credential providers that serve its sources.
    providers: Vec<Serving>,
}

/// Prints the registry and the pull sources of each image.
///
/// # Errors
/// CRI-O would refuse registries.conf, or an image does not parse; nothing is printed
/// then. The deadline has passed.
pub fn resolve(
    settings: &Settings,
    deadline: Deadline,
    command: &Resolve,
    stdout: impl Write + IsTerminal,
) -> anyhow::Result<()> {
    let root = Root::new(command.root.directory.clone());
    let here = root.apply(settings.clone());
    let lookup = &here.registries;
    let registries = lookup.load_by_hand()?;
    let ignored = lookup.unknown_keys()?;
    warn_of_unknown_keys(&ignored);
    let images: Vec<ImageName> = command
        .images
        .iter()
        .map(|image| ImageName::parse(image))
        .collect::<Result<_, _>>()?;
    let is_on = settings.node_providers.is_on();
    let global_auth_files = is_on.then_some(&here.global_auth_files[..]);
    let texts = GlobalTexts::read(global_auth_files.unwrap_or_default(), &mut ());
    let files = &texts.decode(&mut ());
    let globals = GlobalFiles { files, deadline };
    let providers = NodeProviders::find(&settings.node_providers, &root, &globals);
    let resolve = |image| {
        let sources = Sources::of(image, &registries);
        let providers = providers.serving(&sources)?;
        Ok(Resolved { sources, providers })
    };
    let resolved: Result<Vec<_>, Elapsed> = images.iter().map(resolve).collect();
    let resolved = resolved?;
    let written = match command.output {
        Output::Text => text(&resolved, &registries, Printer::new(stdout)),
        Output::Json => json::print(&resolved, &registries, &ignored, stdout),
    };
    finish(written)
}

/// Logs the ignored keys, which belong to files, not to an image.
fn warn_of_unknown_keys(keys: &[UnknownKey]) {
    for UnknownKey { key, origin } in keys.iter().take(MAX_KEYS) {
        warn!("{origin}: CRI-O ignores the key {key:?}");
    }
    if let Some(more @ 1..) = keys.len().checked_sub(MAX_KEYS) {
        warn!("CRI-O ignores {more} more keys");
    }
}

fn text(
    resolved: &[Resolved<'_>],
    registries: &Registries,
    mut printer: Printer<impl Write>,
) -> io::Result<()> {
    for Resolved { sources, providers } in resolved {
        printer.line(0, &[Style::Heading.cell(sources.image.as_str())])?;
        print_pull(2, &sources.own, &mut printer)?;
        print_other_registries(sources, registries, &mut printer)?;
        print_candidates(sources, &mut printer)?;
        node_providers::print(2, providers, &mut printer)?;
    }
    Ok(())
}

/// Prints the other repositories that CRI-O may try.
fn print_candidates(sources: &Sources<'_>, printer: &mut Printer<impl Write>) -> io::Result<()> {
    for one in &sources.candidates {
        printer.line(2, &of_candidate(&one.candidate))?;
        print_pull(4, &one.pull, printer)?;
    }
    Ok(())
}

/// Prints the registry and the pull sources.
fn print_pull(
    indent: usize,
    pull: &PullSources<'_>,
    printer: &mut Printer<impl Write>,
) -> io::Result<()> {
    print_registry(indent, pull, printer)?;
    if pull.registry.is_some() {
        printer.table(indent, &table(pull))?;
    }
    Ok(())
}

/// The repository that a short name may mean, and the place of its alias.
pub(super) fn of_candidate(candidate: &Candidate) -> Vec<Cell> {
    let why = match &candidate.alias {
        Some(origin) => format!("(alias, {origin})"),
        None => "(unqualified-search-registries)".to_owned(),
    };
    vec![
        format!("as {:?} in a pod:", candidate.short_name).into(),
        Cell::from(candidate.name.as_str()),
        Style::Faint.cell(why),
    ]
}

/// Prints the registry that applies with its file and line, and the pulls that fail
/// because of it.
pub(super) fn print_registry(
    indent: usize,
    pull: &PullSources<'_>,
    printer: &mut Printer<impl Write>,
) -> io::Result<()> {
    let Some(registry) = pull.registry else {
        let none = "no registry matches: pulled as it is";
        return printer.line(indent, &[none.into()]);
    };
    let cells = [
        "registry".into(),
        Cell::from(&registry.prefix),
        Style::Faint.cell(format!("({})", registry.origin)),
    ];
    printer.line(indent, &cells)?;
    let Some(failing) = pull.failing() else {
        return Ok(());
    };
    let every = every(failing);
    let fails = format!("{every} of this image fails: CRI-O refuses the unusable sources below");
    printer.line(indent, &[Style::Bad.cell(fails)])
}

fn table(pull: &PullSources<'_>) -> Vec<Vec<Cell>> {
    let head = ["", "SOURCE", "KIND", "PULLS", ""];
    let mut rows = vec![head.map(|title| Style::Faint.cell(title)).to_vec()];
    for (number, source) in numbered(&pull.sources) {
        rows.push(vec![
            Cell::from(number.map_or_else(|| "-".to_owned(), |number| number.to_string())),
            Cell::from(source.name.as_str()),
            source.kind.as_str().into(),
            source.pull.as_str().into(),
            remark(source).unwrap_or_else(|| "".into()),
        ]);
    }
    for source in &pull.unusable {
        rows.push(vec![
            "-".into(),
            Cell::from(&source.location),
            source.kind.as_str().into(),
            source.pull.as_str().into(),
            unusable(source),
        ]);
    }
    rows
}

/// The sources with their numbers, in the order in which they are tried; blocked ones
/// have no number.
pub(super) fn numbered<'s, 'c>(
    sources: &'s [PullSource<'c>],
) -> impl Iterator<Item = (Option<usize>, &'s PullSource<'c>)> {
    let mut numbers = 1..;
    sources.iter().map(move |source| {
        let number = if source.is_blocked() {
            None
        } else {
            numbers.next()
        };
        (number, source)
    })
}

/// A remark about a source, if there is one.
pub(super) fn remark(source: &PullSource<'_>) -> Option<Cell> {
    match source.blocked_by {
        Some(by) => Some(Style::Bad.cell(format!("blocked by {} ({})", by.prefix, by.origin))),
        None => source.insecure.then(|| Style::Warning.cell("insecure")),
    }
}

/// Why a location does not give a pull source, and its place.
pub(super) fn unusable(source: &UnusableSource) -> Cell {
    Style::Bad.cell(format!("unusable ({}): {}", source.origin, source.error))
}

/// The registries that match the image too, and why they are not used.
fn other_registries<'r>(
    sources: &Sources<'_>,
    registries: &'r Registries,
) -> Vec<(&'r Registry, &'static str)> {
    let Some(winner) = sources.own.registry else {
        return Vec::new();
    };
    let matching = registries.matching_registries(sources.image.as_str());
    let why = |other: &Registry| {
        if other.prefix.len() < winner.prefix.len() {
            "its prefix is shorter"
        } else {
            "its prefix has the same length, and sorts later"
        }
    };
    let others = matching.into_iter().skip(1);
    others.map(|other| (other, why(other))).collect()
}

fn print_other_registries(
    sources: &Sources<'_>,
    registries: &Registries,
    printer: &mut Printer<impl Write>,
) -> io::Result<()> {
    let others = other_registries(sources, registries);
    if others.is_empty() {
        return Ok(());
    }
    let row = |(other, why): (&Registry, &str)| {
        vec![
            Cell::from(&other.prefix),
            Style::Faint.cell(format!("({})", other.origin)),
            why.into(),
        ]
    };
    let rows: Vec<_> = others.into_iter().map(row).collect();
    printer.line(2, &["registries that match too, and are not used:".into()])?;
    printer.table(4, &rows)
}
