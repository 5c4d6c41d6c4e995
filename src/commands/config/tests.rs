use proptest::prelude::*;
use registries_conf::{Config as Registries, Source};

use super::derived::Derived;
use super::*;

const AUDIENCE: &str = "https://kubernetes.test";

fn registries(prefixes: &[&str]) -> Registries {
    let registry = |prefix: &&str| {
        format!(
            "[[registry]]\nprefix = \"{prefix}\"\nlocation = \"{}\"\n\
             [[registry.mirror]]\nlocation = \"mirror.test\"\n",
            prefix.trim_start_matches("*.")
        )
    };
    let text: Vec<_> = prefixes.iter().map(registry).collect();
    let text = text.concat();
    Registries::parse(Some(&Source::new("registries.conf", text)), &[]).unwrap()
}

/// What is wanted for the registries, without an annotation and further settings.
fn wanted<'a>(derived: &'a Derived<'a>) -> Wanted<'a> {
    Wanted {
        patterns: &derived.patterns,
        registries: &derived.registries,
        audience: AUDIENCE,
        annotation: None,
        args: &[],
        env: &[],
    }
}

/// Merges, and checks what must hold for every merge.
fn merged_with(text: &str, prefixes: &[&str], audience: &str) -> String {
    merged_and_handed(text, prefixes, audience, None)
}

/// The same, with an annotation to pass.
fn merged_and_handed(
    text: &str,
    prefixes: &[&str],
    audience: &str,
    annotation: Option<&str>,
) -> String {
    let registries = registries(prefixes);
    let derived = derive(&registries, &[]);
    let wanted = Wanted {
        audience,
        annotation,
        ..wanted(&derived)
    };
    let before = provider_config::parse(text.as_bytes()).unwrap();
    let merged = merge(&before, &wanted)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
        .text;
    let after = provider_config::parse(merged.as_bytes())
        .unwrap_or_else(|error| panic!("{error}: {merged}"));
    assert_eq!(after.problems, [], "{merged}");
    assert!(is_merged(&before, &after, &wanted), "{merged}");
    let again = merge(&after, &wanted).unwrap().text;
    assert_eq!(again, merged, "merged twice");
    merged
}

fn merged_into(text: &str, prefixes: &[&str]) -> String {
    merged_with(text, prefixes, AUDIENCE)
}

const ENTRY: &str = "\
- name: crio-credential-provider
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  matchImages:
    - \"docker.io\"
  defaultCacheDuration: \"0s\"
  tokenAttributes:
    serviceAccountTokenAudience: \"https://kubernetes.test\"
    cacheType: Token
    requireServiceAccount: true
";

/// Our entry, with this indentation of each line.
fn entry(indent: usize) -> String {
    let lines = ENTRY.lines().map(|line| " ".repeat(indent) + line + "\n");
    lines.collect()
}

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\n";
const OTHER: &str = "\
  # what the cloud needs
  - name: ecr-credential-provider   # theirs
    matchImages: [ '*.dkr.ecr.*.amazonaws.com',
                   'public.ecr.aws' ]
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    env:
    - {name: A, value: 'hunter2'}
    defaultCacheDuration: 12h
";

