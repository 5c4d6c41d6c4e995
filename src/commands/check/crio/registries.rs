//! Whether CRI-O and the provider read the same registries.conf files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use registries_conf::{Config as Registries, Environment, Error, Layout, Options, Search};

use super::build_info::BuildInfoError;
use super::flag_or_variable;
use super::library::Library;
use crate::cli::CheckName;
use crate::commands::check::process::Process;
use crate::commands::check::report::{Finding, chain, is_denied, listed};
use provider::crio;
use provider::node_version::Version;
use provider::settings::Settings;

/// The properties of the running CRI-O that decide which files it reads.
pub(super) struct Running<'a> {
    pub(super) process: &'a Process,
    pub(super) library: &'a Result<Library, BuildInfoError>,
    pub(super) version: Option<Version>,
}

/// Compares the files that CRI-O reads with those that the provider reads. The properties
/// that decide this are compared one at a time, so that each difference has its own
/// finding.
pub(super) fn check(
    settings: &Settings,
    running: &Running<'_>,
    found: Option<&Registries>,
) -> Vec<Finding> {
    let ours = settings.registries.search();
    let library = running.library.as_ref().ok();
    let layout = library.and_then(|library| library.layout);
    let layout = layout.or_else(|| running.version.map(crio::layout));
    let process = running.process;
    let environment = process
        .sees_environment()
        .then(|| Environment::new(|name| process.variable(name).map(OsString::from)));
    let theirs = Search {
        layout: layout.unwrap_or(ours.layout),
        options: options(process),
        environment: environment
            .clone()
            .unwrap_or_else(|| ours.environment.clone()),
        ..ours.clone()
    };
    let mut findings = vec![
        flags(&theirs, &ours),
        layouts(&theirs, &ours, running.library),
        variables(&theirs, &ours, environment.is_some()),
    ];
    findings.extend(found.map(|found| format(&theirs, library, found)));
    findings
}

fn flags(theirs: &Search, ours: &Search) -> Finding {
    const NAME: CheckName = CheckName::CrioRegistries;
    let exchanged = Search {
        options: ours.options.clone(),
        ..theirs.clone()
    };
    match difference(theirs, &exchanged) {
        None => {
            let files = shown(&theirs.files());
            Finding::pass(NAME, format!("CRI-O and the provider read {files}"))
        }
        Some(difference) => Finding::fail(NAME, difference, remedy(&theirs.options)),
    }
}

fn layouts(theirs: &Search, ours: &Search, library: &Result<Library, BuildInfoError>) -> Finding {
    const NAME: CheckName = CheckName::RegistriesLayout;
    let used = flag_value(ours.layout);
    let library = match library {
        Ok(library) if library.layout.is_some() => &library.name,
        Ok(library) => {
            let message = format!(
                "CRI-O has {}, a version between releases: it may not look for registries.conf where the provider does (layout {used})",
                library.name
            );
            return Finding::warn(
                NAME,
                message,
                "compare /usr/share/doc/crio-credential-provider/docs/registries-files.md",
            );
        }
        Err(error) => {
            let message = format!(
                "not known: the executable of CRI-O does not have the version of containers/image: {}",
                chain(error)
            );
            let remedy =
                "look for go.podman.io/image in the output of: go version -m $(which crio)";
            let remedy = if is_denied(error) {
                "run it as root"
            } else {
                remedy
            };
            return Finding::warn(NAME, message, remedy);
        }
    };
    let exchanged = Search {
        layout: ours.layout,
        ..theirs.clone()
    };
    let layout = flag_value(theirs.layout);
    match difference(theirs, &exchanged) {
        None if layout == used => {
            Finding::pass(NAME, format!("CRI-O has {library}: layout {layout}"))
        }
        None => {
            let message = format!(
                "CRI-O has {library}: layout {layout}, the provider uses {used}; both find the same files here"
            );
            Finding::pass(NAME, message)
        }
        Some(difference) => {
            let message = format!("CRI-O has {library}: {difference}");
            let remedy = format!("give the provider --registries-conf-layout {layout}");
            Finding::warn(NAME, message, remedy)
        }
    }
}

/// The value of `--registries-conf-layout`.
fn flag_value(layout: Layout) -> &'static str {
    match layout {
        Layout::V5_38 => "5.38",
        Layout::V5_41 => "5.41",
    }
}

