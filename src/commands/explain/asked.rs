//! The input of `explain`: images, namespace, service accounts, and the token.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use registries_conf::ImageName;
use secret::Secret;

use super::pods::{self, Pods};
use super::read_token;
use crate::cli::{self, Explain, STDIN};
use provider::api_server::current_namespace;
use provider::service_account::{Namespace, ServiceAccount};

/// The namespace if nothing names one.
const DEFAULT: &str = "default";

/// The images to explain, and the pods that they are for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The images, each once.
    pub(super) images: Vec<ImageName>,
    /// The namespace of their pods.
    pub(super) namespace: Namespace,
    /// The service accounts of the pods, if a manifest has them.
    pub(super) accounts: BTreeSet<String>,
    /// The token for the API server, with its account.
    pub(super) token: Option<(ServiceAccount, Secret)>,
}

impl Asked {
    /// Reads the pods and the token that the command line names.
    ///
    /// # Errors
    /// A file cannot be read, an image does not parse, or the token has another namespace
    /// or service account than the pods or the command line.
    pub(super) fn of(
        command: &Explain,
        stdin: &mut (impl Read + IsTerminal),
    ) -> anyhow::Result<Self> {
        let stdin_of = |path: &Path| path == Path::new(STDIN);
        let for_pods = command.pod.iter();
        let all = for_pods.chain(&command.secrets.secrets);
        let on_stdin = all.filter(|path| stdin_of(path)).count();
        ensure!(
            on_stdin < 2,
            "stdin can only be read once: give files instead"
        );
        let pods = command.pod.as_deref().map(|file| pods::read(file, stdin));
        let pods = pods.transpose()?.unwrap_or_default();

        let mut images = Vec::new();
        for image in command.images.iter().chain(&pods.images) {
            let image = ImageName::parse(image)?;
            if !images.contains(&image) {
                images.push(image);
            }
        }
        let token = command.secrets.token_file.as_deref();
        let token = token.map(|path| Ok::<_, anyhow::Error>((path, read_token(path)?)));
        let token = token.transpose()?;
        let of_token = token.as_ref().map(|(_, (account, _))| account);
        let namespace = namespace(command, &pods, of_token)?;
        if let Some((path, (account, _))) = &token {
            fits(account, &namespace, &pods)
                .with_context(|| format!("token file {}", path.display()))?;
        }
        Ok(Self {
            images,
            namespace,
            accounts: pods.accounts,
            token: token.map(|(_, token)| token),
        })
    }
}

impl Asked {
    /// A description of the pods that pull the images.
    pub(super) fn whose(&self) -> String {
        let namespace = &self.namespace;
        let accounts: Vec<&str> = self.accounts.iter().map(String::as_str).collect();
        if accounts.is_empty() {
            format!("for pods in namespace {namespace}")
        } else {
            let accounts = accounts.join(", ");
            format!("for pods of service account {accounts} in namespace {namespace}")
        }
    }
}

/// The namespace of the flag, else of the manifest, else of the token, else of the
/// current context.
fn namespace(
    command: &Explain,
    pods: &Pods,
    token: Option<&ServiceAccount>,
) -> anyhow::Result<Namespace> {
    match (&command.namespace, &pods.namespace) {
        (Some(given), Some(of_pods)) if given != of_pods => {
            bail!("the pods are in namespace {of_pods}, not in {given}: leave out -n");
        }
        (Some(known), _) | (None, Some(known)) => return Ok(known.clone()),
        (None, None) => {}
    }
    if let Some(account) = token {
        return Ok(account.namespace.clone());
    }
    let current = || {
        let name = current_namespace(&cli::kubeconfigs())?;
        let namespace = Namespace::parse(name.as_deref().unwrap_or(DEFAULT))?;
        Ok::<_, anyhow::Error>(namespace)
    };
    current().context("the namespace of the current context, which -n would replace")
}

/// Checks that a token is one of these pods.
fn fits(account: &ServiceAccount, namespace: &Namespace, pods: &Pods) -> anyhow::Result<()> {
    let of = &account.namespace;
    ensure!(
        of == namespace,
        "it is for namespace {of}, not for {namespace}"
    );
    let Some(name) = &account.name else {
        return Ok(());
    };
    let mut others = pods.accounts.iter().filter(|other| *other != name);
    if let Some(other) = others.next() {
        bail!("it is for service account {name:?}, and a pod has {other:?}");
    }
    Ok(())
}
