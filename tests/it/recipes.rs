//! The recipes of `docs/recipes.md` work: the provider runs with the files that they
//! show.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the project's own text files"
)]

use std::fs;
use std::path::Path;

use serde_json::Value;
use test_cluster::Secret;

use crate::support::{Cluster, NAMESPACE, Node, owned, yaml};

/// A section of the page, in its blocks.
#[derive(Debug, Default)]
struct Recipe {
    title: String,
    registries: String,
    secret: Value,
    /// Images, and the auth file that each leads to.
    files: Vec<(String, Value)>,
}

/// The sections that have blocks.
fn recipes() -> Vec<Recipe> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md");
    let page = fs::read_to_string(page).unwrap();
    let sections = page.split("\n## ").skip(1);
    sections.map(recipe).collect()
}

fn recipe(section: &str) -> Recipe {
    let (title, _) = section.split_once('\n').unwrap();
    let mut recipe = Recipe {
        title: title.to_owned(),
        ..Recipe::default()
    };
    let mut image = None;
    for (index, part) in section.split("```").enumerate() {
        if index % 2 == 0 {
            let before = part.rsplit_once("For `").map(|(_, rest)| rest);
            image = before.and_then(|rest| rest.split_once("` the auth file then holds"));
            continue;
        }
        let (language, text) = part.split_once('\n').unwrap();
        match language {
            "toml" => text.clone_into(&mut recipe.registries),
            "yaml" => recipe.secret = yaml(text).remove(0),
            "json" => {
                let (image, _) = image.unwrap_or_else(|| panic!("{title}: a file for no image"));
                let file = serde_json::from_str(text).unwrap();
                recipe.files.push((image.to_owned(), file));
            }
            other => panic!("{title}: a block of {other:?}"),
        }
    }
    recipe
}

#[test]
fn every_recipe_leads_to_the_auth_file_that_it_shows() {
    let recipes = recipes();
    assert!(recipes.len() >= 7, "{recipes:?}");
    for recipe in recipes {
        let title = &recipe.title;
        assert!(!recipe.files.is_empty(), "{title}");
        let name = recipe.secret["metadata"]["name"].as_str().unwrap();
        assert_eq!(recipe.secret["type"], "kubernetes.io/dockerconfigjson");
        let config = recipe.secret["stringData"][".dockerconfigjson"].as_str();
        let cluster = Cluster::with([Secret::docker_config_json(name, config.unwrap())]);
        let node = Node::with_registries(&recipe.registries);
        node.write("secret.json", recipe.secret.to_string());
        let provider = node.provider(&cluster);
        for (image, expected) in recipe.files {
            let outcome = provider.pull(&image);
            outcome.answers(&owned(&image));
            outcome.is_quiet();
            assert_eq!(node.auth_file(&image), Some(expected), "{title}: {image}");

            let explain = ["explain", &image, "-n", NAMESPACE, "--secrets=secret.json"];
            let explained = node.provider_without_cluster().run_with(&explain);
            assert_eq!(explained.code, Some(0), "{title}: {explained}");
            assert!(
                !explained.stdout.contains("skipped"),
                "{title}: {explained}"
            );
        }
    }
}

#[test]
fn kubelet_runs_the_provider_for_every_registry_that_has_a_recipe() {
    for recipe in recipes() {
        let node = Node::with_registries(&recipe.registries);
        let config = ["config", "--audience=a", "-ojson"];
        let printed = node.provider_without_cluster().run_with(&config);
        let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
        let patterns = printed["providers"][0]["matchImages"].as_array().unwrap();
        for (image, _) in recipe.files {
            let is_matched = |pattern: &Value| image.starts_with(pattern.as_str().unwrap());
            assert!(patterns.iter().any(is_matched), "{}: {image}", recipe.title);
        }
    }
}
