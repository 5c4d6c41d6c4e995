//! Nodes without any problem that `check` could find, laid out as by each distribution.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use super::go_program::go_program;
use super::{Cluster, Node, Outcome, Provider};

const BIN_DIR: &str = "/usr/libexec/kubelet-image-credential-provider-plugins";
const CONFIG: &str = "/etc/kubernetes/credential-providers.yaml";

/// The relevant paths and flags of a distribution.
pub(crate) struct Distribution {
    pub(crate) name: &'static str,
    /// kubelet's command line, without the two flags for providers.
    kubelet: &'static str,
    kubeconfig: &'static str,
    /// The API server's CA, if it is not in the kubeconfig.
    ca: Option<&'static str>,
    pub(crate) bin_dir: &'static str,
    pub(crate) config: &'static str,
    /// How kubelet gets these two flags.
    flags: Flags,
}

enum Flags {
    /// On its command line.
    Given,
    /// By their default paths.
    Usual,
    /// In this file.
    File(&'static str),
    /// They cannot be found: the administrator has to give them.
    Hidden,
}

impl Distribution {
    const KUBEADM: Self = Self {
        name: "kubeadm",
        kubelet: "/usr/bin/kubelet\0--kubeconfig=/etc/kubernetes/kubelet.conf\0--config=/var/lib/kubelet/config.yaml",
        kubeconfig: "/etc/kubernetes/kubelet.conf",
        ca: None,
        bin_dir: BIN_DIR,
        config: CONFIG,
        flags: Flags::Given,
    };

    /// All distributions.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            Self::KUBEADM,
            Self {
                name: "OpenShift",
                kubelet: "/usr/bin/kubelet\0--config=/etc/kubernetes/kubelet.conf\0--kubeconfig=/var/lib/kubelet/kubeconfig",
                kubeconfig: "/var/lib/kubelet/kubeconfig",
                config: "/etc/kubernetes/credential-providers/generic-credential-provider.yaml",
                ..Self::KUBEADM
            },
            Self {
                name: "MicroShift",
                kubelet: "microshift\0run",
                kubeconfig: "/var/lib/microshift/resources/kubelet/kubeconfig",
                flags: Flags::Hidden,
                ..Self::KUBEADM
            },
            Self {
                name: "EKS",
                kubelet: "/usr/bin/kubelet\0--kubeconfig\0/var/lib/kubelet/kubeconfig",
                kubeconfig: "/var/lib/kubelet/kubeconfig",
                ca: Some("/etc/kubernetes/pki/ca.crt"),
                bin_dir: "/etc/eks/image-credential-provider",
                config: "/etc/eks/image-credential-provider/config.json",
                ..Self::KUBEADM
            },
            Self {
                name: "k3s",
                kubelet: "/usr/local/bin/k3s agent\0\0\0\0",
                kubeconfig: "/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
                ca: Some("/var/lib/rancher/k3s/agent/server-ca.crt"),
                bin_dir: "/var/lib/rancher/credentialprovider/bin",
                config: "/var/lib/rancher/credentialprovider/config.yaml",
                flags: Flags::Usual,
            },
            Self {
                name: "RKE2",
                kubelet: "kubelet\0--kubeconfig=/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
                kubeconfig: "/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
                ca: Some("/var/lib/rancher/rke2/agent/server-ca.crt"),
                bin_dir: "/var/lib/rancher/credentialprovider/bin",
                config: "/var/lib/rancher/credentialprovider/config.yaml",
                flags: Flags::Given,
            },
            Self {
                name: "MicroK8s",
                kubelet: "/snap/microk8s/1234/kubelite\0--kubelet-args-file=/var/snap/microk8s/1234/args/kubelet",
                kubeconfig: "/var/snap/microk8s/current/credentials/kubelet.config",
                flags: Flags::File("/var/snap/microk8s/current/args/kubelet"),
                ..Self::KUBEADM
            },
            Self {
                name: "k0s",
                kubelet: "/var/lib/k0s/bin/kubelet\0--kubeconfig=/var/lib/k0s/kubelet.conf",
                kubeconfig: "/var/lib/k0s/kubelet.conf",
                ca: Some("/var/lib/k0s/pki/ca.crt"),
                ..Self::KUBEADM
            },
            Self {
                name: "Talos",
                kubelet: "/usr/local/bin/kubelet\0--kubeconfig=/etc/kubernetes/kubeconfig-kubelet",
                kubeconfig: "/etc/kubernetes/kubeconfig-kubelet",
                ..Self::KUBEADM
            },
        ]
    }
}

/// A node of a distribution, and the paths of its files.
pub(crate) struct ReadyNode {
    pub(crate) node: Node,
    pub(crate) cluster: Cluster,
    arguments: Vec<String>,
}

impl ReadyNode {
    /// A node of kubeadm, which most tests change in one place.
    pub(crate) fn new() -> Self {
        Self::of(&Distribution::KUBEADM)
    }

    /// A node of that distribution, with an API server that it finds.
    pub(crate) fn of(distribution: &Distribution) -> Self {
        let cluster = Cluster::new();
        let node = Node::with_mirror();
        let ready = Self {
            node,
            cluster,
            arguments: Vec::new(),
        };
        ready.put_links();
        ready.write("/etc/hostname", "Worker-1\n");
        ready.put_crio();
        ready.put_cluster(distribution);
        ready.put_provider(distribution);
        let arguments = ready.put_kubelet(distribution);
        ready.settle(distribution);
        Self { arguments, ..ready }
    }

    /// Adds absolute links, as on real nodes, which must not lead out of the root.
    fn put_links(&self) {
        let link = |target: &str, path: &str| {
            let path = self.node.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        };
        fs::create_dir_all(self.node.path("run")).unwrap();
        link("/run", "var/run");
        link("1234", "var/snap/microk8s/current");
        fs::create_dir_all(self.node.path("var/snap/microk8s/1234")).unwrap();
    }

