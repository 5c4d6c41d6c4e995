//! `cluster::Kubeconfig::parse`.

use std::path::Path;

use provider::api_server::{CaSource, Kubeconfig, KubeconfigError};

use crate::presentable::{
    MARKER, assert_no_marker, assert_readable, every_form, has_marker, line, planted,
};

const PATH: &str = "/etc/kubernetes/kubelet.conf";

/// Reads a kubeconfig.
///
/// - One that is accepted has a server; its CA is inside it, or a file whose path does not
///   depend on the working directory.
/// - A refusal is one readable line that names the file and quotes nothing.
/// - Users have no effect on the cluster, and their secrets do not appear anywhere.
pub fn kubeconfig(data: &[u8]) {
    one_kubeconfig(data);
    if let Some(planted) = planted(data, b' ') {
        one_kubeconfig(&planted);
    }
}

fn one_kubeconfig(data: &[u8]) {
    match parse(data) {
        Ok(kubeconfig) => {
            assert_ne!(kubeconfig.server, "");
            assert_eq!(kubeconfig.path, Path::new(PATH));
            match &kubeconfig.ca {
                Some(CaSource::File(path)) => assert!(path.is_absolute()),
                Some(CaSource::Inline(path, _)) => assert_eq!(path, Path::new(PATH)),
                None => {}
            }
            with_a_user(data, &kubeconfig);
        }
        Err(error) => {
            let line = line(&error);
            assert_readable(&line);
            assert!(line.contains(PATH), "{line}");
            assert_no_marker(&every_form(&error));
        }
    }
}

fn with_a_user(data: &[u8], kubeconfig: &Kubeconfig) {
    let user = format!("\nusers:\n- name: u\n  user: {{token: {MARKER}, password: [{MARKER}]}}\n");
    if let Ok(with_user) = parse(&[data, user.as_bytes()].concat()) {
        assert_eq!(&with_user, kubeconfig);
        if !has_marker(&String::from_utf8_lossy(data)) {
            assert_no_marker(&format!("{with_user:?}"));
        }
    }
}

fn parse(data: &[u8]) -> Result<Kubeconfig, KubeconfigError> {
    Kubeconfig::parse(Path::new(PATH), data)
}
