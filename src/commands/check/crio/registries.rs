//! Do CRI-O and the provider read the same registries.conf files?

use std::path::PathBuf;

use registries_conf::{Error, Options, Search};

use super::told;
use crate::commands::check::process::Process;
use crate::commands::check::registries::listed;
use crate::commands::check::report::{Finding, chain};
use crate::settings::Settings;

/// Checks CRI-O's flags against the provider's.
pub(super) fn check(config: &Settings, process: Option<&Process>) -> Finding {
    const NAME: &str = "crio-registries";
    let ours = config.registries.search();
    let options = process.map(options).unwrap_or_default();
    let remedy = remedy(&options);
    let theirs = Search {
        options,
        ..ours.clone()
    };
    match difference(&theirs, &ours) {
        None => {
            let files = shown(&ours.files());
            Finding::pass(NAME, format!("CRI-O and the provider read {files}"))
        }
        Some(difference) => Finding::fail(NAME, difference, remedy),
    }
}

/// The files that CRI-O's flags name.
fn options(process: &Process) -> Options {
    let path = |flag, variable| {
        let path = told(process, flag, variable).filter(|path| !path.is_empty())?;
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

/// How the files that CRI-O reads differ from those that the provider reads.
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
        Ok(files) => {
            let files: Vec<_> = files.iter().map(|path| path.to_string_lossy()).collect();
            let files: Vec<_> = files.iter().map(AsRef::as_ref).collect();
            listed(&files)
        }
        Err(error) => format!("none ({})", chain(error)),
    }
}
