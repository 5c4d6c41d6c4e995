//! Every setting of the plugin, declared once: its flag, its environment variable,
//! its default and its help text.
//!
//! The plugin's own command line, `--help`, the man pages and the completions are made
//! from this table.

/// One setting: the flag `--NAME` and an environment variable.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag's name without its dashes.
    pub name: &'static str,
    /// The environment variable: `CRIO_CREDENTIAL_PROVIDER_` and the name.
    pub variable: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// The value, or the values of a list, if none is given.
    pub default: &'static [&'static str],
    /// Its purpose, in one paragraph.
    pub help: &'static str,
}

/// The type of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A switch: on or off, without a value.
    Switch,
    /// One value; the text is the placeholder in help texts.
    One(&'static str),
    /// A list, as a repeated flag or separated by colons.
    List(&'static str),
    /// One of these values, each with its help text, after the placeholder.
    Choice(&'static str, &'static [(&'static str, &'static str)]),
}

macro_rules! settings {
    ($($constant:ident { $name:literal, $variable:literal, $kind:expr, $default:expr, $help:literal $(,)? })*) => {
        $(
            #[doc = $help]
            pub(super) const $constant: &Setting = &Setting {
                name: $name,
                variable: concat!("CRIO_CREDENTIAL_PROVIDER_", $variable),
                kind: $kind,
                default: $default,
                help: $help,
            };
        )*

        /// All of them, in the order of help texts.
        pub const ALL: &[&Setting] = &[$($constant),*];
    };
}

/// `make REGISTRIES_CONF=...` sets a default.
const REGISTRIES_CONF_PATHS: &[&str] = match option_env!("REGISTRIES_CONF") {
    Some(path) if !path.is_empty() => &[path],
    _ => &[],
};

settings! {
    CONFIG_FILE {
        "config-file", "CONFIG_FILE", Kind::One("FILE"), &["/etc/crio/credential-provider.toml"],
        "File with settings, each under its flag's name without the dashes, in TOML; flags and \
         environment override it. It must belong to root, and only root may write to it",
    }
    REGISTRIES_CONF {
        "registries-conf", "REGISTRIES_CONF", Kind::One("FILE"), REGISTRIES_CONF_PATHS,
        "CRI-O's --registries-conf: the main file instead of the default ones. It must exist",
    }
    REGISTRIES_CONF_DIR {
        "registries-conf-dir", "REGISTRIES_CONF_DIR", Kind::One("DIR"), &[],
        "CRI-O's --registries-conf-dir: the only directory of drop-ins instead of the \
         default ones",
    }
    REGISTRIES_CONF_LAYOUT {
        "registries-conf-layout", "REGISTRIES_CONF_LAYOUT",
        Kind::Choice("LAYOUT", &[
            ("auto", "As the CRI-O on this node: up to 1.37 as 5.38, else as 5.41"),
            ("5.38", "As containers/image up to 5.39"),
            ("5.41", "As containers/image since 5.40"),
        ]),
        &["auto"],
        "Where to look for registries.conf and its drop-ins. auto reads the version in \
         CRI-O's version file",
    }
    AUTH_DIR {
        "auth-dir", "AUTH_DIR", Kind::One("DIR"), &["/etc/crio/auth"],
        "Directory of auth files: CRI-O's `namespaced_auth_dir`",
    }
    GLOBAL_AUTH_FILE {
        "global-auth-file", "GLOBAL_AUTH_FILE", Kind::List("FILE"), &["/var/lib/kubelet/config.json"],
        "Auth file with the node's own logins, carried over into every auth file; \
         repeatable, and separated by colons in the environment. The first file wins",
    }
    SECRET_NAME {
        "secret-name", "SECRET_NAME", Kind::List("NAME"), &[],
        "Pull Secret that counts for service accounts that name none; repeatable, and \
         separated by colons in the environment. Only those named are read, and the first \
         counts most. By default all of the namespace are listed",
    }
    SECRETS_ANNOTATION {
        "secrets-annotation", "SECRETS_ANNOTATION", Kind::One("ANNOTATION"),
        &["credential-provider.crio.io/secrets"],
        "Annotation in which a service account names its pull Secrets, with commas between \
         them: \"credential-provider.crio.io/secrets: mirror-login, team-cache\". Empty: \
         none counts",
    }
    SECRETS {
        "secrets", "SECRETS",
        Kind::Choice("POLICY", &[
            ("required", "The run fails for a pod that may not read them"),
            ("if-allowed", "A pod that may not read them is served without them"),
            ("never", "They are not read: only shared Secrets and the node's logins are used"),
        ]),
        &["required"],
        "Whether the Secrets of the pod's namespace are read; before the name of a subcommand",
    }
    SHARED_SECRET {
        "shared-secret", "SHARED_SECRET", Kind::List("NAMESPACE/NAME"), &[],
        "Secret of any namespace that counts for every pod whose service account may get \
         it, after those of the pod's own namespace; repeatable, and separated by colons in \
         the environment. The first counts most",
    }
    UNMIRRORED {
        "unmirrored", "UNMIRRORED", Kind::Switch, &[],
        "Serve images without a mirror too: every image that kubelet asks for gets the \
         logins of its namespace, so that pods need no imagePullSecrets",
    }
    NODE_PROVIDERS {
        "node-providers", "NODE_PROVIDERS", Kind::List("NAME"), &["off"],
        "Which of kubelet's own credential providers are run for the mirrors of an image, as \
         kubelet would run them for an image of that name: off, auto for all of them, or their \
         names, repeatable or separated by commas",
    }
    KUBELET_PROVIDER_CONFIG {
        "kubelet-provider-config", "KUBELET_PROVIDER_CONFIG", Kind::One("FILE"), &[],
        "kubelet's --image-credential-provider-config, where its command line cannot be seen",
    }
    KUBELET_BIN_DIR {
        "kubelet-bin-dir", "KUBELET_BIN_DIR", Kind::One("DIR"), &[],
        "kubelet's --image-credential-provider-bin-dir, where its command line cannot be seen",
    }
    PROVIDER_CACHE_DIR {
        "provider-cache-dir", "PROVIDER_CACHE_DIR", Kind::One("DIR"),
        &["/run/crio-credential-provider"],
        "Directory of cached responses of node providers, which set how long they are cached",
    }
    KUBECONFIG {
        "kubeconfig", "KUBECONFIG", Kind::One("FILE"), &[],
        "kubeconfig with the address of the API server; its user is never used",
    }
    API_SERVER {
        "api-server", "API_SERVER", Kind::One("URL"), &[],
        "URL of the API server",
    }
    CERTIFICATE_AUTHORITY {
        "certificate-authority", "CERTIFICATE_AUTHORITY", Kind::One("FILE"), &[],
        "File with the CA certificates that verify the API server, in PEM",
    }
    TLS_SERVER_NAME {
        "tls-server-name", "TLS_SERVER_NAME", Kind::One("NAME"), &[],
        "Name that the API server's certificate must have, if not its host's",
    }
    INSECURE_SKIP_TLS_VERIFY {
        "insecure-skip-tls-verify", "INSECURE_SKIP_TLS_VERIFY", Kind::Switch, &[],
        "Do not verify the API server's certificate: any server that answers gets the token",
    }
    API_SERVER_ENV_FILE {
        "api-server-env-file", "API_SERVER_ENV_FILE", Kind::One("FILE"),
        &["/etc/kubernetes/apiserver-url.env"],
        "File with `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, as OpenShift \
         has it on its nodes",
    }
    TIMEOUT {
        "timeout", "TIMEOUT", Kind::One("DURATION"), &["45s"],
        "Limit of the whole run, such as 45s or 1m30s; kubelet ends a provider after 1m",
    }
    LOCK_FILE {
        "lock-file", "LOCK_FILE", Kind::One("FILE"), &["/run/crio-credential-provider/lock"],
        "File by which runs for one auth file take turns; it is created, with its directory",
    }
    PULL_INTENTS_DIR {
        "pull-intents-dir", "PULL_INTENTS_DIR", Kind::One("DIR"),
        &["/var/lib/kubelet/image_manager/pulling"],
        "kubelet's records of announced pulls, which show whether an auth file \
         still waits for one. Without them, CRI-O's `in-use` shows which pulls are under way",
    }
    STALE_AFTER {
        "stale-after", "STALE_AFTER", Kind::One("DURATION"), &["15m"],
        "Age from which auth files that no pull has taken are removed, such as 1h; 0 never \
         removes any",
    }
    NO_EMPTY_LOGIN {
        "no-empty-login", "NO_EMPTY_LOGIN", Kind::Switch, &[],
        "Always answer `auth: {}`: kubelet then lets every pod of the node run a private \
         image that one of them pulled",
    }
    NO_SANDBOX {
        "no-sandbox", "NO_SANDBOX", Kind::Switch, &[],
        "Do not confine the process with Landlock",
    }
    LOG_LEVEL {
        "log-level", "LOG_LEVEL",
        Kind::Choice("LEVEL", &[
            ("error", "Only failures"),
            ("warn", "Also what was skipped"),
            ("info", "Also the outcome"),
            ("debug", "Also each decision"),
            ("trace", "Everything"),
        ]),
        &["info"],
        "The least severe lines that are logged",
    }
    LOG_FORMAT {
        "log-format", "LOG_FORMAT",
        Kind::Choice("FORMAT", &[
            ("text", "For people"),
            ("json", "One JSON object a line, for collectors"),
        ]),
        &["text"],
        "Format of log lines on stderr",
    }
}

impl Kind {
    /// Whether the flag takes a value.
    pub fn takes_value(self) -> bool {
        self != Self::Switch
    }

    /// Whether the flag may be repeated.
    pub fn is_list(self) -> bool {
        matches!(self, Self::List(_))
    }
}

/// The setting of this name.
pub fn named(name: &str) -> Option<&'static Setting> {
    ALL.iter().copied().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_the_environment_variable_of_its_name() {
        for setting in ALL {
            let name = setting.name.to_uppercase().replace('-', "_");
            assert_eq!(setting.variable, format!("CRIO_CREDENTIAL_PROVIDER_{name}"));
        }
    }

    #[test]
    fn only_lists_have_several_defaults_and_switches_none() {
        for setting in ALL {
            let most = match setting.kind {
                Kind::Switch => 0,
                Kind::One(_) | Kind::Choice(..) => 1,
                Kind::List(_) => usize::MAX,
            };
            assert!(setting.default.len() <= most, "{}", setting.name);
        }
    }
}
