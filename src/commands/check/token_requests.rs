//! Whether kubelet gets the tokens that the provider needs: since Kubernetes 1.33 a node
//! may request tokens only for audiences that its pods' volumes name, and for those that
//! are granted to it.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/>

use std::path::Path;

use provider::api_server::Settings;
use provider::deadline::Deadline;
use serde_json::json;

use super::kubelet::Entry;
use super::report::Finding;
use super::review::{REQUEST_AUDIENCE, may_node_request};
use super::reviewer::{REMEDY, Reviewer};
use crate::cli::{Check, CheckName};

const NAME: CheckName = CheckName::TokenRequests;
/// The name of the cluster role and of its binding, as in deploy/cluster/node-rbac.yaml.
const ROLE: &str = "crio-credential-provider";

/// Checks whether this `node` may request tokens of the service account for the audience
/// of the entry; `None` if the entry has no audience.
pub(super) fn check(
    command: &Check,
    entry: &Entry,
    node: Option<&str>,
    by_hand: &Settings,
    deadline: Deadline,
) -> Option<Finding> {
    let token = entry.provider.token_attributes.as_ref()?;
    let audience = &token.service_account_token_audience;
    let (Some(namespace), Some(account), Some(kubeconfig)) = (
        &command.namespace,
        &command.service_account,
        &command.kubeconfig_for_review,
    ) else {
        let why = format!("no login to review whether nodes may request tokens for {audience:?}");
        let remedy = "give -n NAMESPACE --service-account NAME --kubeconfig-for-review FILE";
        return Some(Finding::not_checked(NAME, &why, remedy));
    };
    let Some(node) = node else {
        let remedy = "run it on the node, or with --root, so that /etc/hostname is seen";
        return Some(Finding::not_checked(
            NAME,
            "the node's name is not known",
            remedy,
        ));
    };
    let account = (namespace.as_str(), account.as_str());
    let allowed = ask(kubeconfig, by_hand, deadline, node, account, audience);
    Some(match allowed {
        Ok(true) => {
            let message = format!("node {node:?} may request tokens for {audience:?}");
            Finding::pass(NAME, message)
        }
        Ok(false) => {
            let message = format!(
                "node {node:?} may not request tokens for {audience:?}: kubelet runs no provider without one"
            );
            Finding::fail(NAME, message, grant(audience))
        }
        Err(message) => Finding::warn(NAME, message, REMEDY),
    })
}

fn ask(
    kubeconfig: &Path,
    by_hand: &Settings,
    deadline: Deadline,
    node: &str,
    account: (&str, &str),
    audience: &str,
) -> Result<bool, String> {
    let reviewer = Reviewer::of(kubeconfig, by_hand, deadline)?;
    reviewer.ask(|client| may_node_request(client, node, account, audience))
}

/// The commands for the role and its binding to all nodes, in one line that an
/// administrator can run. kubectl cannot create a role from flags for a resource that the
/// API server does not have.
fn grant(audience: &str) -> String {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ROLE},
        "rules": [{"apiGroups": [""], "resources": [audience], "verbs": [REQUEST_AUDIENCE]}],
    });
    // In single quotes a shell leaves everything unchanged except single quotes.
    let role = role.to_string().replace('\'', "'\\''");
    format!(
        "echo '{role}' | kubectl apply -f -; kubectl create clusterrolebinding {ROLE} --clusterrole={ROLE} --group=system:nodes"
    )
}
