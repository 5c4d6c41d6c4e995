//! Tokens and passwords appear in the auth file and nowhere else, at the most detailed
//! log level and with every failure. Each test also shows that its failure happened: a
//! run that ends earlier proves nothing.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use test_cluster::{AnswerFault, ApiServer, CertificateKind, ConnectionFault, Fault, Secret};

use crate::explain::explain;
use crate::support::{
    ACCOUNT, Cluster, NAMESPACE, NGINX, Node, Outcome, Provider, Request, all_at_once, base64,
    docker_config, login, token_with_claims,
};

const PASSWORD: &str = "hunter2-s3cr3t";
const LOGIN: &str = "user:hunter2-s3cr3t";
const IDENTITY: &str = "r3fr3sh-t0k3n";

/// A node, a cluster with a login for the node's mirror, and the provider.
struct Scene {
    node: Node,
    cluster: Cluster,
    provider: Provider,
}

impl Scene {
    fn new(builder: test_cluster::Builder, format: &str) -> Self {
        let cluster = Cluster::of(builder);
        let entry = json!({"auth": base64(LOGIN), "identitytoken": IDENTITY});
        let config = json!({"auths": {"mirror.example": entry}}).to_string();
        cluster.put(Secret::docker_config_json("pull", &config));
        let node = Node::with_mirror();
        let provider = node
            .provider(&cluster)
            .flag("--log-level", "trace")
            .flag("--log-format", format);
        Self {
            node,
            cluster,
            provider,
        }
    }

    /// The login in each of its forms, and every part of the token.
    fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![
            PASSWORD.to_owned(),
            IDENTITY.to_owned(),
            base64(PASSWORD),
            base64(LOGIN),
            base64(IDENTITY),
        ];
        secrets.extend(self.cluster.token.split('.').map(str::to_owned));
        secrets
    }

    /// Asserts that no secret was printed, and that none was written except into the auth
    /// file.
    #[track_caller]
    fn keeps_its_secrets(&self, name: &str, outcome: &Outcome) {
        for secret in self.secrets() {
            for printed in [&outcome.stdout, &outcome.stderr] {
                assert!(
                    !printed.contains(&secret),
                    "{name}: {secret:?} in: {outcome}"
                );
            }
            for (path, content) in self.node.files() {
                let content = String::from_utf8_lossy(&content);
                let is_auth_file = path == self.node.auth_path(NGINX);
                let allowed = is_auth_file && (secret == base64(LOGIN) || secret == IDENTITY);
                assert!(
                    allowed || !content.contains(&secret),
                    "{name}: {secret:?} in {}",
                    path.display()
                );
            }
        }
    }
}

/// Asserts that the run failed, and logged these words.
#[track_caller]
fn failed(outcome: &Outcome, words: &str) {
    assert_eq!(outcome.code, Some(1), "{outcome}");
    logged(outcome, words);
}

/// Asserts that the run succeeded, and logged these words.
#[track_caller]
fn succeeded(outcome: &Outcome, words: &str) {
    assert_eq!(outcome.code, Some(0), "{outcome}");
    logged(outcome, words);
}

#[track_caller]
fn logged(outcome: &Outcome, words: &str) {
    assert!(outcome.stderr.contains(words), "no {words:?} in: {outcome}");
}

/// Plays a scene with each log format.
fn in_both_formats(name: &str, play: impl Fn(&Scene) -> Outcome) {
    with_server(name, ApiServer::builder, play);
}

fn with_server(
    name: &str,
    server: impl Fn() -> test_cluster::Builder,
    play: impl Fn(&Scene) -> Outcome,
) {
    for format in ["text", "json"] {
        let scene = Scene::new(server(), format);
        let outcome = play(&scene);
        scene.keeps_its_secrets(name, &outcome);
        if format == "json" {
            for line in outcome.stderr.lines() {
                let parsed: Result<Value, _> = serde_json::from_str(line);
                assert!(parsed.is_ok(), "{name}: {line}");
            }
        }
    }
}

#[test]
fn when_all_goes_well() {
    in_both_formats("a login", |scene| {
        let outcome = scene.provider.pull(NGINX);
        succeeded(&outcome, "mirror.example/library/nginx");
        let file = scene.node.auth_file(NGINX).unwrap();
        let entry = json!({"auth": base64(LOGIN), "identitytoken": IDENTITY});
        let expected = json!({"auths": {"mirror.example/library/nginx": entry}});
        assert_eq!(file, expected);
        outcome
    });
    in_both_formats("no login", |scene| {
        scene.cluster.put(login("pull", "elsewhere.example", LOGIN));
        let outcome = scene.provider.pull(NGINX);
        succeeded(&outcome, "elsewhere.example");
        assert_eq!(scene.node.auth_file(NGINX), None);
        outcome
    });
}

