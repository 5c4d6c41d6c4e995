//! The verdict of `explain`, and the reasons why a login is not used.

use serde_json::{Value, json};

use crate::explain::{PASSWORD, explain, explained, list, login_secret, secret};
use crate::support::{NGINX, Node, Outcome, base64, docker_config};

const MIRROR: &str = "mirror.example/library/nginx";
const ANONYMOUS: &str =
    "the pull from there fails unless it allows anonymous pulls; then CRI-O tries";

/// The first line of the text, and the verdict of the JSON.
fn verdict(node: &Node, secrets: &str) -> (String, Value) {
    let text = explain(node, "text", secrets);
    let first = text.stdout.lines().next().unwrap_or_default();
    let json = explained(node, secrets)["images"][0]["verdict"].clone();
    (first.replace(&*node.path("").to_string_lossy(), "/"), json)
}

/// docker.io with a mirror, and more lines.
fn with_mirror(lines: &str) -> String {
    format!(
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n{lines}"
    )
}

/// Asserts that the first line of the image begins like this.
#[track_caller]
fn assert_verdict(registries: &str, global: &str, secrets: &str, outcome: &str, expected: &str) {
    let node = Node::with_registries(registries).and_global_auth(global);
    let (first, json) = verdict(&node, secrets);
    let text = first.strip_prefix(&format!("{NGINX}: ")).unwrap();
    if expected.ends_with(": ") {
        assert!(text.starts_with(expected), "{text}\n{expected}");
    } else {
        assert_eq!(text, expected, "{registries}");
    }
    assert_eq!(json["outcome"], outcome, "{registries}");
    let shown = json["text"].as_str().unwrap();
    assert_eq!(shown.replace(&*node.path("").to_string_lossy(), "/"), text);
}

#[test]
fn the_first_line_is_the_verdict() {
    let mirror = with_mirror;
    let blocked = "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n";
    let ours = list(&[login_secret("mirror", "mirror.example", "robot")]);
    let of_hub = list(&[login_secret("hub", "docker.io", "robot")]);
    let no_secrets = list(&[]);
    let globals = docker_config(&[("mirror.example", "node:p")]);
    let helper = r#"{"credHelpers":{"mirror.example":"ecr-login"}}"#;
    for (registries, global, secrets, outcome, expected) in [
        (
            mirror(""),
            "{}",
            &ours,
            "login",
            format!("pulls from the mirror {MIRROR} with the login of secret \"mirror\""),
        ),
        (
            mirror(""),
            &globals,
            &no_secrets,
            "login",
            format!("pulls from the mirror {MIRROR} with the login of global auth file \"/var/lib/kubelet/config.json\""),
        ),
        (
            mirror(""),
            helper,
            &no_secrets,
            "helper",
            format!("pulls from the mirror {MIRROR} with the login of the node's credential helper"),
        ),
        (
            mirror(""),
            "{}",
            &no_secrets,
            "no-login",
            format!("no login for the mirror {MIRROR}: {ANONYMOUS} {NGINX} without a login"),
        ),
        (
            mirror(""),
            "{}",
            &of_hub,
            "no-login",
            format!("no login for the mirror {MIRROR}: {ANONYMOUS} {NGINX} with the login of secret \"hub\""),
        ),
        (
            blocked.to_owned(),
            "{}",
            &ours,
            "blocked",
            "blocked: registries.conf blocks everything that the image could be pulled from".to_owned(),
        ),
        (
            format!("{blocked}[[registry.mirror]]\nlocation = \"mirror.example\"\n"),
            "{}",
            &no_secrets,
            "no-login",
            format!("no login for the mirror {MIRROR}: the pull from there fails unless it allows anonymous pulls"),
        ),
        (
            "[[registry]]\nlocation = \"docker.io\"\n".to_owned(),
            "{}",
            &of_hub,
            "nothing-to-do",
            "nothing for the provider to do: registries.conf has nothing but the image itself to pull from".to_owned(),
        ),
        (
            String::new(),
            "{}",
            &ours,
            "nothing-to-do",
            "nothing for the provider to do: no registry in registries.conf matches the image".to_owned(),
        ),
    ] {
        assert_verdict(&registries, global, secrets, outcome, &expected);
    }
}

