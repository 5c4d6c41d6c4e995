use std::{path::Path, sync::Arc};

use super::Alias;
use crate::registry::Origin;

type Target = Result<Option<&'static str>, String>;

#[test]
fn aliases() {
    let not_short = |name: &str| {
        format!(
            "alias {name:?} is not a short name: a registry, tag or digest is not allowed in it"
        )
    };
    let incomplete = |target: &str| {
        format!("target {target:?} of alias \"a\" is not registry/repository without tag or digest")
    };
    let cases: &[(&str, &str, Target)] = &[
        ("a", "b.c/d", Ok(Some("b.c/d"))),
        ("a", "", Ok(None)),
        ("a", "docker.io/nginx", Ok(Some("docker.io/library/nginx"))),
        ("a", "localhost/b", Ok(Some("localhost/b"))),
        ("a", "b:5/c", Ok(Some("b:5/c"))),
        ("a/b", "b.c/d", Ok(Some("b.c/d"))),
        ("a.b", "b.c/d", Ok(Some("b.c/d"))),
        ("A/b", "b.c/d", Ok(Some("b.c/d"))),
        ("a.b/c", "b.c/d", Err(not_short("a.b/c"))),
        ("localhost/c", "b.c/d", Err(not_short("localhost/c"))),
        ("a:b", "b.c/d", Err(not_short("a:b"))),
        (
            "",
            "b.c/d",
            Err("alias \"\" is not an image name: malformed: expected [HOST[:PORT]/]PATH[:TAG][@DIGEST]".to_owned()),
        ),
        ("a", "b", Err(incomplete("b"))),
        ("a", "b/c", Err(incomplete("b/c"))),
        ("a", "b.c/d:e", Err(incomplete("b.c/d:e"))),
        ("a", "b.c_d/e", Err(incomplete("b.c_d/e"))),
        (
            "a",
            "b.c/",
            Err("target of alias \"a\": \"b.c/\" is not an image name: malformed: expected [HOST[:PORT]/]PATH[:TAG][@DIGEST]".to_owned()),
        ),
    ];
    for (name, target, expected) in cases {
        let file = Arc::from(Path::new("f"));
        let alias = Alias::parse(name, target, Origin { file, line: 1 });
        let target = match &alias {
            Ok(alias) => Ok(alias.target.as_ref().map(AsRef::as_ref)),
            Err(reason) => Err(reason.to_string()),
        };
        assert_eq!(&target, expected, "{name:?} = {target:?}");
    }
}
