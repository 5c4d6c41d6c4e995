//! kubelet's own credential providers on a node: shell scripts and a program that stand
//! in for those of clouds, and the configuration that names them.

use std::env;
use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{Node, Provider};

pub(crate) const CONFIG: &str = "etc/kubernetes/providers.yaml";
pub(crate) const BIN_DIR: &str = "usr/libexec/providers";
/// The directory of cached responses.
pub(crate) const CACHE: &str = "run/cache";
/// The file in which each run of a stand-in adds a line with the image that it was asked
/// for.
const ASKED: &str = "asked";
/// The file in which each run of `examples/node_provider.rs` adds a line of JSON; below the
/// directory in which the tests run everything.
const RUNS: &str = "runs";
/// That program, which cargo builds with the tests, but not for `cargo test --test it`.
static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    let test = env::current_exe().unwrap();
    let program = test
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/node_provider");
    if !program.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--example", "node_provider"]);
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.unwrap().success() && program.exists(), "{program:?}");
    }
    program.into_os_string().into_string().unwrap()
});

/// The entry of one provider, and its executable.
pub(crate) struct StandIn {
    name: String,
    match_images: Vec<String>,
    api_version: &'static str,
    default_cache_duration: &'static str,
    rest: String,
    /// `None`: [`PROGRAM`].
    script: Option<String>,
}

impl StandIn {
    /// A provider that is asked for images that match, and whose script prints the
    /// response.
    pub(crate) fn new(name: &str, match_images: &[&str], script: &str) -> Self {
        Self {
            name: name.to_owned(),
            match_images: match_images.iter().map(|&text| text.to_owned()).collect(),
            api_version: "credentialprovider.kubelet.k8s.io/v1",
            default_cache_duration: "0s",
            rest: String::new(),
            script: Some(script.to_owned()),
        }
    }

    /// A provider that is `examples/node_provider.rs`, with these arguments.
    pub(crate) fn program(name: &str, match_images: &[&str], arguments: &[&str]) -> Self {
        let stand_in = Self {
            script: None,
            ..Self::new(name, match_images, "")
        };
        let record = format!("--record={RUNS}");
        let arguments = [&[&*record], arguments].concat();
        stand_in.entry(&format!("  args: {}\n", json!(arguments)))
    }

    /// A provider whose response has one login, `user:password`, under a key.
    pub(crate) fn with_login(name: &str, match_image: &str, key: &str, login: &str) -> Self {
        Self::new(name, &[match_image], &print(&answer(&[(key, login)])))
    }

    pub(crate) fn api_version(mut self, version: &'static str) -> Self {
        self.api_version = version;
        self
    }

    pub(crate) fn default_cache_duration(mut self, duration: &'static str) -> Self {
        self.default_cache_duration = duration;
        self
    }

    /// Adds lines to its entry, in YAML.
    pub(crate) fn entry(mut self, yaml: &str) -> Self {
        self.rest += yaml;
        self
    }
}

/// A response with these logins, `user:password` by key, that is not cached.
pub(crate) fn answer(logins: &[(&str, &str)]) -> String {
    cacheable_response("Image", Some("0s"), logins)
}

/// A response with these logins that is cached with this `cacheKeyType` and
/// `cacheDuration`.
pub(crate) fn cacheable_response(
    kind: &str,
    duration: Option<&str>,
    logins: &[(&str, &str)],
) -> String {
    let auth: serde_json::Map<_, _> = logins
        .iter()
        .map(|&(key, login)| {
            let (username, password) = login.split_once(':').unwrap();
            (
                key.to_owned(),
                json!({"username": username, "password": password}),
            )
        })
        .collect();
    let mut answer = json!({
        "kind": "CredentialProviderResponse",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "cacheKeyType": kind,
        "auth": auth,
    });
    if let Some(duration) = duration {
        answer["cacheDuration"] = duration.into();
    }
    answer.to_string()
}

/// A script that prints a text.
pub(crate) fn print(text: &str) -> String {
    format!("cat <<'ANSWER'\n{text}\nANSWER\n")
}

impl Node {
    /// Configures kubelet with these providers.
    pub(crate) fn configure_providers(&self, providers: &[StandIn]) {
        let mut config =
            "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n"
                .to_owned();
        for provider in providers {
            let StandIn {
                name,
                match_images,
                api_version,
                default_cache_duration,
                rest,
                script,
            } = provider;
            writeln!(config, "- name: {name}\n  matchImages: {match_images:?}").unwrap();
            writeln!(config, "  apiVersion: {api_version}").unwrap();
            writeln!(config, "  defaultCacheDuration: {default_cache_duration}").unwrap();
            config += rest;
            let path = format!("{BIN_DIR}/{name}");
            let Some(script) = script else {
                fs::create_dir_all(self.path(BIN_DIR)).unwrap();
                self.copy_program(&PROGRAM, &path);
                continue;
            };
            let asked = self.path(ASKED);
            let program = format!(
                "#!/bin/sh\nread -r request\necho \"$0 $* $request\" >> {asked:?}\n{script}\n"
            );
            self.write(&path, program);
            self.set_mode(&path, 0o755);
        }
        self.write(CONFIG, config);
        for path in [
            CONFIG,
            "etc",
            "etc/kubernetes",
            "usr",
            "usr/libexec",
            BIN_DIR,
        ] {
            self.set_mode(path, if path == CONFIG { 0o644 } else { 0o755 });
        }
    }

    /// The runs of the providers, a line for each: the program, its arguments and its
    /// request.
    pub(crate) fn asked(&self) -> Vec<String> {
        if !self.path(ASKED).exists() {
            return Vec::new();
        }
        self.read(ASKED).lines().map(str::to_owned).collect()
    }

    /// The runs of `examples/node_provider.rs`: their arguments, environment, directory,
    /// image, and the process that was left.
    pub(crate) fn runs(&self) -> Vec<Value> {
        let lines = self.read(RUNS);
        let lines = lines.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Provider {
    /// Sets the flags for the providers of that node.
    pub(crate) fn with_node_providers(self, node: &Node, which: &str) -> Self {
        self.flag("--node-providers", which)
            .flag("--kubelet-provider-config", node.path(CONFIG))
            .flag("--kubelet-bin-dir", node.path(BIN_DIR))
            .flag("--provider-cache-dir", node.path(CACHE))
    }
}
