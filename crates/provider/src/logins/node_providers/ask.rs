//! Decides which provider is asked for which pull source, and waits for the responses.
//! A cached response is used again; otherwise the provider is started.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use registries_conf::ImageName;
use tracing::{debug, warn};

use super::cache::Cache;
use super::query::{Answered, Asked, Query, State};
use super::select::{Configured, NotRun, Provider};
use super::start::Start;
use super::{Settings, Wanted};
use crate::deadline::{Deadline, Elapsed};
use crate::logins::{GlobalFiles, Needs, Origin};
use crate::sources::Sources;

/// The queries of a run, and the cache of responses.
#[derive(Debug, Default)]
pub(super) struct Queries {
    list: Vec<Query>,
    cache: Option<Cache>,
    cache_dir: Option<PathBuf>,
}

impl Queries {
    /// Looks for cached responses, and starts the providers for all other sources that
    /// `globals` do not serve.
    pub(super) fn start(
        settings: &Settings,
        sources: &Sources<'_>,
        globals: &GlobalFiles<'_>,
    ) -> Result<Self, Elapsed> {
        let served = globals.served(sources.elsewhere())?;
        for (source, origin) in &served {
            let why = NotRun::Served(origin.clone());
            debug!(%source, "no node provider is run: {why}");
        }
        let sources = sources.elsewhere();
        // All runs lock in the same order, so that they cannot wait for each other in a
        // circle.
        let sources: BTreeSet<&ImageName> = sources
            .filter(|source| !served.contains_key(source))
            .collect();
        if sources.is_empty() {
            return Ok(Self::default());
        }
        Ok(match Configured::load(settings, Path::new("/")) {
            Ok(configured) => Self::of(&configured, settings, &sources, globals.deadline),
            Err(error) => {
                let error = anyhow::Error::new(error);
                warn!("no node provider is run: {error:#}");
                Self::default()
            }
        })
    }

    fn of(
        configured: &Configured,
        settings: &Settings,
        sources: &BTreeSet<&ImageName>,
        deadline: Deadline,
    ) -> Self {
        for name in configured.unknown(&settings.wanted) {
            warn!("--node-providers: kubelet's configuration has no provider {name:?}");
        }
        let mut served: BTreeMap<usize, (&Provider, Vec<&ImageName>)> = BTreeMap::new();
        for &source in sources {
            for provider in configured.serving(source) {
                let (_, sources) = served
                    .entry(provider.index)
                    .or_insert_with(|| (provider, Vec::new()));
                sources.push(source);
            }
        }
        let mut this = Self::default();
        let mut start = None;
        for (provider, sources) in served.into_values() {
            let Some(asked) = examine(configured, provider, &settings.wanted) else {
                continue;
            };
            let start = start.get_or_insert_with(|| {
                this.open_cache(settings);
                Start::new(configured, deadline)
            });
            let cache = this.cache.as_mut();
            start.provider(&mut this.list, cache, provider, &Rc::new(asked), &sources);
        }
        this
    }

    fn open_cache(&mut self, settings: &Settings) {
        match Cache::open(&settings.cache_dir) {
            Ok(cache) => {
                self.cache = Some(cache);
                self.cache_dir = Some(settings.cache_dir.clone());
            }
            Err(error) => error.warn(),
        }
    }

    /// The access that is needed while the sandbox is closed: none if all responses were
    /// cached.
    pub(super) fn needs(&self) -> Needs {
        let mut queries = self.list.iter();
        let stores = queries.any(|query| matches!(query.state, State::Started(..)));
        let directory = self.cache_dir.clone().filter(|_| stores);
        Needs {
            directories: directory.into_iter().collect(),
            ..Needs::default()
        }
    }

    /// Waits for each response, caches it for later runs, and ends its provider.
    pub(super) fn answers(&mut self) -> impl Iterator<Item = Answered> {
        let Self { list, cache, .. } = mem::take(self);
        list.into_iter()
            .map(move |query| query.answered(cache.as_ref()))
    }
}

/// The provider, if it may be run.
fn examine(configured: &Configured, provider: &Provider, wanted: &Wanted) -> Option<Asked> {
    let origin = Origin::NodeProvider(provider.index, provider.entry.name.clone());
    match configured.examine(provider, wanted) {
        Ok(fingerprint) => Some(Asked {
            origin,
            api_version: provider.api_version(),
            default_cache_duration: provider.default_cache_duration(),
            fingerprint,
            secrets: provider.entry.env.iter().map(|v| v.value.clone()).collect(),
        }),
        Err(not_run) => {
            let is_named =
                matches!(wanted, Wanted::Named(names) if names.contains(&provider.entry.name));
            let is_amiss = is_named || not_run.is_defect();
            let not_run = anyhow::Error::new(not_run);
            if is_amiss {
                warn!(%origin, "not run: {not_run:#}");
            } else {
                debug!(%origin, "not run: {not_run:#}");
            }
            None
        }
    }
}
