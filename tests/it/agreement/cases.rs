//! Random nodes and namespaces, most of which have something unusual or broken.

use std::fmt::Write;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::support::{NGINX, base64};

/// The content of one node and one namespace.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) image: &'static str,
    pub(super) registries: String,
    pub(super) secrets: Vec<Value>,
    /// Secrets that are in the file with the others, but not in the namespace.
    foreign: Vec<Value>,
    pub(super) globals: Vec<String>,
    /// The annotation of the service account.
    pub(super) annotation: Option<String>,
    /// The value of the node's flag.
    pub(super) flag: Option<String>,
    layout: Layout,
}

/// The format of the file with the Secrets.
#[derive(Debug, Clone, Copy)]
enum Layout {
    JsonList,
    JsonDocuments,
    YamlList,
    YamlDocuments,
}

fn locations() -> impl Strategy<Value = &'static str> {
    select(vec![
        "m.x",
        "m.x:5000",
        "n.x/hub",
        "a.n.x",
        "docker.io",
        "hub.x/lib",
        "m.x/y:tag",
        "M X",
    ])
}

prop_compose! {
    fn registry()(
        prefix in select(vec!["docker.io", "docker.io", "docker.io", "docker.io/library", "*.io", "quay.io"]),
        location in prop::option::weighted(0.3, locations()),
        mirrors in prop::collection::vec(locations(), 1..5),
        blocked in prop::bool::weighted(0.05),
    ) -> String {
        let location = location.unwrap_or(if prefix.starts_with('*') { "" } else { prefix });
        let mut text = format!("[[registry]]\nprefix = \"{prefix}\"\nblocked = {blocked}\n");
        if !location.is_empty() {
            writeln!(text, "location = \"{location}\"").unwrap();
        }
        for mirror in mirrors {
            writeln!(text, "[[registry.mirror]]\nlocation = \"{mirror}\"").unwrap();
        }
        text
    }
}

fn keys() -> impl Strategy<Value = &'static str> {
    select(vec![
        "m.x",
        "m.x:5000",
        "*.x",
        "m.*",
        "*.x:5000",
        "m.x/library",
        "m.x:5000/library/nginx",
        "n.x",
        "n.x/hub",
        "n.x/hub/library/nginx",
        "*.n.x",
        "docker.io",
        "hub.x/lib",
        "https://index.docker.io/v1/",
        "https://m.x",
        "m.x/",
        "m.x/lib",
        "elsewhere.x",
        "\n",
    ])
}

fn entry() -> impl Strategy<Value = Value> {
    let user = select(vec!["alice", "bob", "carol"]);
    prop_oneof![
        6 => user.clone().prop_map(|user| json!({"auth": base64(&format!("{user}:p"))})),
        2 => user.prop_map(|user| json!({"username": user, "password": "p", "email": "e"})),
        1 => Just(json!({"auth": base64("dave:p"), "identitytoken": "t"})),
        1 => select(vec![
            json!({}), json!(5), json!({"auth": "!"}), json!({"auth": 5}), json!({"username": "a:b"}),
            json!({"auth": base64("nobody")}), json!({"auth": base64(":p")}), json!(null),
        ]),
    ]
}

fn auths() -> impl Strategy<Value = Map<String, Value>> {
    let entries = prop::collection::vec((keys(), entry()), 0..5);
    entries.prop_map(|entries| {
        let owned = |(key, entry): (&str, Value)| (key.to_owned(), entry);
        entries.into_iter().map(owned).collect()
    })
}

/// A Secret as the API server stores it. Names are unique by their number.
fn secret() -> impl Strategy<Value = Value> {
    let json = auths().prop_map(|auths| (".dockerconfigjson", json!({"auths": auths}).to_string()));
    let old = auths().prop_map(|auths| (".dockercfg", Value::Object(auths).to_string()));
    let broken = select(vec![
        "",
        "{",
        "[]",
        "null",
        "{\"auths\":5}",
        "{\"x\":1}",
        "{\"auths\":{\"m.x\":",
    ]);
    let broken = broken.prop_map(|text| (".dockerconfigjson", text.to_owned()));
    let config = prop_oneof![4 => json, 3 => old, 1 => broken];
    let spoilt = prop_oneof![
        12 => Just(None),
        1 => select(vec![
            json!({"data": {}}), json!({"data": null}), json!({"data": 5}), json!({"data": {".dockercfg": 5}}),
            json!({"data": {".dockercfg": "!"}}), json!({"metadata": {}}), json!({"metadata": {"name": 5}}),
        ]).prop_map(Some),
    ];
    (config, spoilt).prop_map(|((key, config), spoilt)| {
        let mut secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": ""},
            "type": format!("kubernetes.io/{}", key.trim_start_matches('.')),
            "data": {key: base64(&config)},
        });
        for (field, value) in spoilt.iter().flat_map(|spoilt| spoilt.as_object().unwrap()) {
            secret[field] = value.clone();
        }
        secret
    })
}

/// A Secret that the API server would not list.
fn foreign() -> impl Strategy<Value = Value> {
    let change = select(vec![
        json!({"metadata": {"name": "zz", "namespace": "elsewhere"}}),
        json!({"metadata": {"name": "zz"}, "type": "Opaque"}),
        json!({"metadata": {"name": "zz"}, "kind": "ConfigMap"}),
    ]);
    (secret(), change).prop_map(|(mut secret, change)| {
        for (field, value) in change.as_object().unwrap() {
            secret[field] = value.clone();
        }
        secret
    })
}