#[test]
fn the_entry_is_added_after_the_others() {
    let ecr = format!("{HEAD}providers:\n{OTHER}");
    for (name, text, expected) in [
        ("at the end", ecr.clone(), ecr.clone() + &entry(2)),
        (
            "without a last line end",
            ecr.trim_end().to_owned(),
            ecr.clone() + &entry(2),
        ),
        (
            "in the middle",
            format!("providers:\n{OTHER}\n# the rest\n{HEAD}"),
            format!("providers:\n{OTHER}{}\n# the rest\n{HEAD}", entry(2)),
        ),
        (
            "before comments of the level above, after those of the item",
            format!("{ecr}    # its own\n  # of the list\n# of the file\n"),
            format!(
                "{ecr}    # its own\n{}  # of the list\n# of the file\n",
                entry(2)
            ),
        ),
        (
            "without indentation",
            format!(
                "---\n{HEAD}providers:\n- # first\n  name: a\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  defaultCacheDuration: 0s\n  matchImages:\n  - a.test\n...\n"
            ),
            format!(
                "---\n{HEAD}providers:\n- # first\n  name: a\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  defaultCacheDuration: 0s\n  matchImages:\n  - a.test\n{}...\n",
                entry(0)
            ),
        ),
        (
            "empty list",
            format!("{HEAD}providers: []  # none yet\n"),
            format!("{HEAD}providers:   # none yet\n{}", entry(2)),
        ),
        (
            "no value",
            format!("{HEAD}providers:\n# end\n"),
            format!("{HEAD}providers:\n{}# end\n", entry(2)),
        ),
        (
            "null",
            format!("{HEAD}providers: null\n"),
            format!("{HEAD}providers:\n{}", entry(2)),
        ),
        (
            "no key",
            format!("# mine\n{HEAD}"),
            format!("# mine\n{HEAD}providers:\n{}", entry(2)),
        ),
        (
            "byte order mark",
            format!("\u{feff}{HEAD}"),
            format!("\u{feff}{HEAD}providers:\n{}", entry(2)),
        ),
        (
            "lines of Windows",
            ecr.replace('\n', "\r\n"),
            (ecr.clone() + &entry(2)).replace('\n', "\r\n"),
        ),
        (
            "an old version of the file",
            ecr.replace("config.k8s.io/v1\n", "config.k8s.io/v1beta1 # old\n"),
            ecr.replace("config.k8s.io/v1\n", "config.k8s.io/v1 # old\n") + &entry(2),
        ),
    ] {
        assert_eq!(merged_into(&text, &["docker.io"]), expected, "{name}");
    }
}

#[test]
fn flow_yaml_and_json_keep_their_style() {
    let one_line = "{\"apiVersion\":\"kubelet.config.k8s.io/v1\",\"kind\":\"CredentialProviderConfig\",\"providers\":[{\"name\":\"a\",\"matchImages\":[\"a.test\"],\"defaultCacheDuration\":\"0s\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\"}]}";
    let ours = "{\"name\": \"crio-credential-provider\", \"apiVersion\": \"credentialprovider.kubelet.k8s.io/v1\", \"matchImages\": [\"docker.io\"], \"defaultCacheDuration\": \"0s\", \"tokenAttributes\": {\"serviceAccountTokenAudience\": \"https://kubernetes.test\", \"cacheType\": \"Token\", \"requireServiceAccount\": true}}";
    let merged = merged_into(one_line, &["docker.io"]);
    let expected = one_line.strip_suffix("]}").unwrap().to_owned() + ", " + ours + "]}";
    assert_eq!(merged, expected);

    let flow = format!(
        "{HEAD}providers: [{{name: a, matchImages: [a.test], # why\n  defaultCacheDuration: 0s, apiVersion: credentialprovider.kubelet.k8s.io/v1}}, ] # end\n"
    );
    let expected = flow.replace(", ] #", &format!(", {ours}, ] #"));
    assert_eq!(merged_into(&flow, &["docker.io"]), expected);

    let pretty = "{
    \"apiVersion\": \"kubelet.config.k8s.io/v1\",
    \"kind\": \"CredentialProviderConfig\",
    \"providers\": [
        {
            \"name\": \"a\",
            \"matchImages\": [
                \"a.test\"
            ],
            \"defaultCacheDuration\": \"0s\",
            \"apiVersion\": \"credentialprovider.kubelet.k8s.io/v1\"
        }
    ]
}
";
    let merged = merged_into(pretty, &["docker.io"]);
    let (before, after) = pretty.split_at(pretty.find("\n    ]\n").unwrap());
    let added = merged
        .strip_prefix(before)
        .unwrap()
        .strip_suffix(after)
        .unwrap();
    assert!(
        added.starts_with(",\n        {\n          \"name\": \"crio-credential-provider\",\n"),
        "{added}"
    );
    assert!(added.ends_with("\n        }"), "{added}");

    let (head, _) = pretty.split_once('[').unwrap();
    let empty = format!("{head}[]\n}}\n");
    let merged = merged_into(&empty, &["docker.io"]);
    assert!(
        merged.contains("\"providers\": [\n      {\n        \"name\": \"crio-cred"),
        "{merged}"
    );
    assert!(merged.ends_with("\n      }\n    ]\n}\n"), "{merged}");
}

