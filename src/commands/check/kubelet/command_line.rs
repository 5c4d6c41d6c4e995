//! kubelet's command line. On most distributions kubelet is a process of its own; on k3s
//! and `MicroK8s` it is a part of another process.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use kubernetes_yaml::{Entry, Node, Value};

use super::{BIN_DIR_FLAG, CONFIG_FLAG, NAME, files, plain};
use crate::commands::check::process::Process;
use crate::commands::check::report::Finding;
use crate::commands::root::Root;
use provider::parent;

/// k3s passes these on where both are there (k3s: `ImageCredProvAvailable`).
const K3S_BIN_DIR: &str = "/var/lib/rancher/credentialprovider/bin";
const K3S_CONFIG: &str = "/var/lib/rancher/credentialprovider/config.yaml";
/// The kubeconfig that k3s writes for its kubelet.
const K3S_KUBECONFIG: &str = "/var/lib/rancher/k3s/agent/kubelet.kubeconfig";
const K3S_FILE: &str = "/etc/rancher/k3s/config.yaml";

/// The command line of a kubelet.
#[derive(Debug)]
pub(super) struct CommandLine {
    /// Its description, for messages.
    pub(super) what: String,
    /// The process that contains it.
    pub(super) process: Process,
    /// Why some arguments cannot be read, and the remedy.
    pub(super) hidden: Option<&'static str>,
    /// The file of arguments that cannot be used.
    pub(super) unusable: Option<Finding>,
    arguments: Vec<String>,
}

impl CommandLine {
    /// The kubelet among the node's processes.
    pub(super) fn among(root: &Root, processes: &[Process]) -> Option<Self> {
        let named = |names: &[&str]| {
            let mut processes = processes.iter();
            processes
                .find(|process| names.contains(&process.name()))
                .cloned()
        };
        named(&["kubelet"])
            .map(Self::of_process)
            .or_else(|| {
                let second = |process: &&Process| {
                    process.name() == "hyperkube"
                        && process
                            .arguments
                            .get(1)
                            .is_some_and(|name| name == "kubelet")
                };
                processes.iter().find(second).cloned().map(Self::of_process)
            })
            .or_else(|| Some(Self::kubelite(root, named(&["kubelite"])?)))
            .or_else(|| Some(Self::k3s(root, named(&["k3s", "k3s-agent", "k3s-server"])?)))
            .or_else(|| Some(Self::microshift(named(&["microshift"])?)))
    }

    /// The value of a flag.
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        flag(&self.arguments, name)
    }

    /// The path that a flag names.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        let path = self.process.absolute(self.flag(name)?);
        Some(plain(&path))
    }

    fn of_process(process: Process) -> Self {
        Self {
            what: format!("kubelet (process {})", process.id),
            hidden: None,
            unusable: None,
            arguments: process.arguments.clone(),
            process,
        }
    }

    /// `MicroK8s`: kubelet's flags are in a file, one per line.
    fn kubelite(root: &Root, process: Process) -> Self {
        let file = process.flag("kubelet-args-file");
        let file = file.map_or_else(
            || PathBuf::from("/var/snap/microk8s/current/args/kubelet"),
            |file| process.absolute(file),
        );
        let (text, unusable) = match files::text(root, &file, NAME) {
            Ok(text) => (text, None),
            Err(finding) => (String::new(), Some(finding)),
        };
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let arguments = lines.flat_map(str::split_whitespace).map(expanded);
        Self {
            what: format!(
                "kubelet (in kubelite, process {}, {})",
                process.id,
                file.display()
            ),
            hidden: None,
            unusable,
            arguments: arguments.collect(),
            process,
        }
    }

    /// k3s hides its command line, so its configuration file and its defaults are read.
    fn k3s(root: &Root, process: Process) -> Self {
        let mut arguments = process.arguments.clone();
        let (mut said, unusable) = match k3s_configuration(root) {
            Ok(said) => (said, None),
            Err(finding) => (BTreeMap::new(), Some(finding)),
        };
        let kubelet = said.remove("kubelet-arg").unwrap_or_default();
        arguments.extend(kubelet.iter().map(|argument| {
            let argument = argument.trim_start_matches('-');
            format!("--{argument}")
        }));
        let mut last = |name| said.remove(name).and_then(|mut values| values.pop());
        let is_there = |path: &str| root.path(Path::new(path)).exists();
        let both = is_there(K3S_BIN_DIR) && is_there(K3S_CONFIG);
        let flags = [
            (BIN_DIR_FLAG, last(BIN_DIR_FLAG), K3S_BIN_DIR, both),
            (CONFIG_FLAG, last(CONFIG_FLAG), K3S_CONFIG, both),
            ("kubeconfig", None, K3S_KUBECONFIG, is_there(K3S_KUBECONFIG)),
        ];
        for (name, said, usual, is_there) in flags {
            let value = said.or_else(|| is_there.then(|| usual.to_owned()));
            if let Some(value) = value.filter(|_| flag(&arguments, name).is_none()) {
                arguments.push(format!("--{name}={value}"));
            }
        }
        Self {
            what: format!("kubelet (in k3s, process {})", process.id),
            hidden: Some(
                "put both into /var/lib/rancher/credentialprovider, where k3s looks, or give their paths with --kubelet-provider-config and --kubelet-bin-dir",
            ),
            unusable,
            arguments,
            process,
        }
    }

    fn microshift(process: Process) -> Self {
        Self {
            what: format!("kubelet (in MicroShift, process {})", process.id),
            hidden: Some("say where with --kubelet-provider-config and --kubelet-bin-dir"),
            unusable: None,
            arguments: Vec::new(),
            process,
        }
    }
}

fn flag<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    parent::flag(arguments.iter().map(String::as_str), name)
}

/// k3s's configuration file, and the files of the directory next to it in the order of
/// their names. A later file replaces a flag of an earlier one, or adds to it if the key
/// ends in `+` (k3s: `configfilearg`).
fn k3s_configuration(root: &Root) -> Result<BTreeMap<String, Vec<String>>, Finding> {
    let directory = PathBuf::from(format!("{K3S_FILE}.d"));
    let is_yaml = |path: &Path| {
        let end = path.extension().and_then(OsStr::to_str);
        matches!(end, Some("yaml" | "yml"))
    };
    let mut paths = vec![PathBuf::from(K3S_FILE)];
    paths.extend(files::drop_ins(root, &directory, NAME, is_yaml)?);
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in paths {
        let said = files::yaml(root, &path, NAME)?;
        for Entry { key, value, .. } in said.iter().flat_map(Node::entries) {
            let values = if let Value::Sequence(values) = &value.value {
                values.iter().filter_map(scalar).collect()
            } else {
                scalar(value).into_iter().collect()
            };
            match key.strip_suffix('+') {
                Some(key) => all.entry(key.to_owned()).or_default().extend(values),
                None => drop(all.insert(key.clone(), values)),
            }
        }
    }
    Ok(all)
}

fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.as_str().to_owned()),
        Value::Number(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

/// `MicroK8s` runs with these variables.
fn expanded(argument: &str) -> String {
    let argument = argument.trim_matches(['"', '\'']);
    argument
        .replace("${SNAP_DATA}", "/var/snap/microk8s/current")
        .replace("$SNAP_DATA", "/var/snap/microk8s/current")
        .replace("${SNAP_COMMON}", "/var/snap/microk8s/common")
        .replace("${SNAP}", "/snap/microk8s/current")
}
