//! The namespace that kubectl would work in.

use std::path::PathBuf;

use super::{CONTEXTS, Document, KubeconfigError, KubeconfigProblem, error, text};

/// The namespace of the current context of several kubeconfigs, merged as client-go
/// merges them: the first `current-context` is used, and the first context of that name.
/// `None` if there is no file, no current context, or no namespace in it.
///
/// # Errors
/// [`KubeconfigError`] where a file cannot be read, or no file has the context.
pub fn current_namespace(paths: &[PathBuf]) -> Result<Option<String>, KubeconfigError> {
    let mut documents = Vec::new();
    let mut current = None;
    for path in paths {
        let document = match Document::read(path) {
            Ok(document) => document,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        if current.is_none() {
            let name = document.context_name();
            let name = name.map_err(|problem| error(path, problem))?;
            current = name.map(|name| (path, name.to_owned()));
        }
        documents.push((path, document));
    }
    let Some((named_in, name)) = current else {
        return Ok(None);
    };
    for (path, document) in &documents {
        let found = CONTEXTS.find(document, &name);
        let namespace = found.and_then(|context| text(context, "namespace"));
        match namespace {
            Err(KubeconfigProblem::Missing(_)) => {}
            Ok(namespace) => return Ok(namespace.map(str::to_owned)),
            Err(problem) => return Err(error(path, problem)),
        }
    }
    let missing = KubeconfigProblem::Missing(CONTEXTS.what);
    Err(error(named_in, missing))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;

    fn context(name: &str, namespace: &str) -> String {
        format!("contexts: [{{name: {name}, context: {{namespace: {namespace}}}}}]\n")
    }

    /// The namespace, or the error's message.
    fn found(texts: &[&str]) -> Result<Option<String>, String> {
        let files: Vec<NamedTempFile> = texts
            .iter()
            .map(|text| {
                let mut file = NamedTempFile::new().unwrap();
                file.write_all(text.as_bytes()).unwrap();
                file
            })
            .collect();
        let missing = PathBuf::from("/nonexistent/kubeconfig");
        let paths = files.iter().map(|file| file.path().to_owned());
        let paths: Vec<PathBuf> = [missing].into_iter().chain(paths).collect();
        current_namespace(&paths).map_err(|error| error.problem.to_string())
    }

    #[test]
    fn files_are_merged_and_the_first_definition_wins() {
        let current = |name: &str| format!("current-context: {name}\n");
        let (a, b) = (context("a", "team-a"), context("b", "team-b"));
        let own = |namespace: &str| Ok(Some(namespace.to_owned()));
        for (name, texts, expected) in [
            ("no file", vec![], Ok(None)),
            ("an empty file", vec![String::new()], Ok(None)),
            ("no current context", vec![a.clone()], Ok(None)),
            ("one file", vec![current("a") + &a], own("team-a")),
            (
                "no namespace",
                vec![current("a") + &context("a", "''")],
                Ok(None),
            ),
            (
                "the context elsewhere",
                vec![current("b"), a.clone(), b.clone()],
                own("team-b"),
            ),
            (
                "the first current context",
                vec![a.clone(), current("a"), current("b") + &b],
                own("team-a"),
            ),
            (
                "the first of a name",
                vec![current("a") + &a, context("a", "x")],
                own("team-a"),
            ),
        ] {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            assert_eq!(found(&texts), expected, "{name}");
        }
    }

    #[test]
    fn an_invalid_kubeconfig_is_an_error() {
        for text in [
            "current-context: a\n",
            "current-context: 5\n",
            "current-context: a\ncontexts: {}\n",
            "current-context: a\ncontexts: [{name: a, context: {namespace: [x]}}]\n",
            "kind: Pod\n",
            "a: [",
        ] {
            assert!(found(&[text]).is_err(), "{text}");
        }
    }
}
