//! The logins of one image in one namespace: where they come from, and which of them
//! counts for which pull source.
//!
//! The provider writes what is found here into the auth file, and `explain` prints it:
//! both run [`Logins::choose`].

mod selection;
mod content;
mod observer;
mod global;
mod secrets;
mod server;
mod shared;

use registries_conf::ImageName;
use secret::Wiped;

use crate::deadline::Deadline;
use crate::kubelet::Response;
use crate::secret_names::SecretNames;
use crate::service_account::ServiceAccount;
use crate::settings::{SecretsPolicy, Settings};
use crate::sources::Sources;

pub use content::{EncodeError, encode};
pub use global::{GlobalAuthFile, GlobalFiles, GlobalTexts};
pub use observer::{Observer, Skipped};
pub use secrets::{NamespaceSecrets, offer_secret, report_unusable, secret_origin};
pub use selection::{Candidate, Comparison, Origin, Owner, Rule, Selection, Verdict};
pub use server::Server;
pub use shared::SharedSecrets;

/// A place that logins come from. Whose logins they are, the pod's or the node's, is in
/// the [`Origin`] of each.
pub trait LoginSource {
    /// What the source uses after the sandbox has closed. Files are not among it: a file
    /// that is read later may have been replaced, and is then out of reach.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Offers each of its logins to the selection, which decodes only those that it
    /// takes.
    ///
    /// # Errors
    /// Where the source as a whole cannot be read, or the time is up. What is wrong
    /// with single logins goes to the observer.
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()>;
}

/// What a login source uses while the sandbox is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The TCP ports that it connects to.
    pub ports: Vec<u16>,
}

/// Whether the API server is asked for logins, where these Secrets are named.
pub fn asks_server(settings: &Settings, names: Option<&SecretNames>) -> bool {
    reads_secrets(settings, names) || !settings.shared_secrets.is_empty()
}

fn reads_secrets(settings: &Settings, names: Option<&SecretNames>) -> bool {
    settings.secrets != SecretsPolicy::Never && names.is_none_or(SecretNames::is_any)
}

/// The login sources that the API server is asked for, in the order of their precedence.
pub fn ask_server<'a>(
    settings: &'a Settings,
    server: &'a Server,
    account: &'a ServiceAccount,
    names: Option<&'a SecretNames>,
    deadline: Deadline,
) -> Vec<Box<dyn LoginSource + 'a>> {
    let mut places: Vec<Box<dyn LoginSource>> = Vec::new();
    if reads_secrets(settings, names) {
        places.push(Box::new(NamespaceSecrets {
            server,
            account,
            names,
            may_be_forbidden: settings.secrets == SecretsPolicy::IfAllowed,
            deadline,
        }));
    }
    if !settings.shared_secrets.is_empty() {
        places.push(Box::new(SharedSecrets {
            server,
            account,
            secrets: &settings.shared_secrets,
            deadline,
        }));
    }
    places
}

/// Chooses among the logins of all `places`, the one that counts most first.
///
/// # Errors
/// As [`LoginSource::offer`].
pub fn select(
    sources: impl IntoIterator<Item = ImageName>,
    places: Vec<Box<dyn LoginSource + '_>>,
    observer: &mut dyn Observer,
) -> anyhow::Result<Selection> {
    let mut selection = Selection::new(sources);
    for mut place in places {
        place.offer(&mut selection, observer)?;
    }
    Ok(selection)
}

/// What was found for an image in a namespace.
#[derive(Debug)]
pub struct Logins<'a> {
    /// Where the image may be pulled from.
    pub sources: Sources<'a>,
    /// The credential of each pull source that has one.
    pub selection: Selection,
    /// What the auth file holds; `None`: there is to be no file.
    pub content: Option<Wiped<Vec<u8>>>,
}

impl<'a> Logins<'a> {
    /// No logins: none could help the pull.
    pub fn none(sources: Sources<'a>) -> Self {
        Self {
            sources,
            selection: Selection::new([]),
            content: None,
        }
    }

    /// Chooses among the logins of all `places`, and carries the global auth files over
    /// into the auth file. `observer` is told what happens on the way.
    ///
    /// # Errors
    /// As [`LoginSource::offer`], and an auth file that would be too large.
    pub fn choose(
        sources: Sources<'a>,
        places: Vec<Box<dyn LoginSource + '_>>,
        globals: &[GlobalAuthFile<'_>],
        observer: &mut dyn Observer,
    ) -> anyhow::Result<Self> {
        let selection = select(sources.names(), places, observer)?;
        Self::of(sources, selection, globals, observer)
    }

    /// The logins of a selection for these sources, with the global auth files carried
    /// over into the auth file.
    ///
    /// # Errors
    /// An auth file that would be too large.
    pub fn of(
        sources: Sources<'a>,
        selection: Selection,
        globals: &[GlobalAuthFile<'_>],
        observer: &mut dyn Observer,
    ) -> anyhow::Result<Self> {
        let content = encode(&selection, globals, observer)?;
        Ok(Self {
            sources,
            selection,
            content,
        })
    }

    /// What kubelet is told: whose image it is, where a credential of the pod is used,
    /// unless that is turned off.
    pub fn response(&self, settings: &Settings) -> Response {
        if settings.empty_login && self.selection.has_pods() {
            Response::owned(self.sources.image.clone())
        } else {
            Response::empty()
        }
    }
}