#[test]
fn pulls_by_tag_and_by_digest_may_differ() {
    let mirror = with_mirror;
    let ours = list(&[login_secret("mirror", "mirror.example", "robot")]);
    let conf = "/etc/containers/registries.conf";
    for (registries, global, secrets, outcome, expected) in [
        (
            mirror("[[registry.mirror]]\nlocation = \"index.docker.io\"\n"),
            "{}",
            &ours,
            "fails",
            format!("every pull fails: {conf}:6: "),
        ),
        (
            mirror("pull-from-mirror = \"digest-only\"\n"),
            "{}",
            &ours,
            "no-login",
            format!(
                "by tag: no login for {NGINX}: the pull from there fails unless it allows anonymous pulls; by digest: pulls from the mirror {MIRROR} with the login of secret \"mirror\""
            ),
        ),
        (
            mirror(
                "[[registry.mirror]]\nlocation = \"index.docker.io\"\npull-from-mirror = \"digest-only\"\n",
            ),
            "{}",
            &ours,
            "login",
            format!("every pull by digest fails: {conf}:6: "),
        ),
        (
            "[[registry]]\nlocation = \"quay.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n\
             [[registry.mirror]]\nlocation = \"index.docker.io\"\npull-from-mirror = \"digest-only\"\n\
             [aliases]\nnginx = \"quay.io/org/nginx\"\n"
                .to_owned(),
            "{}",
            &ours,
            "login",
            format!("as \"nginx\" in a pod, every pull by digest fails: {conf}:6: "),
        ),
        // The name takes a digest, and no second tag.
        (
            format!(
                "[[registry]]\nlocation = \"{NGINX}\"\n[[registry.mirror]]\nlocation = \"mirror.example/a:tag\"\n"
            ),
            "{}",
            &ours,
            "fails",
            format!(
                "every pull by tag fails: {conf}:4: \"mirror.example/a:tag\" is not an image name: a tag or digest is not allowed here; by digest: pulls from the mirror mirror.example/a with the login of secret \"mirror\""
            ),
        ),
    ] {
        assert_verdict(&registries, global, secrets, outcome, &expected);
    }
}

#[test]
fn keys_that_nearly_match_come_first_with_the_reason() {
    let node = Node::with_mirror();
    let secrets = list(&[
        login_secret("a", "elsewhere.example", "x"),
        login_secret("b", "mirror.example:5000", "x"),
        login_secret("c", "mirror.example/library/nginx:1.27", "x"),
        login_secret("d", "oci://mirror.example", "x"),
        login_secret("e", "mirror[0-9].example", "x"),
    ]);
    let text = explain(&node, "text", &secrets).stdout;
    let (_, section) = text.split_once("\nmatches no pull source\n").unwrap();
    let lines: Vec<&str> = section.lines().collect();
    for (line, words) in [
        (0, &["secret \"b\"", "nearly", MIRROR, "for port 5000"][..]),
        (1, &["secret \"c\"", "nearly", MIRROR, "no tag"]),
        (
            2,
            &["secret \"d\"", "nearly", MIRROR, "no scheme but http://"],
        ),
        (3, &["secret \"a\"", "elsewhere.example"]),
        (4, &["secret \"e\"", "it has a \"[\" in its host"]),
    ] {
        for word in words {
            assert!(lines[line].contains(word), "{word}: {text}");
        }
    }
    assert!(!lines[3].contains("nearly"), "{text}");
}

