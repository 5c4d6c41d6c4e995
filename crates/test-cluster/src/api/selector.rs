//! Field selectors: `type=kubernetes.io/dockercfg,metadata.name!=x`.

use thiserror::Error;

use crate::state::Object;

/// Conditions that an object must meet, all of them.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    terms: Vec<Term>,
}

/// Why a selector cannot be used, in the API server's words.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// A term has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Malformed {
        /// The whole selector.
        selector: String,
        /// The part without an operator.
        term: String,
    },
    /// Secrets cannot be selected by that field.
    #[error("field label not supported: {0}")]
    Unsupported(String),
}

#[derive(Debug)]
struct Term {
    field: Field,
    equal: bool,
    value: String,
}

#[derive(Debug)]
enum Field {
    Type,
    Name,
    Namespace,
}

impl Selector {
    /// Parses a field selector.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        // Terms are checked in this order, and the error names the first invalid one.
        let mut terms: Vec<_> = text.split(',').filter(|term| !term.is_empty()).collect();
        terms.sort_unstable();
        let terms = terms
            .into_iter()
            .map(|term| {
                Term::parse(term).ok_or_else(|| Error::Malformed {
                    selector: text.to_owned(),
                    term: term.to_owned(),
                })?
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether it has no conditions, and so selects everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the object meets all conditions.
    pub(crate) fn selects(&self, namespace: &str, object: &Object) -> bool {
        self.terms.iter().all(|term| {
            let actual = match term.field {
                Field::Type => object.kind(),
                Field::Name => object.name(),
                Field::Namespace => Some(namespace),
            };
            // JSON that a test stores verbatim may lack the field; it is selected, so
            // that the client gets it.
            actual.is_none_or(|actual| (actual == term.value) == term.equal)
        })
    }
}

impl Term {
    fn parse(term: &str) -> Option<Result<Self, Error>> {
        let (label, value, equal) = if let Some((label, value)) = term.split_once("!=") {
            (label, value, false)
        } else if let Some((label, value)) = term.split_once("==") {
            (label, value, true)
        } else {
            let (label, value) = term.split_once('=')?;
            (label, value, true)
        };
        let field = match label {
            "type" => Field::Type,
            "metadata.name" => Field::Name,
            "metadata.namespace" => Field::Namespace,
            _ => return Some(Err(Error::Unsupported(label.to_owned()))),
        };
        Some(Ok(Self {
            field,
            equal,
            value: value.to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::Selector;

    #[test]
    fn an_invalid_selector_is_named() {
        let cases = [
            ("type=a,metadata.name!=b,metadata.namespace==c", Ok(3)),
            ("", Ok(0)),
            (
                "type",
                Err("invalid selector: 'type'; can't understand 'type'"),
            ),
            (
                "type in (b,a)",
                Err("invalid selector: 'type in (b,a)'; can't understand 'a)'"),
            ),
            ("data.foo=bar", Err("field label not supported: data.foo")),
        ];
        for (text, expected) in cases {
            let parsed = Selector::parse(text)
                .map(|selector| selector.terms.len())
                .map_err(|error| error.to_string());
            assert_eq!(parsed, expected.map_err(str::to_owned), "{text}");
        }
    }
}