#[test]
fn a_complete_entry_is_not_changed() {
    let text = format!("{HEAD}providers:\n{OTHER}{}# end", entry(2));
    assert_eq!(merged_into(&text, &["docker.io"]), text);
    // Other values that are valid too.
    let text = text
        .replace("\"0s\"", "1h")
        .replace(
            "requireServiceAccount: true",
            "requireServiceAccount: false",
        )
        .replace("cacheType: Token", "cacheType: ServiceAccount")
        .replace(
            "\"docker.io\"",
            "docker.io # and more\n      - docker.io:5000",
        );
    assert_eq!(merged_into(&text, &["docker.io"]), text);
}

#[test]
fn only_what_differs_in_the_entry_changes() {
    let entry = entry(0).replace(
        "    - \"docker.io\"\n",
        "  - gone.test # stale\n  - \"docker.io\" # kept\n  # last\n",
    );
    let text = format!(
        "{HEAD}providers:\n{entry}  args: [--log-level=debug]  # mine\n  env:\n  - name: A\n    value: hunter2\n",
    );
    for (name, prefixes, audience, changes) in [
        (
            "patterns",
            &["docker.io", "quay.io/org"][..],
            AUDIENCE,
            vec![
                ("  - gone.test # stale\n", ""),
                ("# kept\n", "# kept\n  - \"quay.io/org\"\n"),
            ],
        ),
        (
            "all patterns",
            &["quay.io"],
            AUDIENCE,
            vec![(
                "  - gone.test # stale\n  - \"docker.io\" # kept\n",
                "  - \"quay.io\"\n",
            )],
        ),
        (
            "audience",
            &["docker.io", "gone.test"],
            "https://other.test",
            vec![("\"https://kubernetes.test\"", "\"https://other.test\"")],
        ),
    ] {
        let mut expected = text.clone();
        for (old, new) in changes {
            assert!(expected.contains(old), "{name}: {old} in {expected}");
            expected = expected.replace(old, new);
        }
        assert_eq!(merged_with(&text, prefixes, audience), expected, "{name}");
    }
}

#[test]
fn missing_values_of_the_entry_are_added() {
    let head = format!("{HEAD}providers:\n- name: crio-credential-provider\n");
    for (name, rest, expected) in [
        (
            "an old version without a token",
            "  apiVersion: credentialprovider.kubelet.k8s.io/v1beta1 # x\n  matchImages: [docker.io]\n  defaultCacheDuration: 0s # y\n# end\n",
            "  apiVersion: credentialprovider.kubelet.k8s.io/v1 # x\n  matchImages: [docker.io]\n  defaultCacheDuration: 0s # y\n  tokenAttributes:\n    serviceAccountTokenAudience: \"https://kubernetes.test\"\n    cacheType: Token\n    requireServiceAccount: true\n# end\n",
        ),
        (
            "a cache type",
            "  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  matchImages:\n  - docker.io\n  tokenAttributes:\n      serviceAccountTokenAudience: https://kubernetes.test\n      requireServiceAccount: true # z\n  defaultCacheDuration: 0s\n",
            "  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  matchImages:\n  - docker.io\n  tokenAttributes:\n      serviceAccountTokenAudience: https://kubernetes.test\n      requireServiceAccount: true # z\n      cacheType: Token\n  defaultCacheDuration: 0s\n",
        ),
        (
            "nearly all",
            "  matchImages: docker.io # a list\n  tokenAttributes: {}\n",
            "  matchImages: [\"docker.io\"] # a list\n  tokenAttributes:\n    serviceAccountTokenAudience: \"https://kubernetes.test\"\n    cacheType: Token\n    requireServiceAccount: true\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  defaultCacheDuration: \"0s\"\n",
        ),
        (
            "values",
            "  apiVersion:\n  matchImages: []\n  defaultCacheDuration: ~\n  tokenAttributes:\n    serviceAccountTokenAudience: ''\n    cacheType:\n    requireServiceAccount: null\n",
            "  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  matchImages:\n    - \"docker.io\"\n  defaultCacheDuration: \"0s\"\n  tokenAttributes:\n    serviceAccountTokenAudience: \"https://kubernetes.test\"\n    cacheType: Token\n    requireServiceAccount: true\n",
        ),
    ] {
        let merged = merged_into(&(head.clone() + rest), &["docker.io"]);
        assert_eq!(merged.strip_prefix(&head).unwrap(), expected, "{name}");
    }
}

