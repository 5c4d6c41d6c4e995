//! A node and a namespace of a given size, laid out in a temporary directory, with
//! the stand-in for the API server.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;
use test_cluster::{ApiServer, Secret};

/// The port at which a provider without flags expects the API server.
const WELL_KNOWN_PORT: u16 = 6443;

/// The content of a scene. The image is `docker.io/library/nginx`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// Mirrors of docker.io.
    pub(crate) mirrors: usize,
    /// Secrets with a login for one of the mirrors.
    pub(crate) matching: usize,
    /// Secrets with a login for something else.
    pub(crate) other: usize,
    /// Registries in registries.conf that are not docker.io.
    pub(crate) registries: usize,
    /// Whether each of those has a mirror too.
    pub(crate) mirrored: bool,
    /// Short names in a drop-in, as distributions ship them.
    pub(crate) short_names: usize,
    /// Whether a credential provider of the node has a login for the first mirror, in a
    /// response that is cached.
    pub(crate) node_provider: bool,
}

/// The number of short names in the shortnames.conf of current distributions.
const SHORT_NAMES: usize = 130;

/// [`NO_MIRROR`], with the short names of a distribution.
pub(crate) const NO_MIRROR_BUT_SHORT_NAMES: Scene = Scene {
    name: "no mirror, short names",
    short_names: SHORT_NAMES,
    ..NO_MIRROR
};

/// The same with the number of short names that enterprise distributions ship.
pub(crate) const NO_MIRROR_BUT_MANY_SHORT_NAMES: Scene = Scene {
    name: "no mirror, 500 short names",
    short_names: 500,
    ..NO_MIRROR
};

/// [`ONE_SECRET`], with the short names of a distribution.
pub(crate) const ONE_SECRET_AND_SHORT_NAMES: Scene = Scene {
    short_names: SHORT_NAMES,
    ..ONE_SECRET
};

/// [`ONE_SECRET`] among others that do not match.
pub(crate) const ONE_OF_1_000: Scene = Scene {
    name: "1 of 1,000 Secrets matches",
    other: 999,
    ..ONE_SECRET
};

/// As many Secrets as mirrors, each with a login for one of them.
pub(crate) const MANY_MIRRORS: Scene = Scene {
    name: "1,000 mirrors, a Secret for each",
    mirrors: 1_000,
    matching: 1_000,
    ..NO_MIRROR
};

/// Typical nodes, from nothing to do to a large namespace.
pub(crate) const SCENES: [Scene; 6] = [
    NO_MIRROR,
    NO_MIRROR_BUT_SHORT_NAMES,
    ONE_SECRET,
    ONE_OF_1_000,
    Scene {
        name: "1,000 Secrets match",
        matching: 1_000,
        ..ONE_SECRET
    },
    Scene {
        name: "500 of 5,000 Secrets match",
        matching: 500,
        other: 4_500,
        ..ONE_SECRET
    },
];

pub(crate) const NO_MIRROR: Scene = Scene {
    name: "no mirror",
    mirrors: 0,
    matching: 0,
    other: 0,
    registries: 0,
    mirrored: false,
    short_names: 0,
    node_provider: false,
};

pub(crate) const ONE_SECRET: Scene = Scene {
    name: "1 Secret",
    mirrors: 1,
    matching: 1,
    ..NO_MIRROR
};

/// [`ONE_SECRET`], with the login of a provider of the node in place of the Secret.
pub(crate) const NODE_PROVIDER: Scene = Scene {
    name: "1 node provider",
    matching: 0,
    other: 1,
    node_provider: true,
    ..ONE_SECRET
};

/// kubelet's configuration of its providers, and one of them.
const PROVIDERS: &str = "providers.yaml";
const PROVIDER: &str = "provider";

/// Below a scene's root: where its runs leave their auth files.
pub(crate) const AUTH_DIR: &str = "auth";

/// A scene that is laid out: files below `root`, and a server that listens.
pub(crate) struct Stage {
    pub(crate) server: ApiServer,
    directory: TempDir,
}

impl Scene {
    pub(crate) fn lay_out(&self) -> Result<Stage> {
        self.serve_by(ApiServer::start())
    }

    /// The same, with the API server where every provider finds it.
    pub(crate) fn lay_out_at_well_known_port(&self) -> Result<Stage> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, WELL_KNOWN_PORT));
        let server = ApiServer::builder().listen(address).try_start()?;
        self.serve_by(server)
    }

    fn serve_by(&self, server: ApiServer) -> Result<Stage> {
        server.grant("team-a", "default");
        for number in 0..self.matching {
            let host = mirror(number % self.mirrors.max(1));
            server.put_secret("team-a", secret(&format!("match-{number:05}"), &host));
        }
        for number in 0..self.other {
            server.put_secret(
                "team-a",
                secret(&format!("other-{number:05}"), &registry(number)),
            );
        }
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        fs::create_dir_all(root.join("registries.conf.d"))?;
        fs::create_dir_all(root.join(AUTH_DIR))?;
        fs::write(root.join("registries.conf"), self.registries_conf()?)?;
        if self.short_names > 0 {
            let path = root.join("registries.conf.d/000-shortnames.conf");
            fs::write(path, self.aliases()?)?;
        }
        fs::write(root.join("ca.crt"), server.ca_pem())?;
        if self.node_provider {
            put_node_provider(root)?;
        }
        let token = server.token("team-a", "default");
        fs::write(root.join("request.json"), request(&token))?;
        Ok(Stage { server, directory })
    }

    fn registries_conf(&self) -> Result<String> {
        let mut text = "[[registry]]\nlocation = \"docker.io\"\n".to_owned();
        for number in 0..self.mirrors {
            let host = mirror(number);
            write!(text, "[[registry.mirror]]\nlocation = \"{host}\"\n")?;
        }
        for number in 0..self.registries {
            let host = registry(number);
            write!(text, "[[registry]]\nlocation = \"{host}\"\n")?;
            if self.mirrored {
                write!(
                    text,
                    "[[registry.mirror]]\nlocation = \"mirror.local/{host}\"\n"
                )?;
            }
        }
        Ok(text)
    }

    fn aliases(&self) -> Result<String> {
        let mut text = "[aliases]\n".to_owned();
        for number in 0..self.short_names {
            if number % 5 == 0 {
                writeln!(
                    text,
                    "  # Images of Team {number}: https://example.com/{number}"
                )?;
            }
            writeln!(
                text,
                "  \"image-{number}\" = \"registry.example.com/team-{number}/image-{number}\""
            )?;
        }
        Ok(text)
    }
}

