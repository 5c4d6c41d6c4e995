//! Who is asked for what: an answer that was kept is used again, and for others a
//! provider is started.
//!
//! Runs that would ask the same at the same time take turns, so that fifty pods that
//! start together ask the cloud once: the first one asks, and the others find its
//! answer.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use kubelet_credential_provider::provider_config::EnvVar;
use kubelet_credential_provider::{ApiVersion, GoDuration, Request, Response, ResponseError};
use registries_conf::ImageName;
use rustix::fd::OwnedFd;
use secret::Secret;
use tracing::{Level, debug, enabled, warn};

use super::cache::Cache;
use super::key::Fingerprint;
use super::redact::redacted;
use super::run::{Run, RunError};
use super::select::{Configured, Provider, distinct};
use super::turn::{Turn, Turns};
use super::{NESTED, Settings, Wanted};
use crate::deadline::Deadline;
use crate::logins::{Needs, Origin};
use crate::sources::Sources;

/// How long a provider may take. Most take less than a second.
const LIMIT: Duration = Duration::from_secs(20);
/// The most providers that run at once. How many it takes is up to registries.conf.
const MAX_RUNS: usize = 64;

/// What the providers are asked, and where their answers are kept.
#[derive(Debug, Default)]
pub(super) struct Errands {
    list: Vec<Errand>,
    cache: Option<Cache>,
    cache_dir: Option<PathBuf>,
}

/// What one provider is asked.
#[derive(Debug)]
struct Errand {
    asked: Rc<Asked>,
    source: ImageName,
    others: Vec<ImageName>,
    state: State,
}

/// What came of asking one provider.
#[derive(Debug)]
pub(super) struct Answered {
    /// The provider.
    pub(super) asked: Rc<Asked>,
    /// The pull source that it was asked for.
    pub(super) source: ImageName,
    /// Those that the answer serves too, if it is kept as the last one was.
    pub(super) others: Vec<ImageName>,
    /// The answer.
    pub(super) answer: Result<Response, AskError>,
}

#[derive(Debug)]
enum State {
    /// The answer was kept.
    Kept(Response),
    /// It has been started, under a lock where other runs may wait for the answer.
    Started(Box<Run>, Option<Rc<OwnedFd>>),
    /// It could not be started.
    Failed(RunError),
}

/// A provider that may be run.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its name and place, for messages and precedence.
    pub(super) origin: Origin,
    api_version: ApiVersion,
    default_cache_duration: GoDuration,
    fingerprint: Fingerprint,
    /// What it gets in its environment, and must not be shown.
    secrets: Vec<Secret>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The provider has failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// kubelet would not take it.
    #[error("read its answer")]
    Answer(#[from] ResponseError),
}

impl Errands {
    /// Looks for kept answers, and starts the providers for all others.
    pub(super) fn start(settings: &Settings, sources: &Sources<'_>, deadline: Deadline) -> Self {
        let mut sources: Vec<&ImageName> = distinct(sources.elsewhere()).collect();
        if !settings.is_on() || sources.is_empty() {
            return Self::default();
        }
        // All runs take their turns in one order, so that none waits for another in a
        // circle.
        sources.sort_unstable();
        match Configured::load(settings, Path::new("/")) {
            Ok(configured) => Self::of(&configured, settings, &sources, deadline),
            Err(error) => {
                let error = anyhow::Error::new(error);
                warn!("no node provider is run: {error:#}");
                Self::default()
            }
        }
    }

    fn of(
        configured: &Configured,
        settings: &Settings,
        sources: &[&ImageName],
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
            Err(error) => {
                let error = anyhow::Error::new(error);
                warn!("answers of node providers are not kept: {error:#}");
            }
        }
    }

    /// What is needed while the sandbox is closed: nothing where all answers were kept.
    pub(super) fn needs(&self) -> Needs {
        let mut errands = self.list.iter();
        let programs = errands.any(|errand| matches!(errand.state, State::Started(..)));
        let directory = self.cache_dir.clone().filter(|_| programs);
        Needs {
            programs,
            directories: directory.into_iter().collect(),
            ..Needs::default()
        }
    }

    /// Waits for each answer, keeps it for later runs, and ends its provider.
    pub(super) fn answers(&mut self) -> impl Iterator<Item = Answered> {
        let Self { list, cache, .. } = mem::take(self);
        list.into_iter()
            .map(move |errand| errand.answered(cache.as_ref()))
    }
}

impl Errand {
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
            warn!(origin = %self.origin, "its answer is not kept: {error:#}");
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

/// Starts providers, in turn with other runs.
struct Start<'a> {
    our_variables: Vec<&'a EnvVar>,
    deadline: Deadline,
    turns: Turns,
    is_tidy: bool,
}

impl<'a> Start<'a> {
    fn new(configured: &'a Configured, deadline: Deadline) -> Self {
        Self {
            our_variables: configured.our_variables(),
            deadline,
            turns: Turns::new(deadline),
            is_tidy: false,
        }
    }

    /// One provider, for all sources that it serves.
    fn provider(
        &mut self,
        to: &mut Errands,
        provider: &Provider,
        asked: &Rc<Asked>,
        sources: &[&ImageName],
    ) {
        for &source in sources {
            let state =
                match self
                    .turns
                    .take(to.cache.as_ref(), &asked.fingerprint, source.as_str())
                {
                    Turn::Kept(answer) => {
                        debug!(origin = %asked.origin, %source, "its answer was kept");
                        State::Kept(answer)
                    }
                    Turn::With(errand) => {
                        if let Some(errand) = to.list.get_mut(errand) {
                            errand.others.push(source.clone());
                        }
                        continue;
                    }
                    Turn::Ask(lock) => {
                        if to.list.len() >= MAX_RUNS {
                            let most = MAX_RUNS;
                            warn!(%source, "not asked, as {most} node providers have been");
                            return;
                        }
                        if let Some(cache) = to.cache.as_mut().filter(|_| !self.is_tidy) {
                            cache.tidy();
                            self.is_tidy = true;
                        }
                        if let Some((byte, lock)) = &lock {
                            let (byte, lock) = (*byte, lock.clone());
                            self.turns.hold(byte, lock, to.list.len());
                        }
                        let lock = lock.and_then(|(_, lock)| lock);
                        self.run(provider, asked, source, lock)
                    }
                };
            to.list.push(Errand {
                asked: Rc::clone(asked),
                source: source.clone(),
                others: Vec::new(),
                state,
            });
        }
    }

    fn run(
        &self,
        provider: &Provider,
        asked: &Asked,
        source: &ImageName,
        lock: Option<Rc<OwnedFd>>,
    ) -> State {
        debug!(origin = %asked.origin, %source, path = ?provider.path, "run it");
        let request = Request {
            image: source.as_str().to_owned(),
            ..Request::default()
        };
        let mut request = request.to_json(asked.api_version);
        request.push(b'\n');
        let limit = LIMIT.min(self.deadline.remaining() / 2);
        match Run::start(self.command(provider), &request, limit) {
            Ok(run) => State::Started(Box::new(run), lock),
            Err(error) => State::Failed(error),
        }
    }

    /// The provider's command line and environment, as kubelet gives them to it. What
    /// kubelet gives to this program beside its own environment is not for others.
    fn command(&self, provider: &Provider) -> Command {
        let mut command = Command::new(&provider.path);
        command.args(&provider.entry.args);
        for variable in &self.our_variables {
            command.env_remove(&variable.name);
        }
        for EnvVar { name, value } in &provider.entry.env {
            command.env(name, OsStr::from_bytes(value.expose()));
        }
        command.env(NESTED, "1");
        command
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
