//! Decodes a document into typed values, strictly. What kubelet's decoder refuses is a
//! problem with its line, and decoding continues.

use kubernetes_yaml::{Node, Value, line_of};
use secret::Secret;

use super::provider::{
    CredentialProvider, CredentialProviderConfig, EnvVar, Problem, TokenAttributes,
};
use super::{API_VERSION, API_VERSIONS, KIND};

const ROOT_FIELDS: [&str; 3] = ["apiVersion", "kind", "providers"];
const PROVIDER_FIELDS: [&str; 7] = [
    "name",
    "matchImages",
    "defaultCacheDuration",
    "apiVersion",
    "args",
    "env",
    // Only v1 of this file has the field.
    TOKEN_ATTRIBUTES,
];
const TOKEN_ATTRIBUTES: &str = "tokenAttributes";
const ENV_FIELDS: [&str; 2] = ["name", "value"];
const TOKEN_FIELDS: [&str; 5] = [
    "serviceAccountTokenAudience",
    "cacheType",
    "requireServiceAccount",
    "requiredServiceAccountAnnotationKeys",
    "optionalServiceAccountAnnotationKeys",
];

/// The configuration, and the problems that kubelet's decoder would report.
pub(super) fn decode(text: &str, root: &Node) -> (CredentialProviderConfig, Vec<Problem>) {
    let mut decoder = Decoder {
        text,
        problems: Vec::new(),
        provider: None,
    };
    let config = decoder.config(root);
    (config, decoder.problems)
}

struct Decoder<'t> {
    text: &'t str,
    problems: Vec<Problem>,
    /// The provider that is being decoded.
    provider: Option<usize>,
}