#[test]
fn when_a_key_has_a_password_in_it() {
    let key = |user: &str| format!("https://user:{user}@mirror.example");
    in_both_formats("the login", |scene| {
        scene
            .cluster
            .put(login("pull", &key(PASSWORD), "user:other"));
        scene.cluster.put(login("less", "mirror.example", LOGIN));
        let outcome = scene.provider.pull(NGINX);
        succeeded(&outcome, "***@mirror.example");
        succeeded(&outcome, "wins over");
        outcome
    });
    in_both_formats("an entry that cannot be used", |scene| {
        let auths = json!({key(PASSWORD): {"auth": "!"}, key("x/hunter2-s3cr3t"): {}});
        let config = json!({"auths": auths}).to_string();
        scene
            .cluster
            .put(Secret::docker_config_json("pull", &config));
        let outcome = scene.provider.pull(NGINX);
        succeeded(&outcome, "skip: ");
        succeeded(&outcome, "matches no pull source");
        outcome
    });
}

#[test]
fn when_explain_prints_a_key_with_a_password_in_it() {
    let node = Node::with_mirror();
    let key = |host: &str| format!("https://user:{PASSWORD}@{host}");
    let auths = json!({
        key("mirror.example"): {"auth": base64("used:p")},
        key("*.example"): {"auth": base64("loses:p")},
        key("mirror.example/library"): {"auth": "!"},
        key("elsewhere.example"): {"auth": base64("matches:nothing")},
    });
    let secret = json!({
        "kind": "Secret",
        "metadata": {"name": "pull"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64(&json!({"auths": auths}).to_string())},
    });
    for format in ["text", "json"] {
        let outcome = explain(&node, format, &secret.to_string());
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert!(outcome.stdout.contains("https://***@mirror.example"));
        assert!(!outcome.to_string().contains(PASSWORD), "{outcome}");
    }
}

#[test]
fn when_the_request_cannot_be_used() {
    in_both_formats("requests", |scene| {
        let token = &scene.cluster.token;
        let good = Request::new(NGINX).token(token);
        let with = |field: &str, value: Value| good.clone().field(field, value).to_string();
        let text = good.to_string();
        let mut half = text.clone();
        half.truncate(text.len() - 5);
        let mut last = None;
        for (input, words) in [
            (token.clone(), "decode the CredentialProviderRequest"),
            (
                format!("\"{token}\""),
                "decode the CredentialProviderRequest",
            ),
            (half, "decode the CredentialProviderRequest"),
            (
                text.replace("\":", "\";"),
                "decode the CredentialProviderRequest",
            ),
            (
                with("serviceAccountToken", json!([token])),
                "decode the CredentialProviderRequest",
            ),
            (
                with("serviceAccountToken", json!({"x": token})),
                "decode the CredentialProviderRequest",
            ),
            (
                with("serviceAccountAnnotations", json!(token)),
                "decode the CredentialProviderRequest",
            ),
            (with("image", json!("")), "the request's image"),
            (with("kind", json!("Pod")), "stdin holds kind"),
            (
                good.clone()
                    .field(token, json!(1))
                    .field("image", json!(5))
                    .to_string(),
                "decode the CredentialProviderRequest",
            ),
            (
                Request::new(NGINX)
                    .token(&format!("{token}.{token}"))
                    .to_string(),
                "expected three parts",
            ),
            (
                Request::new(NGINX)
                    .token(&format!(" {token}\n"))
                    .to_string(),
                "no HTTP header may hold",
            ),
        ] {
            let outcome = scene.provider.run(input.as_bytes());
            failed(&outcome, words);
            scene.keeps_its_secrets(words, &outcome);
            last = Some(outcome);
        }
        last.unwrap()
    });
}

#[test]
fn when_the_claims_of_the_token_hold_something_else() {
    for (claims, words) in [
        (json!(PASSWORD), "decode the claims"),
        (json!([PASSWORD]), "decode the claims"),
        (json!({"kubernetes.io": PASSWORD}), "decode the claims"),
        (
            json!({"kubernetes.io": {"namespace": PASSWORD.to_uppercase()}}),
            "not a DNS-1123 label",
        ),
        (
            json!({"kubernetes.io": {"namespace": [PASSWORD]}}),
            "decode the claims",
        ),
        (
            json!({"kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": PASSWORD}}),
            "decode the claims",
        ),
    ] {
        in_both_formats(words, |scene| {
            let token = token_with_claims(&claims);
            let outcome = scene.provider.clone().token(&token).pull(NGINX);
            failed(&outcome, words);
            let payload = token.split('.').nth(1).unwrap();
            outcome.never_prints(&[payload, &PASSWORD.to_uppercase()]);
            outcome
        });
    }
}

