//! The story of one request, start to end (SPEC section 2): every statement is a
//! stage, takes what the one before it gave, and is told in its own room.

use std::io::{Read, Write};
use std::time::SystemTime;

use anyhow::Context;
use registries_conf::Config as Registries;
use tracing::{info, warn};

use crate::auth_file::{self, AuthDir, FileName, GlobalText};
use crate::cli::Config;
use crate::cluster::{self, Client, SecretDoc};
use crate::credentials::{DockerConfig, Origin, Selection};
use crate::deadline::{Deadline, Stage};
use crate::kubelet::{Request, Response};
use crate::secret::Secret;
use crate::service_account::ServiceAccount;
use crate::sources::Sources;

/// Reads kubelet's request from `stdin`, leaves the auth file for CRI-O, and
/// answers on `stdout`.
///
/// # Errors
/// One chain of causes, readable in one line; nothing is on `stdout` then, and no
/// auth file is half written.
pub fn run(
    config: &Config,
    deadline: &Deadline,
    stdin: impl Read,
    stdout: impl Write,
) -> anyhow::Result<()> {
    let request = Request::read(stdin)?;
    let response = match &request.token {
        Some(token) => serve(config, deadline, &request, token)?,
        None => without_namespace(&request),
    };
    response
        .write(stdout)
        .context("write the response to stdout")
}

/// Static pods, and providers with `requireServiceAccount: false`.
fn without_namespace(request: &Request) -> Response {
    warn!(
        image = %request.image,
        outcome = "no namespace",
        "the request has no serviceAccountToken, so there are no Secrets to look into"
    );
    Response::empty()
}

fn serve(
    config: &Config,
    deadline: &Deadline,
    request: &Request,
    token: &Secret,
) -> anyhow::Result<Response> {
    let image = &request.image;
    let account = ServiceAccount::from_token(token)?;
    let namespace = &account.namespace;
    let name = FileName::new(namespace, image);

    deadline.enter(Stage::Registries);
    let registries = Registries::load(&config.registries)?;
    let sources = Sources::of(image, &registries);
    let registry = sources.registry.map_or("", |registry| &registry.prefix);
    if !sources.need_login() {
        deadline.enter(Stage::AuthFile);
        withdraw(config, &name)?;
        info!(%image, %namespace, registry, outcome = "no mirror", "{}", no_mirror(&registries));
        return Ok(Response::empty());
    }

    deadline.enter(Stage::Secrets);
    let mut selection = Selection::new(sources.names());
    let endpoint = cluster::discover(&config.cluster)?;
    let client = Client::new(&endpoint, token.clone(), deadline.clone())?;
    cluster::for_each_secret(&client, &account, |secret| offer(&secret, &mut selection))
        .with_context(|| {
            format!(
                "list secrets in namespace {:?} at API server {}",
                namespace.as_str(),
                endpoint.server
            )
        })?;

    deadline.enter(Stage::GlobalAuthFiles);
    let texts = auth_file::read_global(&config.global_auth_files);
    let globals: Vec<_> = texts.iter().filter_map(GlobalText::decode).collect();
    auth_file::offer_global(&globals, &mut selection);

    deadline.enter(Stage::AuthFile);
    let Some(content) = auth_file::encode(&selection, &globals) else {
        withdraw(config, &name)?;
        info!(%image, %namespace, registry, outcome = "no credential", "no login matches a pull source");
        return Ok(Response::empty());
    };
    let directory = AuthDir::create(&config.auth_dir)?;
    directory.write(&name, &content)?;
    sweep(config, &directory);
    for (source, candidate) in selection.chosen() {
        info!(%image, %namespace, registry, %source, origin = %candidate.origin, key = ?candidate.key, outcome = "login written", "login for a pull source");
    }
    if selection.has_namespaced() && config.empty_login {
        return Ok(Response::owned(image.clone()));
    }
    Ok(Response::empty())
}

/// Offers the entries of one Secret; what cannot be used is a warning.
fn offer(secret: &SecretDoc, selection: &mut Selection) {
    let name = &secret.name;
    let config = match DockerConfig::parse(&secret.docker_config, secret.format) {
        Ok(config) => config,
        Err(error) => {
            warn!(secret = ?name, "skip secret: {error}");
            return;
        }
    };
    let Some(auths) = config.auths else {
        warn!(secret = ?name, "skip secret: its docker config has no \"auths\"");
        return;
    };
    let origin = Origin::Secret(name.clone());
    for (key, entry) in auths {
        if let Err(error) = selection.offer(&origin, &key, entry, |_| true) {
            let error = anyhow::Error::new(error);
            warn!(secret = ?name, ?key, "skip entry: {error:#}");
        }
    }
}

/// Removes the auth file of an earlier run: a login that was revoked, or is no
/// longer needed, must not be used.
fn withdraw(config: &Config, name: &FileName) -> anyhow::Result<()> {
    if let Some(directory) = AuthDir::open(&config.auth_dir)? {
        directory.remove(name)?;
        sweep(config, &directory);
    }
    Ok(())
}

fn sweep(config: &Config, directory: &AuthDir) {
    if let Some(age) = config.stale_after {
        directory.sweep(age, SystemTime::now());
    }
}

fn no_mirror(registries: &Registries) -> &'static str {
    if registries.files().is_empty() {
        "there is no registries.conf"
    } else {
        "registries.conf has nothing but the image itself to pull from, or blocks it"
    }
}
