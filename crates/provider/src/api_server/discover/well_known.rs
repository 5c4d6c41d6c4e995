//! The paths of kubelet's kubeconfig and the API server's CA in known distributions.

use std::path::Path;

use tracing::debug;

use crate::api_server::kubeconfig::Kubeconfig;
use crate::api_server::tls::CaSource;

/// The paths of a distribution, below the root.
pub(super) struct Distribution {
    /// Its names, for messages.
    pub(super) names: &'static str,
    /// kubelet's kubeconfigs.
    pub(super) kubeconfigs: &'static [&'static str],
    /// Files with the API server's CA.
    pub(super) certificate_authorities: &'static [&'static str],
}

/// The distributions, in the order in which they are tried.
pub(super) const WELL_KNOWN: [Distribution; 8] = [
    Distribution {
        names: "kubeadm, kind",
        kubeconfigs: &["etc/kubernetes/kubelet.conf"],
        certificate_authorities: &["etc/kubernetes/pki/ca.crt"],
    },
    Distribution {
        names: "OpenShift",
        kubeconfigs: &["var/lib/kubelet/kubeconfig"],
        // Not kubelet-ca.crt: that one signs client certificates.
        certificate_authorities: &[],
    },
    Distribution {
        names: "MicroShift",
        kubeconfigs: &["var/lib/microshift/resources/kubelet/kubeconfig"],
        certificate_authorities: &[],
    },
    Distribution {
        names: "EKS, AKS, GKE",
        kubeconfigs: &["var/lib/kubelet/kubeconfig"],
        certificate_authorities: &[
            "etc/kubernetes/pki/ca.crt",
            "etc/kubernetes/certs/ca.crt",
            "etc/srv/kubernetes/pki/ca-certificates.crt",
        ],
    },
    Distribution {
        names: "k3s, rke2",
        kubeconfigs: &[
            "var/lib/rancher/k3s/agent/kubelet.kubeconfig",
            "var/lib/rancher/rke2/agent/kubelet.kubeconfig",
        ],
        certificate_authorities: &[
            "var/lib/rancher/k3s/agent/server-ca.crt",
            "var/lib/rancher/rke2/agent/server-ca.crt",
        ],
    },
    Distribution {
        names: "MicroK8s",
        kubeconfigs: &["var/snap/microk8s/current/credentials/kubelet.config"],
        certificate_authorities: &["var/snap/microk8s/current/certs/ca.crt"],
    },
    Distribution {
        names: "k0s",
        kubeconfigs: &["var/lib/k0s/kubelet.conf"],
        certificate_authorities: &["var/lib/k0s/pki/ca.crt"],
    },
    Distribution {
        names: "Talos",
        kubeconfigs: &["etc/kubernetes/kubeconfig-kubelet"],
        certificate_authorities: &["etc/kubernetes/pki/ca.crt"],
    },
];

/// The first kubeconfig of the table that is valid, and its distribution.
pub(super) fn kubeconfig(root: &Path) -> Option<(Kubeconfig, &'static str)> {
    WELL_KNOWN.iter().find_map(|row| {
        let mut paths = row.kubeconfigs.iter();
        let kubeconfig = paths.find_map(|path| read(&root.join(path)))?;
        Some((kubeconfig, row.names))
    })
}

/// The CA of the first kubeconfig or CA file of the table that exists.
pub(super) fn certificate_authority(root: &Path) -> Option<CaSource> {
    WELL_KNOWN.iter().find_map(|row| {
        let mut kubeconfigs = row.kubeconfigs.iter();
        let files = row.certificate_authorities.iter();
        kubeconfigs
            .find_map(|path| read(&root.join(path))?.ca)
            .or_else(|| {
                let mut paths = files.map(|path| root.join(path));
                let path = paths.find(|path| path.is_file());
                path.map(CaSource::File)
            })
    })
}

fn read(path: &Path) -> Option<Kubeconfig> {
    match Kubeconfig::read(path) {
        Ok(kubeconfig) => Some(kubeconfig),
        Err(error) if error.is_not_found() => None,
        Err(error) => {
            let error = anyhow::Error::new(error);
            debug!("passed over: {error:#}");
            None
        }
    }
}