#[test]
fn items_of_json_are_changed_in_place() {
    let file = |patterns: &str| {
        format!(
            "{{\"apiVersion\":\"kubelet.config.k8s.io/v1\",\"kind\":\"CredentialProviderConfig\",\"providers\":[{{\"name\":\"crio-credential-provider\",\"matchImages\":[{patterns}],\"defaultCacheDuration\":\"0s\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"tokenAttributes\":{{\"serviceAccountTokenAudience\":\"https://kubernetes.test\",\"cacheType\":\"Token\",\"requireServiceAccount\":true}}}}]}}"
        )
    };
    for (before, prefixes, after) in [
        (
            "\"a.test\",\"b.test\"",
            vec!["a.test", "b.test"],
            "\"a.test\",\"b.test\"",
        ),
        ("\"a.test\",\"b.test\"", vec!["a.test"], "\"a.test\""),
        ("\"a.test\",\"b.test\"", vec!["b.test"], "\"b.test\""),
        (
            "\"a.test\",\"b.test\",\"c.test\"",
            vec!["b.test", "d.test"],
            "\"b.test\", \"d.test\"",
        ),
        (
            "\"a.test\",\n  \"b.test\",\n  \"c.test\"",
            vec!["a.test", "d.test"],
            "\"a.test\",\n  \"d.test\"",
        ),
        (
            "\"a.test\", \"b.test\", \"c.test\"",
            vec!["a.test", "c.test"],
            "\"a.test\", \"c.test\"",
        ),
        (
            "\"a.test\"",
            vec!["b.test", "c.test"],
            "\"b.test\", \"c.test\"",
        ),
        ("", vec!["b.test", "c.test"], "\"b.test\", \"c.test\""),
    ] {
        assert_eq!(
            merged_into(&file(before), &prefixes),
            file(after),
            "{before} {prefixes:?}"
        );
    }
}

#[test]
fn an_annotation_is_added_once_to_the_existing_ones() {
    let keys = "    optionalServiceAccountAnnotationKeys:";
    for (there, expected) in [
        (
            String::new(),
            format!("{keys}\n      - \"example.com/a\"\n"),
        ),
        (
            format!("{keys}\n    - example.com/b # ours\n"),
            format!("{keys}\n    - example.com/b # ours\n    - \"example.com/a\"\n"),
        ),
        (
            format!("{keys} [example.com/b]\n"),
            format!("{keys} [example.com/b, \"example.com/a\"]\n"),
        ),
        (
            format!("{keys} []\n"),
            format!("{keys}\n      - \"example.com/a\"\n"),
        ),
        (
            format!("{keys} [example.com/a]\n"),
            format!("{keys} [example.com/a]\n"),
        ),
    ] {
        let before = format!("{HEAD}providers:\n{}{there}", entry(0));
        let after = format!("{HEAD}providers:\n{}{expected}", entry(0));
        let merged = merged_and_handed(&before, &["docker.io"], AUDIENCE, Some("example.com/a"));
        assert_eq!(merged, after, "{there}");
    }
    let required = "    requiredServiceAccountAnnotationKeys: [example.com/a]\n";
    let text = format!("{HEAD}providers:\n{}{required}", entry(0));
    let merged = merged_and_handed(&text, &["docker.io"], AUDIENCE, Some("example.com/a"));
    assert_eq!(merged, text);
    // If the entry does not exist yet.
    let merged = merged_and_handed(HEAD, &["docker.io"], AUDIENCE, Some("example.com/a"));
    assert!(
        merged.contains("optionalServiceAccountAnnotationKeys"),
        "{merged}"
    );
}

#[test]
fn shared_values_are_not_edited() {
    let shared = format!(
        "{HEAD}providers:\n- name: a\n  matchImages: &images\n  - a.test\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  defaultCacheDuration: 0s\n{}",
        entry(0).replace("\n    - \"docker.io\"", " *images")
    );
    let registries = registries(&["docker.io"]);
    let derived = derive(&registries, &[]);
    let wanted = wanted(&derived);
    let document = provider_config::parse(shared.as_bytes()).unwrap();
    assert_eq!(document.problems, []);
    let error = merge(&document, &wanted).unwrap_err();
    assert!(error.to_string().contains("anchor"), "{error}");
    // If nothing has to be changed, the anchor does not matter.
    let text = shared.replace("- a.test", "- docker.io");
    assert_eq!(merged_into(&text, &["docker.io"]), text);
}