/// A mistake is used as it is, and reported without its content.
#[test]
fn probable_mistakes_are_reported() {
    let node = Node::with_mirror();
    let auth = |login: &str| base64(login);
    let config = |entry: Value| json!({"auths": {"mirror.example": entry}}).to_string();
    let line_break = format!("robot:{PASSWORD}\n");
    for (name, secret, text) in [
        (
            "line break",
            secret("s", &config(json!({"auth": auth(&line_break)}))),
            "its password ends in a line break or blank",
        ),
        (
            "blank",
            secret(
                "s",
                &config(json!({"username": "robot ", "password": PASSWORD})),
            ),
            "its user name ends in a line break or blank",
        ),
        (
            "contradiction",
            secret(
                "s",
                &config(
                    json!({"auth": auth("robot:x"), "username": "robot", "password": PASSWORD}),
                ),
            ),
            "its \"auth\" is another login than its \"username\" and \"password\"",
        ),
        (
            "the layout of the newer type",
            {
                let mut old = secret("s", "{}");
                old["type"] = json!("kubernetes.io/dockercfg");
                let inner = config(json!({"auth": auth(&line_break)}));
                old["data"] = json!({".dockercfg": base64(&inner)});
                old
            },
            "this is the layout of Secrets of type kubernetes.io/dockerconfigjson",
        ),
    ] {
        let secrets = list(&[secret]);
        let outcome = explain(&node, "text", &secrets);
        let (_, section) = outcome.stdout.split_once("\nprobably mistakes\n").unwrap();
        let line = section.lines().next().unwrap();
        assert!(
            line.contains("secret \"s\"") && line.contains(text),
            "{name}: {outcome}"
        );
        outcome.never_prints(&[PASSWORD, &base64(&line_break)]);
        let mistakes = &explained(&node, &secrets)["mistakes"];
        let reason = mistakes[0]["reason"].as_str().unwrap();
        assert!(reason.contains(text), "{name}: {mistakes}");
    }
    let (first, _) = verdict(
        &node,
        &list(&[login_secret("s", "mirror.example", "robot\n")]),
    );
    assert!(first.contains("with the login of secret \"s\""), "{first}");
}

#[test]
fn settings_that_were_given_are_shown_with_their_origin() {
    let node = Node::with_mirror();
    node.write(
        "settings.toml",
        "\nstale-after = \"30s\"\nno-empty-login = true\n",
    );
    let provider = node
        .provider_without_cluster()
        .flag("--config-file", node.path("settings.toml"))
        .env("CRIO_CREDENTIAL_PROVIDER_SECRETS", "if-allowed");
    let run = |format: &str| -> Outcome {
        let arguments = ["explain", "nginx", "-n", "a", "--secrets=-", "-o", format];
        provider.run_with_stdin(&arguments, list(&[]).as_bytes())
    };
    let text = run("text");
    let (_, section) = text.stdout.split_once("\nsettings\n").unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let file = node.path("settings.toml");
    let at = |line: usize| format!("{}:{line}", file.display());
    for row in [
        &["stale-after", "30s", &at(2)][..],
        &["no-empty-login", &at(3)],
        &["secrets", "if-allowed", "CRIO_CREDENTIAL_PROVIDER_SECRETS"],
        &["config-file", file.to_str().unwrap(), "--config-file"],
    ] {
        assert!(rows.iter().any(|found| found == row), "{row:?}: {text}");
    }
    let json: Value = serde_json::from_str(&run("json").stdout).unwrap();
    let settings = json["settings"].as_array().unwrap();
    for setting in [
        json!({"name": "stale-after", "values": ["30s"], "from": "file", "file": file, "line": 2}),
        json!({"name": "no-empty-login", "values": [], "from": "file", "file": file, "line": 3}),
        json!({
            "name": "secrets", "values": ["if-allowed"], "from": "environment",
            "variable": "CRIO_CREDENTIAL_PROVIDER_SECRETS",
        }),
    ] {
        assert!(settings.contains(&setting), "{setting} {json:#}");
    }
}

/// Each of 400 mirrors has 300 matching entries. The text and the JSON have only the
/// first of those that lose.
#[test]
fn of_many_entries_only_the_first_are_shown() {
    const MIRRORS: usize = 400;
    let mirrors: Vec<String> = (0..MIRRORS)
        .map(|n| format!("m{n}.mirror.example"))
        .collect();
    let mirrors: Vec<&str> = mirrors.iter().map(String::as_str).collect();
    let node = Node::with_mirrors(&mirrors);
    let secrets: Vec<Value> = (0..300)
        .map(|n| login_secret(&format!("s-{n:03}"), "*.mirror.example", "robot"))
        .collect();
    let secrets = list(&secrets);
    let text = explain(&node, "text", &secrets).stdout;
    assert_eq!(text.matches("  used  ").count(), MIRRORS);
    assert_eq!(text.matches("not used  secret").count(), 20 * MIRRORS);
    assert_eq!(text.matches("not used  and 279 more").count(), MIRRORS);
    let json = explained(&node, &secrets);
    let source = &json["images"][0]["sources"][0];
    assert_eq!(source["notUsed"].as_array().unwrap().len(), 20);
    assert_eq!(source["notUsedLeftOut"], 279);
}
