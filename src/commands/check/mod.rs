//! `check`: a preflight on a node, for every cause that makes pulls fail without a
//! word (SPEC section 7). It writes nothing, and asks the API server without a login,
//! unless it is given one.
//!
//! Each room checks one thing and gives its findings; here is their order.

mod report;
mod process;
mod program;
mod registries;
mod auth_dir;
mod crio;
mod kubelet;
mod node_logins;
mod binary;
mod api_server;
mod access;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;

use self::crio::Crio;
use self::kubelet::{Entry, Kubelet};
use self::process::Process;
use self::report::{Finding, Report, Summary};
use super::output::{Printer, finish};
use super::root::Root;
use crate::cli::{self, Check, Output};
use crate::cluster;
use crate::deadline::Deadline;
use crate::sandbox;
use crate::settings::{Settings, UnknownKey};

/// Prints what is wrong with this node; `arguments` is our own command line.
///
/// # Errors
/// A check that failed, once all are printed.
pub fn check(
    config: &Settings,
    deadline: Deadline,
    command: &Check,
    arguments: impl IntoIterator<Item = OsString>,
    stdout: impl Write + IsTerminal,
) -> anyhow::Result<()> {
    let root = Root::new(command.root.directory.clone());
    let report = examine(config, deadline, command, arguments, &root);
    let written = match command.output {
        Output::Text => report.print(Printer::new(stdout)),
        Output::Json => report.print_json(stdout),
    };
    finish(written)?;
    let Summary { pass, warn, fail } = report.summary();
    let all = pass + warn + fail;
    anyhow::ensure!(fail == 0, "{fail} of {all} checks failed");
    Ok(())
}

fn examine(
    config: &Settings,
    deadline: Deadline,
    command: &Check,
    arguments: impl IntoIterator<Item = OsString>,
    root: &Root,
) -> Report {
    let (unseen, processes) = processes(root);
    let crio = Crio::among(root, &processes);
    if config.sandbox {
        sandbox::forbid_writes();
    }
    // What kubelet gives the provider decides where everything else is looked for.
    let kubelet = Kubelet::find(root, command, &processes);
    let mut by_hand = root.apply(config.clone()).cluster;
    by_hand.kubelet_kubeconfig = None;
    let directory = root.directory();
    let (arguments, config) = settings(config, kubelet.entry.as_ref(), arguments, directory);
    let auth_dir = config.auth_dir.clone();
    let mut config = root.apply(config);
    config.registries.environment = kubelet.environment();
    let (registries, found) = registries::check(&config);

    let mut report = Report::default();
    report.add(unseen);
    report.add(registries);
    report.add(auth_dir::check(root, &config, &auth_dir));
    report.add(crio::check(root, &config, crio.as_ref(), found.as_ref()));
    report.add(kubelet.check(root, found.as_ref()));
    let kubelet_dir = kubelet.root_dir();
    let logins = |found| node_logins::check(root, &config, found, &kubelet_dir);
    report.add(found.as_ref().and_then(logins));
    report.add(arguments);
    report.add(config.unknown_keys.iter().map(unknown_key));
    let bin_dir = kubelet.bin_dir.as_deref();
    report.add(bin_dir.map(|bin_dir| binary::check(root, bin_dir)));
    cluster(
        &config,
        &by_hand,
        deadline,
        command,
        root,
        &kubelet,
        &mut report,
    );
    report.retell(|message| root.told(message));
    report
}

/// The node's programs; none where `/proc` cannot be seen.
fn processes(root: &Root) -> (Option<Finding>, Vec<Process>) {
    match process::all(root) {
        Ok(processes) => (None, processes),
        Err(error) => {
            let message = format!("{}: {error}", root.path(Path::new("/proc")).display());
            let remedy = "run it on the node, as root: without it, kubelet's and CRI-O's flags are not known";
            (Some(Finding::warn("proc", message, remedy)), Vec::new())
        }
    }
}

/// The settings that the provider gets from kubelet's entry for it, unless our own
/// command line says otherwise.
fn settings(
    config: &Settings,
    entry: Option<&Entry>,
    arguments: impl IntoIterator<Item = OsString>,
    root: &Path,
) -> (Option<Finding>, Settings) {
    const NAME: &str = "provider-args";
    let Some(entry) = entry else {
        return (None, config.clone());
    };
    let provider = &entry.provider;
    if provider.args.is_empty() && provider.env.is_empty() {
        return (None, config.clone());
    }
    match cli::settings_in_entry(provider, arguments, root) {
        Ok(config) => {
            let message =
                "the provider takes the args and env of its entry, and they are used here";
            (Some(Finding::pass(NAME, message)), config)
        }
        Err(error) => {
            let message =
                format!("the provider does not take the args and env of its entry: {error}");
            let remedy = format!(
                "correct them in {}: every pull fails with them",
                entry.file.display()
            );
            (Some(Finding::fail(NAME, message, remedy)), config.clone())
        }
    }
}

/// A key that the program ignores: the setting that was meant has its default.
fn unknown_key(key: &UnknownKey) -> Finding {
    let remedy = "correct its name, or remove it: --help lists the settings";
    Finding::fail("config-file", key.to_string(), remedy)
}

/// The API server, and what only it knows. `by_hand` says where a login goes that our
/// own command line names: no process and no entry chooses whom it is sent to.
fn cluster(
    config: &Settings,
    by_hand: &cluster::Settings,
    deadline: Deadline,
    command: &Check,
    root: &Root,
    kubelet: &Kubelet,
    report: &mut Report,
) {
    let mut settings = config.cluster.clone();
    if let Some(kubeconfig) = &kubelet.kubeconfig {
        settings.kubelet_kubeconfig = Some(root.path(kubeconfig));
    }
    if let Some(proxies) = kubelet.proxies() {
        settings.proxy = proxies;
    }
    let (finding, endpoint) = api_server::check(root, &settings, deadline);
    report.add([finding]);
    let Some(endpoint) = endpoint else {
        return;
    };
    let named = match access::named(config, command, kubelet.entry.as_ref()) {
        Ok(named) => named,
        Err(finding) => {
            report.add([finding]);
            return;
        }
    };
    let (access, accepted) = access::check(root, command, &named, by_hand, &endpoint, deadline);
    let accepted = accepted.as_deref();
    let audience = |entry| api_server::audience(entry, &endpoint, accepted, deadline);
    report.add(kubelet.entry.as_ref().and_then(audience));
    report.add(access);
}
