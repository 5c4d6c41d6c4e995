//! The choice among several keys for one registry, as recorded in `tests/data/vectors`.

use std::path::PathBuf;

use containers_auth::{AuthFile, DockerConfig, Format, Text};
use registries_conf::ImageName;
use serde::Deserialize;

use super::{Origin, Selection};

#[test]
fn the_choice_among_several_keys_for_one_registry_is_as_recorded() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        source: String,
        r#where: String,
        r#type: String,
        documents: Vec<Document>,
        choice: Place,
        decided_by: String,
        tied: Vec<String>,
    }

    #[derive(Deserialize)]
    struct Document {
        name: String,
        body: String,
    }

    #[derive(Deserialize)]
    struct Place {
        document: String,
        key: String,
    }

    let text = include_str!("../../../tests/data/vectors/ties.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    for case in cases {
        let mut selection = Selection::new([ImageName::parse(&case.source).unwrap()]);
        for document in &case.documents {
            let text = Text::of_json(document.body.as_bytes());
            let format = match case.r#type.as_str() {
                "kubernetes.io/dockercfg" => Format::DockerCfg,
                _ => Format::DockerConfigJson,
            };
            let (origin, entries) = if case.r#where == "global" {
                (
                    Origin::GlobalFile(0, PathBuf::from("/0")),
                    AuthFile::parse(&text).unwrap().auths,
                )
            } else {
                let config = DockerConfig::parse(&text, format).unwrap();
                (Origin::Secret(document.name.clone()), config.auths.unwrap())
            };
            for (key, entry) in entries {
                selection
                    .offer(&origin, &key, entry, |_| true, &mut ())
                    .unwrap();
            }
        }
        let (_, chosen) = selection.chosen().next().unwrap();
        if case.r#where != "global" {
            assert_eq!(
                chosen.origin,
                Origin::Secret(case.choice.document),
                "{}",
                case.name
            );
        }
        if case.decided_by == "kubelet's order" {
            assert!(case.tied.contains(&chosen.key), "{}", case.name);
        } else {
            assert_eq!(chosen.key, case.choice.key, "{}", case.name);
        }
    }
}