#[test]
fn when_the_api_server_fails() {
    let connection = |fault: ConnectionFault| Fault::from(fault).forever();
    let answer = |fault: AnswerFault| Fault::from(fault).forever();
    let cases = [
        (connection(ConnectionFault::Refuse), "no answer in"),
        (connection(ConnectionFault::HangInHandshake), "no answer in"),
        (connection(ConnectionFault::GarbageHandshake), "TLS with"),
        (Fault::status(500).forever(), "the answer is 500"),
        (Fault::status(503).forever(), "the answer is 503"),
        (Fault::status(429).forever(), "the answer is 429"),
        (Fault::status(401), "does not accept the pod's token"),
        (Fault::status(403), "may not list secrets"),
        (Fault::status(404), "the answer is 404"),
        (answer(AnswerFault::HangInBody), "no answer in"),
        (answer(AnswerFault::CutInBody), "no answer in"),
        (answer(AnswerFault::TruncatedJson), "not a SecretList"),
        (answer(AnswerFault::LoginPage), "not a SecretList"),
        (answer(AnswerFault::Garbage), "no answer in"),
        (answer(AnswerFault::LengthTooSmall), "not a SecretList"),
        (
            Fault::redirect(302, "https://127.0.0.1:9/?token=hunter2-s3cr3t"),
            "the answer is a redirect",
        ),
    ];
    all_at_once(&cases, |(fault, words)| {
        in_both_formats(&format!("{fault:?}"), |scene| {
            scene.cluster.server.fault(fault.clone());
            let provider = scene.provider.clone().flag("--timeout", "2s");
            let outcome = provider.pull(NGINX);
            failed(&outcome, words);
            outcome
        });
    });
}

#[test]
fn when_the_api_server_fails_once() {
    in_both_formats("503", |scene| {
        scene.cluster.server.fault(Fault::status(503).times(1));
        let outcome = scene.provider.pull(NGINX);
        succeeded(&outcome, "503");
        outcome
    });
}

#[test]
fn when_the_api_server_repeats_the_request() {
    for (code, words) in [
        (200, "not a SecretList"),
        (400, "the answer is 400"),
        (401, "does not accept the pod's token"),
        (403, "may not list secrets"),
        (404, "the answer is 404"),
        (500, "the answer is 500"),
    ] {
        in_both_formats(words, |scene| {
            let message = format!("no such token: {}", scene.cluster.token);
            let body = json!({"kind": "Status", "message": message, "reason": PASSWORD});
            let fault = AnswerFault::Custom {
                code,
                content_type: "application/json".to_owned(),
                body: body.to_string().into_bytes(),
            };
            scene.cluster.server.fault(Fault::from(fault).forever());
            let provider = scene.provider.clone().flag("--timeout", "2s");
            let outcome = provider.pull(NGINX);
            failed(&outcome, words);
            outcome
        });
    }
}

#[test]
fn when_the_api_server_may_not_be_trusted_or_does_not_trust_us() {
    for certificate in [
        CertificateKind::OtherCa,
        CertificateKind::Expired,
        CertificateKind::WrongName,
    ] {
        let server = || ApiServer::builder().certificate(certificate);
        with_server("certificate", server, |scene| {
            let outcome = scene.provider.pull(NGINX);
            failed(&outcome, "TLS with the API server");
            outcome
        });
        with_server("insecure", server, |scene| {
            let provider = scene.provider.clone();
            let outcome = provider.switch("--insecure-skip-tls-verify").pull(NGINX);
            succeeded(&outcome, "--insecure-skip-tls-verify");
            outcome
        });
    }
    in_both_formats("revoked", |scene| {
        scene.cluster.server.revoke(NAMESPACE, ACCOUNT);
        let outcome = scene.provider.pull(NGINX);
        failed(&outcome, "may not list secrets");
        outcome
    });
}

