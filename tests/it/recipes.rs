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

use crate::support::{CONFIG, Cluster, EMPTY, NAMESPACE, Node, StandIn, owned, print, yaml};

/// A section of the page, by its code blocks.
#[derive(Debug, Default)]
struct Recipe {
    title: String,
    registries: String,
    secret: Value,
    /// kubelet's own provider, if the recipe has one instead of a Secret.
    providers: Value,
    /// The response of the provider.
    answer: String,
    /// Images, and the auth file for each.
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
    let mut is_answer = false;
    for (index, part) in section.split("```").enumerate() {
        if index % 2 == 0 {
            let before = part.rsplit_once("For `").map(|(_, rest)| rest);
            image = before.and_then(|rest| rest.split_once("` the auth file then holds"));
            is_answer = part.trim_end().ends_with("The provider answers");
            continue;
        }
        let (language, text) = part.split_once('\n').unwrap();
        match language {
            "toml" => text.clone_into(&mut recipe.registries),
            "yaml" => match yaml(text).remove(0) {
                secret if secret["kind"] == "Secret" => recipe.secret = secret,
                providers => recipe.providers = providers,
            },
            "json" if is_answer => text.clone_into(&mut recipe.answer),
            "json" => {
                let (image, _) =
                    image.unwrap_or_else(|| panic!("{title}: a file without an image"));
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
    let (with_secrets, with_providers): (Vec<_>, Vec<_>) = recipes
        .into_iter()
        .partition(|recipe| recipe.providers.is_null());
    assert_eq!(with_providers.len(), 3);
    for recipe in with_providers {
        leads_to_its_files_without_a_secret(&recipe);
    }
    for recipe in with_secrets {
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

/// Runs the recipe with a script in place of kubelet's provider, which prints the
/// response that the recipe shows.
fn leads_to_its_files_without_a_secret(recipe: &Recipe) {
    let title = &recipe.title;
    assert!(!recipe.files.is_empty(), "{title}");
    let node = Node::with_registries(&recipe.registries);
    let name = recipe.providers["providers"][0]["name"].as_str().unwrap();
    node.configure_providers(&[StandIn::new(name, &["a.test"], &print(&recipe.answer))]);
    node.write(CONFIG, recipe.providers.to_string());
    for (image, expected) in &recipe.files {
        let cluster = Cluster::new();
        let provider = node.provider(&cluster);
        let outcome = provider.with_node_providers(&node, name).pull(image);
        outcome.answers(EMPTY);
        outcome.is_quiet();
        let file = node.auth_file(image);
        assert_eq!(file.as_ref(), Some(expected), "{title}: {image}");
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