fn variables(theirs: &Search, ours: &Search, is_known: bool) -> Finding {
    const NAME: CheckName = CheckName::RegistriesEnv;
    if !is_known {
        let message = "not checked: the environment of CRI-O cannot be seen";
        return Finding::warn(NAME, message, "run it as root");
    }
    let exchanged = Search {
        environment: ours.environment.clone(),
        ..theirs.clone()
    };
    let Some(difference) = difference(theirs, &exchanged) else {
        let message = "the environments of CRI-O and of the provider lead to the same files";
        return Finding::pass(NAME, message);
    };
    let values = Environment::VARIABLES.into_iter();
    let values = values
        .zip(theirs.environment.values())
        .zip(ours.environment.values());
    let different = values.filter(|((_, theirs), ours)| theirs != ours);
    let different: Vec<_> = different
        .map(|((name, theirs), ours)| {
            format!(
                "{name} is {} for CRI-O, {} for the provider",
                set(theirs),
                set(ours)
            )
        })
        .collect();
    Finding::warn(
        NAME,
        format!("{}: {difference}", different.join(", ")),
        "set it for both, or for neither: env of the provider's entry, kubelet's and CRI-O's service",
    )
}

fn set(value: Option<&Path>) -> String {
    let quoted = |value: &Path| format!("{:?}", value.to_string_lossy());
    value.map_or_else(|| "not set".to_owned(), quoted)
}

/// A file in the v1 format, which only older versions of CRI-O read.
fn format(theirs: &Search, library: Option<&Library>, found: &Registries) -> Finding {
    const NAME: CheckName = CheckName::RegistriesFormat;
    const REMEDY: &str = "write unqualified-search-registries and [[registry]] instead of [registries.search], .insecure and .block";
    let Some(origin) = found.v1() else {
        return Finding::pass(NAME, "none is in the v1 format");
    };
    match (theirs.layout, library) {
        (Layout::V5_41, Some(library)) => {
            let message = format!("{origin}: {} refuses the v1 format", library.name);
            Finding::fail(NAME, message, REMEDY)
        }
        (Layout::V5_41 | Layout::V5_38, _) => {
            let message = format!("{origin}: CRI-O from 1.38 on refuses the v1 format");
            Finding::warn(NAME, message, REMEDY)
        }
    }
}

/// The files that CRI-O's flags name.
fn options(process: &Process) -> Options {
    let path = |flag, variable| {
        let path = flag_or_variable(process, flag, variable).filter(|path| !path.is_empty())?;
        Some(process.absolute(&path))
    };
    Options {
        main: path("registries-conf", "CONTAINER_REGISTRIES_CONF"),
        drop_in_dir: path("registries-conf-dir", "CONTAINER_REGISTRIES_CONF_DIR"),
    }
}

fn remedy(options: &Options) -> String {
    let named = [
        ("--registries-conf", &options.main),
        ("--registries-conf-dir", &options.drop_in_dir),
    ];
    let (mut given, mut others) = (Vec::new(), Vec::new());
    for (flag, path) in named {
        match path {
            Some(path) => given.push(format!("{flag} {}", path.display())),
            None => others.push(flag),
        }
    }
    match (given.as_slice(), others.as_slice()) {
        ([], others) => format!("give the provider no {}", others.join(" and no ")),
        (given, []) => format!("give the provider {}", given.join(" ")),
        (given, others) => format!(
            "give the provider {} and no {}",
            given.join(" "),
            others.join(" and no ")
        ),
    }
}

/// The difference between the files that CRI-O reads and those that the provider reads.
fn difference(theirs: &Search, ours: &Search) -> Option<String> {
    if theirs == ours {
        return None;
    }
    match (theirs.files(), ours.files()) {
        (Ok(theirs), Ok(ours)) if theirs == ours => None,
        (theirs, ours) => Some(format!(
            "CRI-O reads {}, the provider {}",
            shown(&theirs),
            shown(&ours)
        )),
    }
}

fn shown(files: &Result<Vec<PathBuf>, Error>) -> String {
    match files {
        Ok(files) if files.is_empty() => "no file".to_owned(),
        Ok(files) => listed(files.iter().map(|path| path.display())),
        Err(error) => format!("none ({})", chain(error)),
    }
}
