//! The node's credential providers that would be run for the pull sources of an image.
//! The subcommands run none of them.

use std::io::{self, Write};

use provider::deadline::Elapsed;
use provider::logins::GlobalFiles;
use provider::logins::node_providers::{ConfigError, Configured, NotRun, Provider, Settings};
use provider::sources::Sources;
use registries_conf::ImageName;
use serde::Serialize;
use tracing::warn;

use super::output::{Cell, Printer, Style};
use super::root::Root;

/// The node's providers, as the plugin would find them.
#[derive(Debug)]
pub(super) struct NodeProviders<'a> {
    settings: &'a Settings,
    configured: Option<Configured>,
    globals: &'a GlobalFiles<'a>,
    root: &'a Root,
}

/// A provider that kubelet would run for an image with the name of a source.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Serving {
    /// The source.
    source: String,
    /// The provider.
    provider: String,
    /// Why it is not run, if it is not.
    #[serde(rename = "notRun")]
    not_run: Option<String>,
}

impl<'a> NodeProviders<'a> {
    /// Reads kubelet's configuration, if any provider is wanted. A configuration that
    /// cannot be used is a warning, as in a run.
    pub(super) fn find(
        settings: &'a Settings,
        root: &'a Root,
        globals: &'a GlobalFiles<'a>,
    ) -> Self {
        let loaded = || Configured::load(settings, root.directory());
        let configured = settings.is_on().then(loaded).transpose();
        let configured = configured.unwrap_or_else(|error| {
            if let ConfigError::Unknown(paths) = error {
                // The parent process is a shell, not kubelet.
                warn!(
                    "node providers are not shown: set {}, which the plugin takes from kubelet's command line",
                    paths.of_plugin()
                );
            } else {
                let error = format!("{:#}", anyhow::Error::new(error));
                warn!("no node provider is run: {}", root.as_on_node(error));
            }
            None
        });
        Self {
            settings,
            configured,
            globals,
            root,
        }
    }

    /// The providers for the sources of an image, in the order in which kubelet asks
    /// them.
    ///
    /// # Errors
    /// The deadline has passed.
    pub(super) fn serving(&self, sources: &Sources<'_>) -> Result<Vec<Serving>, Elapsed> {
        let Some(configured) = &self.configured else {
            return Ok(Vec::new());
        };
        let served = self.globals.served(sources.elsewhere())?;
        let mut names: Vec<&ImageName> = Vec::new();
        for name in sources.elsewhere() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let of_source = |source: &ImageName| -> Vec<Serving> {
            let why_not = |provider: &Provider| {
                let may_run = configured.may_run(provider, &self.settings.wanted);
                let served = served.get(source).cloned().map(NotRun::Served);
                let error = anyhow::Error::new(may_run.err().or(served)?);
                Some(self.root.as_on_node(format!("{error:#}")))
            };
            let serving = |provider: &Provider| Serving {
                source: source.as_str().to_owned(),
                provider: provider.entry.name.clone(),
                not_run: why_not(provider),
            };
            configured.serving(source).map(serving).collect()
        };
        Ok(names.into_iter().flat_map(of_source).collect())
    }
}

/// Prints a heading and a line for each provider, if there are any.
pub(super) fn print(
    indent: usize,
    serving: &[Serving],
    printer: &mut Printer<impl Write>,
) -> io::Result<()> {
    if serving.is_empty() {
        return Ok(());
    }
    printer.line(indent, &["node providers".into()])?;
    let row = |one: &Serving| {
        let why = match &one.not_run {
            None => Style::Good.cell("run"),
            Some(why) => Style::Warning.cell(format!("not run: {why}")),
        };
        let name = format!("{:?}", one.provider);
        vec![Cell::from(&one.source), Cell::from(name), why]
    };
    let rows: Vec<Vec<Cell>> = serving.iter().map(row).collect();
    printer.table(indent + 2, &rows)
}
