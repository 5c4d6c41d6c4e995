//! Names compared with the results of containers/image 5.38, and arbitrary input.

use image_name::ImageName;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Name {
    input: String,
    name: Option<String>,
}

#[test]
fn image_names_parse_as_in_go() {
    let names: Vec<Name> = serde_json::from_str(include_str!("data/image_names.json")).unwrap();
    assert!(!names.is_empty());
    for Name { input, name } in names {
        let parsed = ImageName::parse(&input).ok();
        assert_eq!(
            parsed.as_ref().map(AsRef::as_ref),
            name.as_deref(),
            "{input:?}"
        );
        if let Some(parsed) = parsed {
            assert_eq!(
                ImageName::parse_canonical(parsed.as_str()),
                Ok(parsed),
                "{input:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn names_never_panic_and_stay_the_same(name in "\\PC*|([a-zA-Z0-9._:/@-]|docker.io/){0,40}") {
        if let Ok(parsed) = ImageName::parse(&name) {
            prop_assert!(!parsed.host().is_empty() && !parsed.path().is_empty());
            prop_assert_eq!(ImageName::parse_canonical(parsed.as_str()), Ok(parsed));
        }
    }
}