#[test]
fn when_a_secret_cannot_be_used() {
    let entry = |entry: Value| json!({"auths": {"mirror.example": entry}}).to_string();
    let mut cut = entry(json!({"auth": base64(LOGIN)}));
    cut.truncate(cut.len() - 6);
    for (config, reason) in [
        (PASSWORD.to_owned(), "malformed JSON"),
        (cut, "JSON that ends too early"),
        (json!([PASSWORD]).to_string(), "JSON of an unexpected type"),
        (
            json!({"auths": PASSWORD}).to_string(),
            "JSON of an unexpected type",
        ),
        (
            json!({"auths": [PASSWORD]}).to_string(),
            "JSON of an unexpected type",
        ),
        (entry(json!(PASSWORD)), "decode entry"),
        (entry(json!([PASSWORD])), "decode entry"),
        (entry(json!({"auth": [PASSWORD]})), "is not a string"),
        (
            entry(json!({"auth": format!("!{PASSWORD}!")})),
            "is not base64",
        ),
        (
            entry(json!({"auth": base64(PASSWORD)})),
            "is not the base64 of user:password",
        ),
        (
            entry(json!({"auth": base64(&format!(":{PASSWORD}"))})),
            "no user name",
        ),
        (
            entry(json!({"username": "u", "password": [PASSWORD]})),
            "is not a string",
        ),
        (entry(json!({"password": PASSWORD})), "no user name"),
        (
            entry(json!({"auth": base64("u:p"), "identitytoken": [IDENTITY]})),
            "broken",
        ),
    ] {
        in_both_formats(&config, |scene| {
            scene
                .cluster
                .put(Secret::docker_config_json("broken", &config));
            scene.cluster.put(Secret::dockercfg("broken-too", &config));
            let outcome = scene.provider.pull(NGINX);
            succeeded(&outcome, reason);
            logged(&outcome, "broken-too");
            outcome.never_prints(&[&base64(&config)]);
            outcome
        });
    }
}

#[test]
fn when_a_global_auth_file_cannot_be_used() {
    let password = "gl0bal-passw0rd";
    let entry = |entry: Value| json!({"auths": {"mirror.example": entry}}).to_string();
    for (text, reason) in [
        (password.to_owned(), "malformed JSON"),
        (json!([password]).to_string(), "JSON of an unexpected type"),
        (
            json!({"auths": password}).to_string(),
            "JSON of an unexpected type",
        ),
        (
            entry(json!({"auth": [password]})),
            "containers/image could not decode the entry",
        ),
        (entry(json!({"auth": base64(password)})), "config.json"),
        (
            json!({"auths": {"quay.io": [password]}}).to_string(),
            "containers/image could not decode the entry",
        ),
        (
            json!({"credHelpers": [password]}).to_string(),
            "leave out its",
        ),
    ] {
        in_both_formats(&text, |scene| {
            scene.node.write("var/lib/kubelet/config.json", &text);
            let outcome = scene.provider.pull(NGINX);
            succeeded(&outcome, reason);
            outcome.never_prints(&[password, &base64(password)]);
            outcome
        });
    }
}

#[test]
fn when_a_global_auth_file_is_carried_over() {
    let login = "u:gl0bal-passw0rd";
    in_both_formats("carried over", |scene| {
        let text = docker_config(&[("quay.io", login)]);
        scene.node.write("var/lib/kubelet/config.json", text);
        let outcome = scene.provider.pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let file = scene.node.auth_file(NGINX).unwrap();
        assert_eq!(file["auths"]["quay.io"]["auth"], base64(login));
        outcome.never_prints(&["gl0bal-passw0rd", &base64(login)]);
        outcome
    });
}

#[test]
fn when_the_auth_file_cannot_be_written() {
    in_both_formats("a directory at the target", |scene| {
        let path = scene.node.auth_path(NGINX);
        fs::create_dir_all(path.join("inside")).unwrap();
        scene.node.set_mode("etc/crio/auth", 0o700);
        let outcome = scene.provider.pull(NGINX);
        failed(&outcome, "auth file");
        outcome
    });
    in_both_formats("a file at the directory", |scene| {
        scene.node.write("etc/crio/auth", "");
        let outcome = scene.provider.pull(NGINX);
        failed(&outcome, "auth directory");
        outcome
    });
    in_both_formats("a shared directory", |scene| {
        fs::create_dir_all(scene.node.path("etc/crio/auth")).unwrap();
        scene.node.set_mode("etc/crio/auth", 0o1777);
        let outcome = scene.provider.pull(NGINX);
        failed(&outcome, "is shared");
        outcome
    });
    in_both_formats("a link at the target", |scene| {
        scene.node.leave_auth_file(NGINX);
        let path = scene.node.auth_path(NGINX);
        fs::remove_file(&path).unwrap();
        scene.node.write("victim", "");
        symlink(scene.node.path("victim"), &path).unwrap();
        let outcome = scene.provider.pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert_eq!(scene.node.read("victim"), "");
        outcome
    });
}

#[test]
fn when_the_response_cannot_be_written() {
    in_both_formats("full", |scene| {
        let script = "\"$PROVIDER\" > /dev/full; exit $?";
        let outcome = scene.provider.pull_in_script(script, &[], NGINX);
        failed(&outcome, "write the response to stdout");
        outcome
    });
}