impl Stage {
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn request(&self) -> PathBuf {
        self.root().join("request.json")
    }

    /// Our flags for this scene.
    pub(crate) fn flags(&self, url: &str, auth_dir: &str) -> Vec<String> {
        let at = |name: &str| self.root().join(name).display().to_string();
        let flags = [
            ("--registries-conf", at("registries.conf")),
            ("--registries-conf-dir", at("registries.conf.d")),
            ("--global-auth-file", String::new()),
            ("--auth-dir", at(auth_dir)),
            ("--api-server", url.to_owned()),
            ("--certificate-authority", at("ca.crt")),
        ];
        let words = flags
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value]);
        words.collect()
    }

    /// A run of our provider in this scene.
    pub(crate) fn command(&self, provider: &Path) -> Command {
        self.command_at(provider, &self.server.url())
    }

    /// The same, with another URL of the API server.
    pub(crate) fn command_at(&self, provider: &Path, url: &str) -> Command {
        self.command_with(provider, self.flags(url, AUTH_DIR))
    }

    /// The same as on another node: runs of one node take turns.
    pub(crate) fn command_of_node(&self, provider: &Path, node: usize) -> Command {
        let auth_dir = format!("{AUTH_DIR}-{node}");
        self.command_with(provider, self.flags(&self.server.url(), &auth_dir))
    }

    fn command_with(&self, provider: &Path, flags: Vec<String>) -> Command {
        let mut command = Command::new(provider);
        // Use variables: an older version that is compared does not support the flags.
        command.env_clear().envs([
            (
                "CRIO_CREDENTIAL_PROVIDER_LOCK_FILE",
                self.root().join("lock"),
            ),
            (
                "CRIO_CREDENTIAL_PROVIDER_PULL_INTENTS_DIR",
                self.root().join("pulling"),
            ),
        ]);
        if self.root().join(PROVIDERS).exists() {
            let at = |name: &str| self.root().join(name);
            command.env("CRIO_CREDENTIAL_PROVIDER_NODE_PROVIDERS", "auto");
            command.envs([
                (
                    "CRIO_CREDENTIAL_PROVIDER_KUBELET_PROVIDER_CONFIG",
                    at(PROVIDERS),
                ),
                ("CRIO_CREDENTIAL_PROVIDER_KUBELET_BIN_DIR", at("")),
                ("CRIO_CREDENTIAL_PROVIDER_PROVIDER_CACHE_DIR", at("cache")),
            ]);
        }
        command.args(flags);
        command
    }
}

/// Adds a provider that answers at once, with a response that is cached for an hour.
fn put_node_provider(root: &Path) -> Result<()> {
    let config = format!(
        "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n\
         - name: {PROVIDER}\n  matchImages: [\"*.local\"]\n  defaultCacheDuration: 1h\n  \
         apiVersion: credentialprovider.kubelet.k8s.io/v1\n"
    );
    let answer = r#"{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","cacheKeyType":"Registry","auth":{"mirror.local":{"username":"user","password":"password"}}}"#;
    fs::write(root.join(PROVIDERS), config)?;
    let program = root.join(PROVIDER);
    fs::write(&program, format!("#!/bin/sh\necho '{answer}'\n"))?;
    for (path, mode) in [(&program, 0o755), (&root.join(PROVIDERS), 0o644)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Passes the request as kubelet writes it, and ignores the response. Removes the auth
/// file of the run before, as CRI-O does.
pub(crate) fn feed(command: &mut Command, request: &Path) -> Result<()> {
    take_auth_files(request)?;
    let file = File::open(request).with_context(|| request.display().to_string())?;
    command
        .stdin(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(())
}

/// Removes the auth files of earlier runs in the scene of that request.
pub(crate) fn take_auth_files(request: &Path) -> Result<()> {
    for entry in fs::read_dir(request.with_file_name(AUTH_DIR))? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

fn mirror(number: usize) -> String {
    match number {
        0 => "mirror.local".to_owned(),
        _ => format!("mirror-{number}.local"),
    }
}

fn registry(number: usize) -> String {
    format!("registry-{number:05}.example.com")
}

fn secret(name: &str, host: &str) -> Secret {
    let login = format!(r#"{{"auths":{{"{host}":{{"auth":"dXNlcjpwYXNzd29yZA=="}}}}}}"#);
    Secret::docker_config_json(name, &login)
}

fn request(token: &str) -> String {
    format!(
        r#"{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"docker.io/library/nginx","serviceAccountToken":"{token}"}}"#
    )
}
