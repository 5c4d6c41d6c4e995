//! A node, laid out in a temporary directory.

#![expect(
    clippy::disallowed_methods,
    reason = "the test owns its temporary directory: nothing in it needs to be private or atomic"
)]

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Cluster, NAMESPACE, Provider};

pub(crate) const REGISTRIES: &str = "etc/containers/registries.conf";
pub(crate) const DROP_INS: &str = "etc/containers/registries.conf.d";
pub(crate) const AUTH_DIR: &str = "etc/crio/auth";
pub(crate) const GLOBAL: &str = "var/lib/kubelet/config.json";
pub(crate) const ENV_FILE: &str = "etc/kubernetes/apiserver-url.env";
pub(crate) const PULL_INTENTS: &str = "var/lib/kubelet/image_manager/pulling";
pub(crate) const CA: &str = "etc/kubernetes/pki/ca.crt";

const EARLIER: &str = r#"{"auths":{"earlier.example":{"auth":"dTpw"}}}"#;

/// The root directory of a node.
pub(crate) struct Node {
    root: TempDir,
}

impl Node {
    /// A node with nothing on it.
    pub(crate) fn new() -> Self {
        let root = TempDir::new().unwrap();
        Self { root }
    }

    /// A node on which images of `docker.io` come from `mirror.example`.
    pub(crate) fn with_mirror() -> Self {
        Self::with_mirrors(&["mirror.example"])
    }

    /// A node on which images of `docker.io` come from these mirrors.
    pub(crate) fn with_mirrors(locations: &[&str]) -> Self {
        let mut text = "[[registry]]\nlocation = \"docker.io\"\n".to_owned();
        for location in locations {
            write!(text, "[[registry.mirror]]\nlocation = \"{location}\"\n").unwrap();
        }
        Self::with_registries(&text)
    }

    /// A node with that registries.conf.
    pub(crate) fn with_registries(text: &str) -> Self {
        let node = Self::new();
        node.write(REGISTRIES, text);
        node
    }

    /// Adds the node's own logins.
    pub(crate) fn and_global_auth(self, json: &str) -> Self {
        self.write(GLOBAL, json);
        self
    }

    /// The provider as kubelet runs it on this node, with the settings for the cluster,
    /// and nothing of the machine on which the test runs.
    pub(crate) fn provider(&self, cluster: &Cluster) -> Provider {
        self.write(CA, cluster.server.ca_pem());
        self.provider_without_cluster()
            .token(&cluster.token)
            .flag("--api-server", cluster.server.url())
            .flag("--certificate-authority", self.path(CA))
    }

    /// The provider without settings for the API server. The main file in its flags must
    /// exist, and is empty if the test wrote none.
    pub(crate) fn provider_without_cluster(&self) -> Provider {
        if !self.path(REGISTRIES).exists() {
            self.write(REGISTRIES, "");
        }
        Provider::new(self.path(""))
            .flag("--config-file", "")
            .flag("--registries-conf", self.path(REGISTRIES))
            .flag("--registries-conf-dir", self.path(DROP_INS))
            .flag("--auth-dir", self.path(AUTH_DIR))
            .flag("--global-auth-file", self.path(GLOBAL))
            .flag("--api-server-env-file", self.path(ENV_FILE))
            .flag("--lock-file", self.path("run/lock"))
            .flag("--pull-intents-dir", self.path(PULL_INTENTS))
            .flag("--timeout", "1m")
    }

    /// A path below the node's root.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(relative)
    }

    /// Writes a file, and creates its directories.
    pub(crate) fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Copies a program that every user may run, and returns the path of the copy.
    ///
    /// cp(1) does it: a process that another thread of the tests forks meanwhile would
    /// keep the copy open for writing, and the copy could not be run ("Text file busy").
    pub(crate) fn copy_program(&self, program: &str, relative: &str) -> PathBuf {
        let path = self.path(relative);
        let status = Command::new("cp").arg(program).arg(&path).status();
        assert!(status.unwrap().success(), "cp {program}");
        self.set_mode(&path, 0o755);
        path
    }

    /// The path of the auth file for an image and the pod's namespace.
    pub(crate) fn auth_path(&self, image: &str) -> PathBuf {
        let mut name = format!("{AUTH_DIR}/{NAMESPACE}-");
        for byte in Sha256::digest(image.as_bytes()) {
            write!(name, "{byte:02x}").unwrap();
        }
        self.path(name + ".json")
    }

    /// The auth file that CRI-O would find for an image and the pod's namespace.
    pub(crate) fn auth_file(&self, image: &str) -> Option<Value> {
        match fs::read(self.auth_path(image)) {
            Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => panic!("{image}: {error}"),
        }
    }

    /// Leaves an auth file as an earlier run would have, some seconds ago.
    pub(crate) fn leave_auth_file(&self, image: &str) {
        let path = self.auth_path(image);
        self.write(&path, EARLIER);
        self.set_mode(AUTH_DIR, 0o700);
        self.set_mode(&path, 0o600);
        self.age(path, Duration::from_secs(10));
    }

    /// The content of [`leave_auth_file`](Self::leave_auth_file).
    pub(crate) fn earlier_auth_file() -> Value {
        serde_json::from_str(EARLIER).unwrap()
    }

    /// Removes the auth file, as CRI-O does.
    pub(crate) fn remove_auth_file(&self, image: &str) {
        fs::remove_file(self.auth_path(image)).unwrap_or_default();
    }

    /// Removes the temporary files that a killed run has left.
    pub(crate) fn remove_temporary_files(&self) {
        for name in self.auth_dir_names() {
            if name.starts_with('.') {
                fs::remove_file(self.path(AUTH_DIR).join(name)).unwrap();
            }
        }
    }

    /// The text of a file.
    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> String {
        fs::read_to_string(self.path(relative)).unwrap()
    }

    /// The permission bits of a file or directory.
    pub(crate) fn mode(&self, relative: impl AsRef<Path>) -> u32 {
        let metadata = fs::symlink_metadata(self.path(relative)).unwrap();
        metadata.permissions().mode() & 0o7777
    }

    /// Sets the permission bits of a file or directory.
    pub(crate) fn set_mode(&self, relative: impl AsRef<Path>, mode: u32) {
        fs::set_permissions(self.path(relative), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Sets the time of the last write to `age` ago.
    pub(crate) fn age(&self, relative: impl AsRef<Path>, age: Duration) {
        let file = fs::File::open(self.path(relative)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    /// The names in the auth directory, sorted; none where it does not exist.
    pub(crate) fn auth_dir_names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(AUTH_DIR)) else {
            return Vec::new();
        };
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// Every regular file of the node with its content.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut directories = vec![self.path("")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    directories.push(entry.path());
                } else if kind.is_file() {
                    found.push((entry.path(), fs::read(entry.path()).unwrap()));
                }
            }
        }
        found
    }
}
