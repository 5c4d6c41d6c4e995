//! Starts the providers without a cached response.
//!
//! Runs that need the same response at the same time take turns, so that fifty pods that
//! start together ask the cloud once: the first run asks, and the others find the cached
//! response.

use std::cell::LazyCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use kubelet_credential_provider::Request;
use kubelet_credential_provider::provider_config::EnvVar;
use registries_conf::ImageName;
use rustix::fd::OwnedFd;
use tracing::{debug, warn};

use super::NESTED;
use super::cache::{Cache, CacheError};
use super::group::Group;
use super::query::{Asked, Query, State};
use super::run::{Run, RunError};
use super::select::{Configured, Provider};
use super::turn::{Turn, Turns};
use crate::deadline::Deadline;
use crate::parent::Environment;

/// The limit of one provider. Most need less than a second.
const LIMIT: Duration = Duration::from_secs(20);
/// The most providers that run at once. The number that a pull needs depends on
/// registries.conf.
const MAX_RUNS: usize = 64;

/// Starts providers, taking turns with other runs.
pub(super) struct Start<'a> {
    our_variables: Vec<&'a EnvVar>,
    /// kubelet's own environment, of which those may have replaced variables.
    kubelets: LazyCell<Option<Environment>>,
    deadline: Deadline,
    turns: Turns,
    is_tidy: bool,
    /// The group of the providers, once the first one is started.
    group: Option<Rc<Group>>,
}

impl<'a> Start<'a> {
    /// Nothing is started yet.
    pub(super) fn new(configured: &'a Configured, deadline: Deadline) -> Self {
        Self {
            our_variables: configured.our_variables(),
            kubelets: LazyCell::new(Environment::read),
            deadline,
            turns: Turns::new(deadline),
            is_tidy: false,
            group: None,
        }
    }

    /// Asks one provider for all sources that it serves, and adds to the queries of the run.
    pub(super) fn provider(
        &mut self,
        queries: &mut Vec<Query>,
        mut cache: Option<&mut Cache>,
        provider: &Provider,
        asked: &Rc<Asked>,
        sources: &[&ImageName],
    ) {
        for &source in sources {
            let state = match self
                .turns
                .take(cache.as_deref(), &asked.fingerprint, source.as_str())
            {
                Turn::Kept(answer) => {
                    debug!(origin = %asked.origin, %source, "use its cached response");
                    State::Kept(answer)
                }
                Turn::With(query) => {
                    if let Some(query) = queries.get_mut(query) {
                        query.others.push(source.clone());
                    }
                    continue;
                }
                Turn::Ask(lock) => {
                    if queries.len() >= MAX_RUNS {
                        let most = MAX_RUNS;
                        warn!(%source, "not asked: a run asks node providers at most {most} times");
                        return;
                    }
                    if let Some(cache) = cache.as_deref_mut().filter(|_| !self.is_tidy) {
                        cache.tidy().unwrap_or_else(CacheError::warn);
                        self.is_tidy = true;
                    }
                    if let Some((byte, lock)) = &lock {
                        let (byte, lock) = (*byte, lock.clone());
                        self.turns.hold(byte, lock, queries.len());
                    }
                    let lock = lock.and_then(|(_, lock)| lock);
                    self.run(provider, asked, source, lock)
                }
            };
            queries.push(Query {
                asked: Rc::clone(asked),
                source: source.clone(),
                others: Vec::new(),
                state,
            });
        }
    }

    fn run(
        &mut self,
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
        let group = self.group();
        let run =
            group.and_then(|group| Run::start(self.command(provider), &group, &request, limit));
        match run {
            Ok(run) => State::Started(Box::new(run), lock),
            Err(error) => State::Failed(error),
        }
    }

    fn group(&mut self) -> Result<Rc<Group>, RunError> {
        if let Some(group) = &self.group {
            return Ok(Rc::clone(group));
        }
        let group = Rc::new(Group::start().map_err(RunError::Group)?);
        Ok(Rc::clone(self.group.insert(group)))
    }

    /// The provider's command line and environment, as kubelet sets them. The variables
    /// that kubelet sets for this program alone are not passed on: a provider gets the
    /// values that they have in kubelet's own environment.
    fn command(&self, provider: &Provider) -> Command {
        let mut command = Command::new(&provider.path);
        command.args(&provider.entry.args);
        for EnvVar { name, .. } in &self.our_variables {
            match self.kubelets.as_ref().and_then(|own| own.get(name)) {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        for EnvVar { name, value } in &provider.entry.env {
            command.env(name, OsStr::from_bytes(value.expose()));
        }
        command.env(NESTED, "1");
        command
    }
}
