//! `resolve IMAGE...`: the registry and the pull sources of images, as CRI-O
//! will see them.

use std::io::{self, Write};

use anyhow::Context;
use registries_conf::{Config as Registries, ImageName, PullSource, Registry, SourceKind};
use serde::Serialize;

use crate::cli::{Config, Output, Resolve};
use crate::sources::Sources;

/// Prints what registries.conf makes of each image.
///
/// # Errors
/// A registries.conf that CRI-O would refuse, an image that does not parse; then
/// nothing is printed.
pub fn resolve(config: &Config, command: &Resolve, mut stdout: impl Write) -> anyhow::Result<()> {
    let registries = Registries::load(&config.registries)?;
    let images: Vec<ImageName> = command
        .images
        .iter()
        .map(|image| ImageName::parse(image).with_context(|| format!("image {image:?}")))
        .collect::<anyhow::Result<_>>()?;
    let resolved: Vec<Sources<'_>> = images
        .iter()
        .map(|image| Sources::of(image, &registries))
        .collect();
    for sources in &resolved {
        sources.warn_of_unusable();
    }
    let written = match command.output {
        Output::Text => resolved
            .iter()
            .try_for_each(|sources| text(sources, &mut stdout)),
        Output::Json => json(&resolved, &mut stdout),
    };
    written.context("write to stdout")
}

fn text(sources: &Sources<'_>, mut stdout: impl Write) -> io::Result<()> {
    writeln!(stdout, "{}", sources.image)?;
    let Some(registry) = sources.registry else {
        return writeln!(stdout, "  no registry matches: pulled as it is");
    };
    let origin = &registry.origin;
    let blocked = if registry.blocked { ", blocked" } else { "" };
    writeln!(
        stdout,
        "  registry {} ({} line {}{blocked})",
        registry.prefix,
        origin.file.display(),
        origin.line
    )?;
    for (index, source) in sources.usable.iter().enumerate() {
        let insecure = if source.insecure { ", insecure" } else { "" };
        writeln!(
            stdout,
            "  {}. {} ({}, {}{insecure})",
            index + 1,
            source.name,
            kind(source),
            source.pull.as_str()
        )?;
    }
    Ok(())
}

fn json(resolved: &[Sources<'_>], mut stdout: impl Write) -> io::Result<()> {
    let wire: Vec<Wire<'_>> = resolved.iter().map(Wire::new).collect();
    serde_json::to_writer_pretty(&mut stdout, &wire)?;
    writeln!(stdout)
}

#[derive(Serialize)]
struct Wire<'a> {
    image: &'a str,
    registry: Option<WireRegistry<'a>>,
    sources: Vec<WireSource<'a>>,
}

#[derive(Serialize)]
struct WireRegistry<'a> {
    prefix: &'a str,
    location: &'a str,
    blocked: bool,
}

#[derive(Serialize)]
struct WireSource<'a> {
    name: &'a str,
    kind: &'static str,
    pull: &'static str,
    insecure: bool,
}

impl<'a> Wire<'a> {
    fn new(sources: &'a Sources<'a>) -> Self {
        let registry = |registry: &'a Registry| WireRegistry {
            prefix: &registry.prefix,
            location: &registry.location,
            blocked: registry.blocked,
        };
        let source = |source: &'a PullSource| WireSource {
            name: source.name.as_str(),
            kind: kind(source),
            pull: source.pull.as_str(),
            insecure: source.insecure,
        };
        Self {
            image: sources.image.as_str(),
            registry: sources.registry.map(registry),
            sources: sources.usable.iter().map(source).collect(),
        }
    }
}

fn kind(source: &PullSource) -> &'static str {
    match source.kind {
        SourceKind::Mirror => "mirror",
        SourceKind::Primary => "primary",
    }
}