/// Another provider, written in some way.
fn provider(index: usize) -> impl Strategy<Value = String> {
    let head = format!("name: p{index}\n");
    let images = prop_oneof![
        Just("matchImages: [a.test, 'b.test']\n".to_owned()),
        Just("matchImages:\n- a.test # one\n# between\n- \"b.test\"\n".to_owned()),
        Just("matchImages:\n  - >-\n    a.test\n".to_owned()),
    ];
    let rest = "apiVersion: credentialprovider.kubelet.k8s.io/v1\ndefaultCacheDuration: 5m\n";
    let env = prop_oneof![
        Just(""),
        Just("args: [\"-v\", x]\n"),
        Just("env:\n- name: A\n  value: |\n    lines\n\n    of text\n\n"),
        Just("env: [{name: A, value: b}] # why\n\n"),
        Just("# last words\n"),
    ];
    (images, env, 0..5_usize, any::<bool>()).prop_map(move |(images, env, indent, before)| {
        let lines = if before {
            format!("{head}{images}{rest}{env}")
        } else {
            format!("{head}{env}{rest}{images}")
        };
        let pad = " ".repeat(indent % 2 * 2);
        let lines = lines
            .lines()
            .enumerate()
            .map(|(index, line)| match (index, line) {
                (0, _) => format!("{pad}- {line}\n"),
                (_, "") => "\n".to_owned(),
                _ => format!("{pad}  {line}\n"),
            });
        lines.collect()
    })
}

proptest! {
    #[test]
    fn others_and_their_comments_survive_every_merge(
        first in provider(1),
        second in provider(2),
        prefixes in prop::collection::btree_set(prop_oneof!["[a-d]\\.test(/[ab])?", Just("*.test".to_owned())], 1..4),
        later in prop::collection::btree_set("[a-d]\\.test(/[ab])?", 1..4),
        last_line_end in any::<bool>(),
    ) {
        // One list has one indentation.
        let pad = if first.starts_with(' ') { "  " } else { "" };
        let second: String = second
            .lines()
            .map(|line| {
                let line = if second.starts_with(' ') { line.strip_prefix("  ").unwrap_or(line) } else { line };
                if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") }
            })
            .collect();
        let mut text = format!("# top\n{HEAD}providers:\n{first}{second}# bottom\n");
        if !last_line_end {
            text.pop();
        }
        let prefixes: Vec<_> = prefixes.iter().map(String::as_str).collect();
        let later: Vec<_> = later.iter().map(String::as_str).collect();
        let merged = merged_into(&text, &prefixes);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let kept = lines(&merged);
        let mut rest = kept.iter();
        for line in lines(&text) {
            prop_assert!(rest.any(|kept| *kept == line), "{line:?} is gone: {merged}");
        }
        // Merge again, with other registries.
        let merged = merged_into(&merged, &later);
        let kept = lines(&merged);
        let mut rest = kept.iter();
        for line in lines(&text) {
            prop_assert!(rest.any(|kept| *kept == line), "{line:?} is gone: {merged}");
        }
    }

    #[test]
    fn merging_never_panics_and_loses_nothing_silently(
        junk in "[-a:{}\\[\\]\"'&*|># \n]{0,50}",
        before in any::<bool>(),
    ) {
        let own = "- name: crio-credential-provider\n  matchImages: ";
        let text = if before {
            format!("{HEAD}providers: {junk}")
        } else {
            format!("{HEAD}providers:\n{own}{junk}")
        };
        let registries = registries(&["docker.io"]);
        let derived = derive(&registries, &[]);
        let wanted = wanted(&derived);
        if let Ok(document) = provider_config::parse(text.as_bytes())
            && let Ok(merged) = merge(&document, &wanted)
            && let Ok(after) = provider_config::parse(merged.text.as_bytes())
            && is_merged(&document, &after, &wanted)
            && after.problems.is_empty()
        {
            let again = merge(&after, &wanted);
            prop_assert_eq!(again.map(|again| again.text), Ok(merged.text));
        }
    }
}