impl Decoder<'_> {
    fn refuse(&mut self, node: &Node, field: &str, message: impl Into<String>) {
        self.refuse_at(node.span.start, field, message);
    }

    fn refuse_at(&mut self, offset: usize, field: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            line: line_of(self.text, offset),
            provider: self.provider,
            field: field.to_owned(),
            message: message.into(),
        });
    }

    fn config(&mut self, root: &Node) -> CredentialProviderConfig {
        let api_version = self.string(root, "apiVersion", "apiVersion");
        let kind = self.string(root, "kind", "kind");
        self.expect("kind", root, &kind, &[KIND]);
        self.expect("apiVersion", root, &api_version, &API_VERSIONS);
        self.object(root, "", &ROOT_FIELDS);
        let has_tokens = api_version == API_VERSION;
        let known = PROVIDER_FIELDS.iter().copied();
        let known: Vec<_> = known
            .filter(|field| has_tokens || *field != TOKEN_ATTRIBUTES)
            .collect();
        let providers = self.list(root, "providers", "providers").iter().enumerate();
        let providers = providers
            .map(|(index, node)| {
                self.provider = Some(index);
                self.provider(node, &format!("providers[{index}]"), &known)
            })
            .collect();
        self.provider = None;
        CredentialProviderConfig {
            api_version,
            providers,
        }
    }

    fn expect(&mut self, field: &str, root: &Node, value: &str, known: &[&str]) {
        if !known.contains(&value) {
            let node = root.get(field).unwrap_or(root);
            let message = match known {
                _ if value.is_empty() => format!("is required: {}", known.join(", ")),
                [only] => format!("{value:?} is not {only}"),
                _ => format!("{value:?} is not one of {}", known.join(", ")),
            };
            self.refuse(node, field, message);
        }
    }

    fn provider(&mut self, node: &Node, field: &str, known: &[&str]) -> CredentialProvider {
        self.object(node, field, known);
        let under = |name: &str| format!("{field}.{name}");
        let duration = node.get("defaultCacheDuration");
        let env = self.list(node, "env", &under("env")).iter().enumerate();
        CredentialProvider {
            env: env
                .map(|(index, node)| self.env(node, &format!("{field}.env[{index}]")))
                .collect(),
            name: self.string(node, "name", &under("name")),
            match_images: self.strings(node, "matchImages", &under("matchImages")),
            default_cache_duration: duration
                .filter(|node| node.value != Value::Null)
                .map(|_| self.string(node, "defaultCacheDuration", &under("defaultCacheDuration"))),
            api_version: self.string(node, "apiVersion", &under("apiVersion")),
            args: self.strings(node, "args", &under("args")),
            token_attributes: node
                .get(TOKEN_ATTRIBUTES)
                .filter(|node| node.value != Value::Null && known.contains(&TOKEN_ATTRIBUTES))
                .map(|node| self.token_attributes(node, &under(TOKEN_ATTRIBUTES))),
            line: line_of(self.text, node.span.start),
        }
    }

    fn env(&mut self, node: &Node, field: &str) -> EnvVar {
        self.object(node, field, &ENV_FIELDS);
        EnvVar {
            name: self.string(node, "name", &format!("{field}.name")),
            value: Secret::from(&*self.string(node, "value", &format!("{field}.value"))),
        }
    }

    fn token_attributes(&mut self, node: &Node, field: &str) -> TokenAttributes {
        self.object(node, field, &TOKEN_FIELDS);
        let [audience, cache, require, required, optional] = TOKEN_FIELDS;
        let under = |name: &str| format!("{field}.{name}");
        let require_service_account = match node.get(require).map(|node| (node, &node.value)) {
            None | Some((_, Value::Null)) => None,
            Some((_, Value::Bool(value))) => Some(*value),
            Some((node, value)) => {
                let found = value.kind();
                self.refuse(
                    node,
                    &under(require),
                    format!("is {found}, expected a boolean"),
                );
                // Do not report the field as missing too.
                Some(true)
            }
        };
        TokenAttributes {
            service_account_token_audience: self.string(node, audience, &under(audience)),
            cache_type: self.string(node, cache, &under(cache)),
            require_service_account,
            required_service_account_annotation_keys: self.strings(
                node,
                required,
                &under(required),
            ),
            optional_service_account_annotation_keys: self.strings(
                node,
                optional,
                &under(optional),
            ),
        }
    }

    /// Checks that an object has only known fields, and each of them once.
    fn object(&mut self, node: &Node, field: &str, known: &[&str]) {
        if !matches!(node.value, Value::Mapping(_) | Value::Null) {
            let found = node.value.kind();
            self.refuse(node, field, format!("is {found}, expected an object"));
        }
        let entries = node.entries();
        for (index, entry) in entries.iter().enumerate() {
            let key: String = entry.key.chars().take(256).collect();
            if !known.contains(&&*entry.key) {
                self.refuse_at(
                    entry.key_span.start,
                    field,
                    format!("unknown field {key:?}"),
                );
            } else if entries
                .iter()
                .take(index)
                .any(|other| other.key == entry.key)
            {
                let message = format!("field {key:?} is given twice");
                self.refuse_at(entry.key_span.start, field, message);
            }
        }
    }

    fn list<'n>(&mut self, node: &'n Node, name: &str, field: &str) -> &'n [Node] {
        let Some(node) = node.get(name) else {
            return &[];
        };
        if !matches!(node.value, Value::Sequence(_) | Value::Null) {
            let found = node.value.kind();
            self.refuse(node, field, format!("is {found}, expected a list"));
        }
        node.items()
    }

    fn strings(&mut self, node: &Node, name: &str, field: &str) -> Vec<String> {
        let items = self.list(node, name, field).iter().enumerate();
        items
            .map(|(index, item)| self.text(item, &format!("{field}[{index}]")))
            .collect()
    }

    fn string(&mut self, node: &Node, name: &str, field: &str) -> String {
        node.get(name)
            .map_or_else(String::new, |node| self.text(node, field))
    }

    fn text(&mut self, node: &Node, field: &str) -> String {
        match &node.value {
            Value::String(text) => text.as_str().to_owned(),
            Value::Null => String::new(),
            Value::Bool(_) | Value::Number(_) => {
                let found = node.value.kind();
                self.refuse(
                    node,
                    field,
                    format!("is {found}, expected a string: put it in quotes"),
                );
                String::new()
            }
            Value::Sequence(_) | Value::Mapping(_) => {
                let found = node.value.kind();
                self.refuse(node, field, format!("is {found}, expected a string"));
                String::new()
            }
        }
    }
}
