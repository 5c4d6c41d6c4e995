//! A query: one provider, the pull source that it is asked for, and its response.

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
use crate::logins::Origin;

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
    pub(super) default_cache_duration: GoDuration,
    pub(super) fingerprint: Fingerprint,
    /// The values in its environment, which must not be logged.
    pub(super) secrets: Vec<Secret>,
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

impl Query {
    /// Waits for the response, and caches it for later runs.
    pub(super) fn answered(self, cache: Option<&Cache>) -> Answered {
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