fn global() -> impl Strategy<Value = String> {
    let helpers = prop::collection::vec(select(vec!["m.x", "n.x", "a.n.x", "ecr.x"]), 0..2);
    let whole = (auths(), helpers).prop_map(|(auths, helpers)| {
        let helpers: Map<_, _> = helpers
            .into_iter()
            .map(|host| (host.to_owned(), json!("h")))
            .collect();
        json!({"auths": auths, "credHelpers": helpers, "x": 1}).to_string()
    });
    prop_oneof![6 => whole, 1 => select(vec!["{", "[]", "{}", "{\"auths\":5}"]).prop_map(str::to_owned)]
}

/// Secrets to name: those of the namespace by number, and others.
fn naming() -> impl Strategy<Value = Option<Vec<(usize, &'static str)>>> {
    let others = select(vec!["", "", "", "", "s-999", "Not A Name", "../s-000", " "]);
    prop::option::weighted(0.3, prop::collection::vec((0..8_usize, others), 0..5))
}

/// The text of an annotation or flag.
fn named(secrets: &[Value], naming: Option<Vec<(usize, &'static str)>>) -> Option<String> {
    let name = |(number, other): (usize, &'static str)| {
        let secret = secrets.get(number).filter(|_| other.is_empty());
        let name = secret.and_then(|secret| secret["metadata"]["name"].as_str());
        name.unwrap_or(other).to_owned()
    };
    let names: Vec<_> = naming?.into_iter().map(name).collect();
    Some(names.join(", "))
}

/// The meaning of short names: an alias, or the name in these registries.
fn short_names() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![
        ("", ""),
        ("", ""),
        (
            "unqualified-search-registries = [\"n.x\", \"docker.io\"]\n",
            "",
        ),
        (
            "unqualified-search-registries = [\"quay.io\", \"m.x:5000\"]\n",
            "",
        ),
        // This is a file that CRI-O refuses.
        ("unqualified-search-registries = [\"n.x/y\"]\n", ""),
        ("", "[aliases]\nnginx = \"quay.io/org/nginx\"\n"),
        ("", "[aliases]\nnginx = \"docker.io/library/nginx\"\n"),
    ])
}

prop_compose! {
    pub(super) fn case()(
        image in prop_oneof![10 => Just(NGINX), 1 => Just("quay.io/org/app"), 1 => Just("gcr.io/a/b")],
        registries in prop::collection::vec(registry(), 1..4),
        short_names in short_names(),
        mut secrets in prop::collection::vec(secret(), 0..6).prop_shuffle(),
        foreign in prop::collection::vec(foreign(), 0..3),
        globals in prop::collection::vec(global(), 0..3),
        annotation in naming(),
        flag in naming(),
        layout in select(vec![
            Layout::JsonList, Layout::JsonDocuments, Layout::YamlList, Layout::YamlDocuments,
        ]),
    ) -> Case {
        let count = secrets.len();
        for (number, secret) in secrets.iter_mut().enumerate() {
            if secret["metadata"]["name"] == "" {
                // Neither the order of the file nor the reverse is that of the names.
                let number = (number * 5 + 3) % count.max(1) + number * 10;
                secret["metadata"]["name"] = json!(format!("s-{number:03}"));
            }
        }
        let registries = [short_names.0, &registries.concat(), short_names.1].concat();
        let (annotation, flag) = (named(&secrets, annotation), named(&secrets, flag));
        Case { image, registries, secrets, foreign, globals, annotation, flag, layout }
    }
}

/// A JSON value as block YAML.
fn yaml(value: &Value, indent: usize, text: &mut String) {
    let start = format!("\n{:indent$}", "");
    let (fields, items) = (value.as_object(), value.as_array());
    if fields.is_none_or(Map::is_empty) && items.is_none_or(Vec::is_empty) {
        // JSON is YAML.
        write!(text, "{value}").unwrap();
    }
    for (name, value) in fields.into_iter().flatten() {
        write!(text, "{start}{}: ", json!(name)).unwrap();
        yaml(value, indent + 2, text);
    }
    for item in items.into_iter().flatten() {
        write!(text, "{start}- ").unwrap();
        yaml(item, indent + 2, text);
    }
}

impl Case {
    pub(super) fn file(&self) -> String {
        let items: Vec<Value> = self.secrets.iter().chain(&self.foreign).cloned().collect();
        let list = json!({"kind": "List", "items": items});
        let in_yaml = |value: &Value| {
            let mut text = "---".to_owned();
            yaml(value, 0, &mut text);
            text + "\n"
        };
        let documents = |list: &[Value], print: &dyn Fn(&Value) -> String| -> String {
            list.iter().map(print).collect()
        };
        // Each file has at least one document.
        let empty = json!({"kind": "SecretList", "items": null});
        let several = [&[empty], &items[..]].concat();
        match self.layout {
            Layout::JsonList => serde_json::to_string_pretty(&list).unwrap(),
            Layout::JsonDocuments => documents(&several, &|value| value.to_string() + "\n"),
            Layout::YamlList => in_yaml(&list),
            Layout::YamlDocuments => documents(&several, &in_yaml),
        }
    }
}
