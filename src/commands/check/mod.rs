//! `check`: a preflight on a node, for every cause that makes pulls fail without a
//! message. It writes nothing, and sends a login to the API server only if it is given
//! one.
//!
//! Each module checks one thing and returns its findings; this one runs them in order.

mod report;
mod process;
mod program;
mod provider_settings;
mod registries;
mod auth_dir;
mod crio;
mod kubelet;
mod node_logins;
mod node_providers;
mod pull_intents;
mod binary;
mod api_server;
mod reviewer;
mod review;
mod user;
mod token_requests;
mod access;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;

use self::crio::Crio;
use self::kubelet::Kubelet;
use self::process::Process;
use self::report::{Finding, Report, Summary};
use super::output::{Printer, finish};
use super::root::Root;
use crate::cli::{Check, CheckName, Output};
use provider::deadline::Deadline;
use provider::logins::{GlobalFiles, GlobalTexts};
use provider::sandbox;
use provider::settings::Settings;

/// Prints the problems of this node; `arguments` is our own command line.
///
/// # Errors
/// A check has failed, or with `--strict` warned; all findings are printed before.
pub fn check(
    settings: &Settings,
    deadline: Deadline,
    command: &Check,
    arguments: impl IntoIterator<Item = OsString>,
    stdout: impl Write + IsTerminal,
) -> anyhow::Result<()> {
    let root = Root::new(command.root.directory.clone());
    let report = examine(settings, deadline, command, arguments, &root);
    let written = match command.output {
        Output::Text => report.print(command.quiet, Printer::new(stdout)),
        Output::Json => report.print_json(command.quiet, stdout),
    };
    finish(written)?;
    let Summary { pass, warn, fail } = report.summary();
    let all = pass + warn + fail;
    anyhow::ensure!(fail == 0, "{fail} of {all} checks failed");
    let is_fine = warn == 0 || !command.strict;
    anyhow::ensure!(
        is_fine,
        "{warn} of {all} checks warned, which --strict refuses"
    );
    Ok(())
}

fn examine(
    settings: &Settings,
    deadline: Deadline,
    command: &Check,
    arguments: impl IntoIterator<Item = OsString>,
    root: &Root,
) -> Report {
    let (seen, processes) = processes(root);
    let crio = Crio::among(root, &processes);
    if settings.sandbox {
        sandbox::forbid_writes();
    }
    // kubelet's flags and the provider's entry decide the paths of everything else.
    let kubelet = Kubelet::find(root, &settings.node_providers, &processes);
    let mut by_hand = root.apply(settings.clone()).cluster;
    by_hand.kubelet_kubeconfig = None;
    let entry = kubelet.entry.as_ref();
    let (found_in_settings, settings) =
        provider_settings::settings(settings, entry, arguments, root.directory());
    let auth_dir = settings.auth_dir.clone();
    let mut settings = root.apply(settings);
    settings.registries.environment = kubelet.environment();
    let (registries, found) = registries::check(&settings);

    let mut report = Report::without(&command.skip);
    report.add([seen]);
    report.add(found_in_settings);
    report.add(registries);
    report.add(auth_dir::check(root, &settings, &auth_dir));
    report.add(crio::check(root, &settings, crio.as_ref(), found.as_ref()));
    report.add(kubelet.check(root, found.as_ref()));
    let kubelet_dir = kubelet.root_dir();
    report.add([pull_intents::check(root, &settings, &kubelet_dir)]);
    let logins = |found| node_logins::check(root, &settings, found, &kubelet_dir);
    report.add(found.as_ref().map(logins));
    let in_run = entry.and_then(|entry| provider_settings::in_run(entry, root.directory()));
    let in_run = in_run.as_ref().map(|settings| &settings.node_providers);
    let texts = GlobalTexts::read(&settings.global_auth_files, &mut ());
    let files = &texts.decode(&mut ());
    let globals = GlobalFiles { files, deadline };
    let providers = |found| {
        node_providers::check(
            root,
            &kubelet,
            &settings.node_providers,
            in_run,
            found,
            &globals,
        )
    };
    report.add(found.as_ref().map(providers).unwrap_or_default());
    let bin_dir = kubelet.bin_dir.as_deref();
    report.add(bin_dir.map(|bin_dir| binary::check(root, bin_dir)));
    if !report.is_skipped(CheckName::ApiServer) {
        cluster(
            &settings,
            &by_hand,
            deadline,
            command,
            root,
            &kubelet,
            &mut report,
        );
    }
    report.complete();
    report.map_texts(|message| root.as_on_node(message));
    report
}

/// The node's programs; empty if `/proc` cannot be seen.
fn processes(root: &Root) -> (Finding, Vec<Process>) {
    match process::all(root) {
        Ok(processes) => {
            let message = match processes.len() {
                1 => "1 program of the node itself can be seen".to_owned(),
                count => format!("{count} programs of the node itself can be seen"),
            };
            (Finding::pass(CheckName::Proc, message), processes)
        }
        Err(error) => {
            let message = format!("{}: {error}", root.path(Path::new("/proc")).display());
            let remedy =
                "run it on the node, as root: otherwise kubelet's and CRI-O's flags cannot be seen";
            (Finding::warn(CheckName::Proc, message, remedy), Vec::new())
        }
    }
}

/// The checks that need the API server. For a login on our own command line only
/// `by_hand` chooses the server, never a process or an entry.
fn cluster(
    settings: &Settings,
    by_hand: &provider::api_server::Settings,
    deadline: Deadline,
    command: &Check,
    root: &Root,
    kubelet: &Kubelet,
    report: &mut Report,
) {
    let mut server_settings = settings.cluster.clone();
    if let Some(kubeconfig) = &kubelet.kubeconfig {
        server_settings.kubelet_kubeconfig = Some(root.path(kubeconfig));
    }
    if let Some(proxies) = kubelet.proxies() {
        server_settings.proxy = proxies;
    }
    let (finding, endpoint) = api_server::check(root, command, &server_settings, deadline);
    report.add([finding]);
    let Some(endpoint) = endpoint else {
        return;
    };
    let entry = kubelet.entry.as_ref();
    let (access, accepted) = match access::named(settings, command, entry) {
        Ok(named) => access::check(root, command, &named, by_hand, &endpoint, deadline),
        Err(finding) => (finding, None),
    };
    report.add([access]);
    let accepted = accepted.as_deref();
    let audience = |entry| api_server::audience(entry, &endpoint, accepted, deadline);
    report.add(entry.and_then(audience));
    let node = kubelet.node_name(root);
    let requests =
        |entry| token_requests::check(command, entry, node.as_deref(), by_hand, deadline);
    report.add(entry.and_then(requests));
}
