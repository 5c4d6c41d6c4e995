//! The rights of service accounts: the part of RBAC that the tests need.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{ServiceAccount, User};

/// Roles bound to service accounts in their own namespaces. Nothing is
/// granted by default.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    bindings: BTreeMap<ServiceAccount, Role>,
    /// Secrets by namespace and name that an account of another namespace may get.
    elsewhere: BTreeSet<(ServiceAccount, String, String)>,
    /// The audiences for which nodes may request tokens of service accounts.
    audiences: BTreeSet<String>,
}

/// An access in the terms of RBAC.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Access {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

#[derive(Debug, Default)]
struct Role {
    get_and_list: bool,
    get_by_name: BTreeSet<String>,
    review_others: bool,
}

impl Grants {
    /// Lets the account get and list the Secrets of its namespace.
    pub(crate) fn grant(&mut self, account: ServiceAccount) {
        self.bindings.entry(account).or_default().get_and_list = true;
    }

    /// Lets the account get Secrets of these names.
    pub(crate) fn grant_get(&mut self, account: ServiceAccount, names: &[&str]) {
        let role = self.bindings.entry(account).or_default();
        role.get_by_name
            .extend(names.iter().map(|&name| name.to_owned()));
    }

    /// Lets the account get a Secret of that namespace, which need not be its own.
    pub(crate) fn grant_elsewhere(&mut self, account: ServiceAccount, namespace: &str, name: &str) {
        let grant = (account, namespace.to_owned(), name.to_owned());
        self.elsewhere.insert(grant);
    }

    /// Lets the account review the access of others.
    pub(crate) fn grant_review(&mut self, account: ServiceAccount) {
        self.bindings.entry(account).or_default().review_others = true;
    }

    /// Lets all nodes request tokens of service accounts for that audience, as a
    /// `ClusterRole` that is bound to the group `system:nodes` does.
    pub(crate) fn grant_audience(&mut self, audience: &str) {
        self.audiences.insert(audience.to_owned());
    }

    /// Whether the groups of a user have this access; nodes are in a group.
    pub(crate) fn allow_groups(&self, groups: &[String], access: &Access) -> bool {
        groups.iter().any(|group| group == "system:nodes")
            && access.verb == "request-serviceaccounts-token-audience"
            && access.group.is_empty()
            && access.subresource.is_empty()
            && self.audiences.contains(&access.resource)
    }

    /// Revokes everything that was granted to the account.
    pub(crate) fn revoke(&mut self, account: &ServiceAccount) {
        self.bindings.remove(account);
    }

    /// Whether the user has this access.
    pub(crate) fn allow(&self, user: &User, access: &Access) -> bool {
        let User::ServiceAccount(account) = user else {
            return false;
        };
        // Every authenticated user may review its own access.
        if access.resource == "selfsubjectaccessreviews" {
            return access.group == "authorization.k8s.io" && access.verb == "create";
        }
        if access.resource == "subjectaccessreviews" {
            let role = self.bindings.get(account);
            return access.group == "authorization.k8s.io"
                && access.verb == "create"
                && role.is_some_and(|role| role.review_others);
        }
        let secrets = access.resource == "secrets"
            && access.group.is_empty()
            && access.subresource.is_empty();
        let place = (
            account.clone(),
            access.namespace.clone(),
            access.name.clone(),
        );
        if secrets && access.verb == "get" && self.elsewhere.contains(&place) {
            return true;
        }
        secrets
            && access.namespace == account.namespace
            && self
                .bindings
                .get(account)
                .is_some_and(|role| match access.verb.as_str() {
                    "list" => role.get_and_list,
                    "get" => role.get_and_list || role.get_by_name.contains(&access.name),
                    _ => false,
                })
    }
}
