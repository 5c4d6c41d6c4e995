//! Decides which provider is asked for which pull source, and waits for the responses.
//! A cached response is used again; otherwise the provider is started.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kubelet_credential_provider::{ApiVersion, GoDuration, Response, ResponseError};
use registries_conf::ImageName;
use rustix::fd::OwnedFd;
use secret::Secret;
use tracing::{Level, debug, enabled, warn};

use super::cache::Cache;
use super::key::Fingerprint;
use super::redact::redacted;
use super::run::{Run, RunError};
use super::select::{Configured, NotRun, Provider};
use super::start::Start;
use super::{Settings, Wanted};
use crate::deadline::{Deadline, Elapsed};
use crate::logins::{GlobalFiles, Needs, Origin};
use crate::sources::Sources;

/// The queries of a run, and the cache of responses.
#[derive(Debug, Default)]
pub(super) struct Queries {
    pub(super) list: Vec<Query>,
    pub(super) cache: Option<Cache>,
    cache_dir: Option<PathBuf>,
}

/// One provider, and the pull source that it is asked for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) asked: Rc<Asked>,
    pub(super) source: ImageName,
    /// As [`Answered::others`].
    pub(super) others: Vec<ImageName>,
    pub(super) state: State,
}

/// The result of a query.
#[derive(Debug)]
pub(super) struct Answered {
    /// The provider.
    pub(super) asked: Rc<Asked>,
    /// The pull source that it was asked for.
    pub(super) source: ImageName,
    /// The other pull sources that share the response, if it is cached as the provider's
    /// last one was.
    pub(super) others: Vec<ImageName>,
    /// The response.
    pub(super) answer: Result<Response, AskError>,
}

/// How far a query is.
#[derive(Debug)]
pub(super) enum State {
    /// The response was cached.
    Kept(Response),
    /// The provider runs, with a lock if other runs may wait for the response.
    Started(Box<Run>, Option<Rc<OwnedFd>>),
    /// The provider could not be started.
    Failed(RunError),
}

/// A provider that may be run.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its name and place, for messages and precedence.
    pub(super) origin: Origin,
    pub(super) api_version: ApiVersion,
    default_cache_duration: GoDuration,
    pub(super) fingerprint: Fingerprint,
    /// The values in its environment, which must not be logged.
    secrets: Vec<Secret>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The provider has failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// kubelet would refuse the response.
    #[error("read its response")]
    Answer(#[from] ResponseError),
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
            start.provider(&mut this, provider, &Rc::new(asked), &sources);
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

impl Query {
    fn answered(self, cache: Option<&Cache>) -> Answered {
        let Self {
            asked,
            source,
            others,
            state,
        } = self;
        let answer = match state {
            State::Kept(answer) => Ok(answer),
            State::Failed(error) => Err(error.into()),
            State::Started(run, _lock) => asked.finish(*run, &source, cache),
        };
        Answered {
            asked,
            source,
            others,
            answer,
        }
    }
}

impl Asked {
    fn finish(
        &self,
        mut run: Run,
        source: &ImageName,
        cache: Option<&Cache>,
    ) -> Result<Response, AskError> {
        let answer = run.finish().map_err(AskError::from);
        let answer = answer.and_then(|json| Ok(Response::parse(json, self.api_version)?));
        if enabled!(Level::DEBUG) {
            self.log_stderr(&run, answer.as_ref().ok());
        }
        let answered = answer.as_ref().ok();
        let default = self.default_cache_duration;
        let stored =
            cache.map(|cache| cache.store(&self.fingerprint, source.as_str(), answered, default));
        if let Some(Err(error)) = stored {
            let error = anyhow::Error::new(error);
            warn!(origin = %self.origin, "its response is not cached: {error:#}");
        }
        answer
    }

    fn log_stderr(&self, run: &Run, answer: Option<&Response>) {
        let logins = answer.into_iter().flat_map(|answer| answer.auth.values());
        let passwords = logins.map(|login| login.password.as_bytes());
        let secrets = self.secrets.iter().map(Secret::expose).chain(passwords);
        let (tail, is_cut) = run.stderr_tail();
        let said = redacted(tail, is_cut, &secrets.collect::<Vec<_>>());
        if !said.is_empty() {
            debug!(origin = %self.origin, "stderr: {said:?}");
        }
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
