//! The pods of a manifest: their images, namespace and service accounts.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/>

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::manifest::{Expected, Item, as_json};
use provider::service_account::Namespace;

const PODS: Expected = Expected {
    what: "pods",
    one: "Kubernetes object",
    command: "kubectl get pods -o yaml",
};
/// The most images of a manifest, more than the containers that a node runs.
const MAX_IMAGES: usize = 1000;
/// The service account of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";
/// The lists of a pod's containers.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// The pods of a manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pods {
    /// The namespace of all pods, if they have one.
    pub(super) namespace: Option<Namespace>,
    /// The service accounts of the pods.
    pub(super) accounts: BTreeSet<String>,
    /// The images of the pods' containers and image volumes, each once, in order.
    pub(super) images: Vec<String>,
}

/// Reads the pods of a manifest, and the pod templates of workloads; other objects are
/// left out.
///
/// # Errors
/// A file that cannot be read or has no pods, and pods of several namespaces.
pub(super) fn read(file: &Path, stdin: &mut (impl Read + IsTerminal)) -> anyhow::Result<Pods> {
    let bytes = PODS.read(file, stdin)?;
    let pods = || {
        let mut pods = Pods::default();
        for Item { json, kind } in PODS.items(&as_json(&bytes)?)? {
            // A value that is not an object is not a pod.
            let mut object: Value = serde_json::from_str(json.get()).unwrap_or_default();
            if let (Some(kind), Some(fields)) = (kind, object.as_object_mut()) {
                fields.entry("kind").or_insert(kind.into());
            }
            pods.add(&object)?;
        }
        ensure!(
            !pods.accounts.is_empty(),
            "it has neither a pod nor a workload with pods"
        );
        Ok(pods)
    };
    pods().with_context(|| PODS.called(file))
}

impl Pods {
    fn add(&mut self, object: &Value) -> anyhow::Result<()> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let spec = text("/kind").and_then(pod_spec);
        let Some(spec) = spec.and_then(|spec| object.pointer(spec)) else {
            return Ok(());
        };
        if let Some(namespace) = text("/metadata/namespace") {
            let namespace = Namespace::parse(namespace).context("metadata.namespace")?;
            if let Some(other) = &self.namespace
                && *other != namespace
            {
                bail!(
                    "it has pods of the namespaces {other} and {namespace}: give a file for each"
                );
            }
            self.namespace = Some(namespace);
        }
        let text = |field: &str| spec.get(field).and_then(Value::as_str);
        let account = text("serviceAccountName").or_else(|| text("serviceAccount"));
        let account = account.filter(|name| !name.is_empty());
        self.accounts
            .insert(account.unwrap_or(DEFAULT_ACCOUNT).to_owned());
        let list = |field: &str| spec.get(field).and_then(Value::as_array);
        let containers = CONTAINERS.into_iter().filter_map(list).flatten();
        let images = containers.filter_map(|container| container.get("image"));
        let volumes = list("volumes").into_iter().flatten();
        let in_volumes = volumes.filter_map(|volume| volume.pointer("/image/reference"));
        for image in images.chain(in_volumes).filter_map(Value::as_str) {
            if !self.images.iter().any(|known| known == image) {
                ensure!(
                    self.images.len() < MAX_IMAGES,
                    "it has more than {MAX_IMAGES} images"
                );
                self.images.push(image.to_owned());
            }
        }
        Ok(())
    }
}

/// The JSON pointer to the specification of the pods in an object of that kind.
fn pod_spec(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some("/spec"),
        "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "ReplicationController" => Some("/spec/template/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        "PodTemplate" => Some("/template/spec"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods(objects: &[Value]) -> anyhow::Result<Pods> {
        let mut pods = Pods::default();
        objects.iter().try_for_each(|object| pods.add(object))?;
        Ok(pods)
    }

    #[test]
    fn every_image_of_a_pod_is_found_in_each_kind_of_workload() {
        let spec = json!({
            "serviceAccountName": "app",
            "containers": [{"name": "a", "image": "nginx:1"}, {"image": "quay.io/x"}, {"image": "nginx:1"}],
            "initContainers": [{"image": "init"}],
            "ephemeralContainers": [{"image": "debug"}],
            "volumes": [{"name": "v", "image": {"reference": "data"}}, {"emptyDir": {}}],
        });
        let template = json!({"template": {"spec": spec}});
        for (kind, content) in [
            ("Pod", json!({"spec": spec})),
            ("Deployment", json!({"spec": template})),
            ("ReplicaSet", json!({"spec": template})),
            ("StatefulSet", json!({"spec": template})),
            ("DaemonSet", json!({"spec": template})),
            ("Job", json!({"spec": template})),
            (
                "CronJob",
                json!({"spec": {"jobTemplate": {"spec": template}}}),
            ),
            ("PodTemplate", template.clone()),
        ] {
            let mut object = content;
            object["kind"] = json!(kind);
            object["metadata"] = json!({"name": "x", "namespace": "team-a"});
            let expected = Pods {
                namespace: Some(Namespace::parse("team-a").unwrap()),
                accounts: ["app".to_owned()].into(),
                images: ["init", "nginx:1", "quay.io/x", "debug", "data"]
                    .map(str::to_owned)
                    .to_vec(),
            };
            assert_eq!(pods(&[object]).unwrap(), expected, "{kind}");
        }
    }

    #[test]
    fn pods_are_of_one_namespace_and_have_accounts() {
        let pod = |namespace: &str, field: &str| json!({"kind": "Pod", "metadata": {"namespace": namespace}, "spec": {field: "app"}});
        let both = pods(&[pod("a", "serviceAccount"), pod("a", "serviceAccountName")]).unwrap();
        assert_eq!(both.accounts, ["app".to_owned()].into());
        let none = pods(&[pod("a", "x")]).unwrap();
        assert_eq!(none.accounts, [DEFAULT_ACCOUNT.to_owned()].into());
        assert!(pods(&[pod("a", "x"), pod("b", "x")]).is_err());
        assert!(pods(&[pod("../x", "x")]).is_err());
        for other in [
            json!({"kind": "Service", "spec": {}}),
            json!(5),
            json!({"kind": "Pod"}),
        ] {
            assert_eq!(pods(&[other]).unwrap(), Pods::default());
        }
    }
}