    fn put_crio(&self) {
        let conf = "[crio.image]\nglobal_auth_file = \"/var/lib/kubelet/config.json\"\n";
        self.write("/etc/crio/crio.conf.d/10-crio.conf", conf);
        self.write("/run/crio/version", r#""1.36.1+0123abc""#);
        self.process(700, "/usr/bin/crio\0");
        self.put_library("go.podman.io/image/v5", "v5.38.0");
        fs::create_dir_all(self.node.path("etc/crio/auth/in-use")).unwrap();
    }

    fn put_cluster(&self, distribution: &Distribution) {
        let server = &self.cluster.server;
        let mut kubeconfig = server.kubeconfig();
        if let Some(ca) = distribution.ca {
            self.write(ca, server.ca_pem());
            let lines = kubeconfig.lines().map(|line| {
                if line.contains("certificate-authority-data:") {
                    format!("    certificate-authority: {ca}\n")
                } else {
                    format!("{line}\n")
                }
            });
            kubeconfig = lines.collect();
        }
        if distribution.name == "OpenShift" {
            let port = self.cluster.port();
            let address =
                format!("KUBERNETES_SERVICE_HOST='127.0.0.1'\nKUBERNETES_SERVICE_PORT='{port}'\n");
            self.write("/etc/kubernetes/apiserver-url.env", address);
            let configuration =
                "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\n";
            self.write("/etc/kubernetes/kubelet.conf", configuration);
        }
        self.write(distribution.kubeconfig, kubeconfig);
    }

    fn put_provider(&self, distribution: &Distribution) {
        let provider = json!({
            "name": "crio-credential-provider",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "matchImages": ["docker.io"],
            "defaultCacheDuration": "0s",
            "tokenAttributes": {
                "serviceAccountTokenAudience": "https://kubernetes.default.svc",
                "cacheType": "Token",
                "requireServiceAccount": false,
            },
        });
        self.put_entry(distribution.config, &provider);
        let binary = format!("{}/crio-credential-provider", distribution.bin_dir);
        self.write(&binary, "#!/bin/false\n");
    }

    /// kubelet's configuration with that provider, older than kubelet; JSON is YAML too.
    pub(crate) fn put_entry(&self, path: &str, provider: &serde_json::Value) {
        let file = json!({
            "apiVersion": "kubelet.config.k8s.io/v1",
            "kind": "CredentialProviderConfig",
            "providers": [provider],
        });
        self.write(path, file.to_string());
        let before_kubelet = Duration::from_secs(60);
        self.node.age(path.trim_start_matches('/'), before_kubelet);
    }

    fn put_kubelet(&self, distribution: &Distribution) -> Vec<String> {
        let (bin_dir, config) = (distribution.bin_dir, distribution.config);
        let flags = [
            format!("--image-credential-provider-bin-dir={bin_dir}"),
            format!("--image-credential-provider-config={config}"),
        ];
        let mut command_line = distribution.kubelet.to_owned();
        let mut arguments = Vec::new();
        match distribution.flags {
            Flags::Given => command_line = format!("{command_line}\0{}\0", flags.join("\0")),
            Flags::Usual => {}
            Flags::File(file) => self.write(file, flags.join("\n")),
            Flags::Hidden => {
                arguments = vec![
                    format!("--kubelet-bin-dir={bin_dir}"),
                    format!("--kubelet-provider-config={config}"),
                ];
            }
        }
        self.process(812, &command_line);
        // A container's process, and a shell, must not be taken for kubelet.
        self.process(900, "sh\0-c\0kubelet\0");
        arguments
    }

    /// Puts a program into `/proc`, started now and without any environment.
    pub(crate) fn process(&self, id: u32, command_line: &str) {
        self.write(&format!("/proc/{id}/cmdline"), command_line);
        self.write(&format!("/proc/{id}/environ"), "");
        let since_boot = clock_gettime(ClockId::Boottime);
        let ticks = since_boot.tv_sec * 100;
        let stat = format!("{id} (kubelet) S 1{} {ticks} 0\n", " 0".repeat(17));
        self.write(&format!("/proc/{id}/stat"), stat);
    }

    /// Builds CRI-O with that module.
    pub(crate) fn put_library(&self, module: &str, version: &str) {
        self.write("/proc/700/exe", go_program(module, version));
    }

    /// The modes that nodes have, whatever the umask is here.
    fn settle(&self, distribution: &Distribution) {
        let mut directories = vec![self.node.path("")];
        while let Some(directory) = directories.pop() {
            self.node.set_mode(&directory, 0o755);
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    directories.push(entry.path());
                } else if kind.is_file() {
                    let mode = fs::Permissions::from_mode(0o644);
                    fs::set_permissions(entry.path(), mode).unwrap();
                }
            }
        }
        self.node.set_mode("etc/crio/auth", 0o700);
        let binary = format!("{}/crio-credential-provider", distribution.bin_dir);
        self.node.set_mode(binary.trim_start_matches('/'), 0o755);
    }

    /// Writes a file of the node.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let below = Path::new(path).strip_prefix("/").unwrap();
        self.node.write(below, content);
    }

    /// Runs `check` on the node.
    pub(crate) fn check(&self, arguments: &[&str]) -> Outcome {
        let own = self.arguments.iter().map(String::as_str);
        let arguments: Vec<_> = own.chain(arguments.iter().copied()).collect();
        let root = self.node.path("");
        let check = ["check", "--root", root.to_str().unwrap()];
        Provider::new(root.clone()).run_with(&[&check, &arguments[..]].concat())
    }
}
