//! The Secrets of the pod's namespace.

use containers_auth::{DockerConfig, Format, Text};
use tracing::warn;

use super::server::Server;
use super::{LoginSource, Needs};
use crate::api_server::{Listed, SecretDoc, SecretsError};
use crate::deadline::{Deadline, Elapsed};
use crate::logins::{Observer, Origin, Selection, Skipped};
use crate::secret_names::{NotASubdomain, SecretNames};
use crate::service_account::ServiceAccount;

/// The Secrets of the pod's namespace, or those of them that are named, read with the
/// pod's token.
#[derive(Debug)]
pub struct NamespaceSecrets<'a> {
    /// The server to read from.
    pub server: &'a Server,
    /// The service account, with its namespace.
    pub account: &'a ServiceAccount,
    /// The names of the Secrets to use, if they are named.
    pub names: Option<&'a SecretNames>,
    /// Whether a namespace whose Secrets the pod may not read is treated as one without
    /// Secrets.
    pub may_be_forbidden: bool,
    /// When the run must have ended.
    pub deadline: Deadline,
}

fn is_forbidden(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(SecretsError::Forbidden { .. }))
}

/// Why the docker config of a Secret has no entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NoAuths {
    /// It has no logins in any layout.
    #[error("its docker config has no \"auths\"")]
    Nothing,
    /// It has logins in the layout of the older type.
    #[error(
        "its docker config has no \"auths\": it has the layout of Secrets of type kubernetes.io/dockercfg"
    )]
    OtherLayout,
}

impl NoAuths {
    fn of(text: &Text<'_>) -> Self {
        let other = DockerConfig::parse(text, Format::DockerCfg).ok();
        let entries = other.and_then(|config| config.auths);
        let mut entries = entries.into_iter().flatten();
        if entries.any(|(_, entry)| entry.credential().is_ok()) {
            Self::OtherLayout
        } else {
            Self::Nothing
        }
    }
}

impl LoginSource for NamespaceSecrets<'_> {
    fn needs(&self) -> Needs {
        self.server.needs()
    }

    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        let origin = |name| secret_origin(name, self.names);
        let read = self
            .server
            .read_secrets(self.account, self.names, &mut |secret| {
                offer_secret(secret, origin, self.deadline, selection, observer)
            });
        match read {
            Err(error) if self.may_be_forbidden && is_forbidden(&error) => {
                warn!("no Secrets of the namespace: {error:#}");
            }
            read => read?,
        }
        Ok(())
    }
}

/// Reports names that are not valid Secret names.
pub fn report_unusable(names: Option<&SecretNames>, observer: &mut dyn Observer) {
    for name in names.map_or(&[][..], SecretNames::unusable) {
        let origin = Origin::Secret(name.clone());
        observer.skipped(&Skipped::new(&origin, None, NotASubdomain));
    }
}

/// The origin of a Secret of the pod's namespace.
pub fn secret_origin(name: String, names: Option<&SecretNames>) -> Origin {
    let place = names.and_then(|names| names.names().iter().position(|given| *given == name));
    match place {
        Some(place) => Origin::NamedSecret(place, name),
        None => Origin::Secret(name),
    }
}

/// Offers the entries of one Secret, until the deadline. An entry that cannot be used is
/// skipped.
///
/// # Errors
/// [`Elapsed`].
pub fn offer_secret(
    secret: Listed,
    origin: impl FnOnce(String) -> Origin,
    deadline: Deadline,
    selection: &mut Selection,
    observer: &mut dyn Observer,
) -> Result<(), Elapsed> {
    let SecretDoc {
        name,
        docker_config,
        format,
    } = match secret {
        Ok(secret) => secret,
        Err(unusable) => {
            let origin = origin(unusable.name);
            observer.skipped(&Skipped::new(&origin, None, unusable.problem));
            return Ok(());
        }
    };
    let origin = origin(name);
    let text = Text::of_json(&docker_config);
    let config = match DockerConfig::parse(&text, format) {
        Ok(config) => config,
        Err(error) => {
            observer.skipped(&Skipped::new(&origin, None, error));
            return Ok(());
        }
    };
    let Some(auths) = config.auths else {
        observer.skipped(&Skipped::new(&origin, None, NoAuths::of(&text)));
        return Ok(());
    };
    for (key, entry) in auths {
        deadline.check()?;
        if let Err(error) = selection.offer(&origin, &key, entry, |_| true, observer) {
            observer.skipped(&Skipped::new(&origin, Some(&key), error));
        }
    }
    Ok(())
}
