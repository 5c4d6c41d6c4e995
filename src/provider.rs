//! The story of one request, start to end (SPEC section 2): every statement is a
//! stage, takes what the one before it gave, and is told in its own room.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::SystemTime;

use anyhow::Context;
use registries_conf::Config as Registries;
use tracing::warn;

use crate::auth_file::{AuthDir, FileName, StoreError};
use crate::deadline::{Deadline, Timed};
use crate::kubelet::{Request, Response};
use crate::logins::{Logins, Visit, read_secrets};
use crate::run_log::{RunLog, log_outcome};
use crate::secret::Secret;
use crate::secret_names::SecretNames;
use crate::service_account::ServiceAccount;
use crate::settings::Settings;
use crate::signals;
use crate::sources::Sources;

/// Reads kubelet's request from `stdin`, leaves the auth file for CRI-O, and
/// answers on `stdout`.
///
/// # Errors
/// One chain of causes, readable in one line; nothing is on `stdout` then, and no
/// auth file is half written.
pub fn run(
    config: &Settings,
    deadline: Deadline,
    stdin: impl Read + AsFd,
    stdout: impl Write,
) -> anyhow::Result<()> {
    let request = Request::read(Timed::new(stdin, deadline))?;
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
    config: &Settings,
    deadline: Deadline,
    request: &Request,
    token: &Secret,
) -> anyhow::Result<Response> {
    let image = &request.image;
    let account = ServiceAccount::from_token(token)?;

    let registries = Registries::load(&config.registries)?;
    let sources = Sources::of(image, &registries);
    sources.warn_of_unusable();

    let secrets = |names: Option<&SecretNames>, visit: Visit<'_>| {
        read_secrets(config, deadline, &account, token, names, visit)
    };
    let logins = Logins::find(
        config,
        sources,
        &request.annotations,
        secrets,
        &mut RunLog::default(),
    )?;

    let name = FileName::new(&account.namespace, image);
    match &logins.content {
        Some(content) => leave(config, &name, content)?,
        None if logins.sources.no_login().is_none() => withdraw(config, &name)?,
        // Nothing is pulled from a mirror, so a directory that cannot be used is no
        // reason for this pod not to start.
        None => withdraw(config, &name).unwrap_or_else(|error| {
            warn!("an earlier auth file may still be there: {error:#}");
        }),
    }
    log_outcome(&account.namespace, image, &logins);
    Ok(logins.response(config))
}

/// Leaves the auth file for CRI-O.
fn leave(config: &Settings, name: &FileName, content: &[u8]) -> Result<(), StoreError> {
    let directory = AuthDir::create(&config.auth_dir)?;
    signals::held_back(|| directory.write(name, content))?;
    sweep(config, &directory);
    Ok(())
}

/// Removes the auth file of an earlier run: a login that was revoked, or is no
/// longer needed, must not be used.
fn withdraw(config: &Settings, name: &FileName) -> anyhow::Result<()> {
    if let Some(directory) = AuthDir::open(&config.auth_dir)? {
        directory.remove(name)?;
        sweep(config, &directory);
    }
    Ok(())
}

fn sweep(config: &Settings, directory: &AuthDir) {
    if let Some(age) = config.stale_after {
        directory.sweep(age, SystemTime::now());
    }
}
