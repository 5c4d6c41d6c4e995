//! Neither token nor password appears anywhere but in the auth file, whatever
//! goes wrong, at the most talkative log level (SPEC section 8).

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use test_cluster::{AnswerFault, ApiServer, CertificateKind, ConnectionFault, Fault, Secret};

use crate::support::{
    ACCOUNT, Cluster, NAMESPACE, NGINX, Node, Outcome, Provider, Request, all_at_once, base64,
    docker_config, login, token_with_claims,
};

const PASSWORD: &str = "hunter2-s3cr3t";
const LOGIN: &str = "user:hunter2-s3cr3t";
const IDENTITY: &str = "r3fr3sh-t0k3n";

/// A node, a cluster with a login for the node's mirror, and the provider.
struct Story {
    node: Node,
    cluster: Cluster,
    provider: Provider,
}

impl Story {
    fn new(builder: test_cluster::Builder, format: &str) -> Self {
        let cluster = Cluster::of(builder);
        let entry = json!({"auth": base64(LOGIN), "identitytoken": IDENTITY});
        let config = json!({"auths": {"mirror.example": entry}}).to_string();
        cluster.put(Secret::docker_config_json("pull", &config));
        let node = Node::with_mirror();
        let provider = node
            .provider(&cluster)
            .flag("--log-level", "trace")
            .flag("--log-format", format)
            .flag("--timeout", "900ms");
        Self {
            node,
            cluster,
            provider,
        }
    }

    /// Whatever must not be seen: the login in each of its forms, and every part
    /// of the token.
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

    /// Asserts that nothing was told, and nothing written but the auth file.
    #[track_caller]
    fn is_discreet(&self, name: &str, outcome: &Outcome) {
        for secret in self.secrets() {
            for said in [&outcome.stdout, &outcome.stderr] {
                assert!(!said.contains(&secret), "{name}: {secret:?} in: {outcome}");
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

/// Tells the same story in both log formats.
fn told_in_both_formats(name: &str, tell: impl Fn(&Story) -> Outcome) {
    told_at(name, ApiServer::builder, tell);
}

fn told_at(
    name: &str,
    server: impl Fn() -> test_cluster::Builder,
    tell: impl Fn(&Story) -> Outcome,
) {
    for format in ["text", "json"] {
        let story = Story::new(server(), format);
        let outcome = tell(&story);
        story.is_discreet(name, &outcome);
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
    told_in_both_formats("a login", |story| {
        let outcome = story.provider.pull(NGINX);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let file = story.node.auth_file(NGINX).unwrap();
        let entry = json!({"auth": base64(LOGIN), "identitytoken": IDENTITY});
        let expected = json!({"auths": {"mirror.example/library/nginx": entry}});
        assert_eq!(file, expected);
        outcome
    });
    told_in_both_formats("no login", |story| {
        let redis = login("pull", "elsewhere.example", LOGIN);
        story.cluster.put(redis);
        story.provider.pull(NGINX)
    });
}

#[test]
fn when_the_request_is_no_request() {
    told_in_both_formats("requests", |story| {
        let token = &story.cluster.token;
        let good = Request::new(NGINX).token(token);
        let text = good.to_string();
        let mut half = text.clone();
        half.truncate(text.len() - 5);
        let mut last = None;
        for input in [
            token.clone(),
            format!("\"{token}\""),
            half,
            text.replace("\":", "\";"),
            good.clone()
                .field("serviceAccountToken", json!([token]))
                .to_string(),
            good.clone()
                .field("serviceAccountToken", json!({"x": token}))
                .to_string(),
            good.clone()
                .field("serviceAccountAnnotations", json!(token))
                .to_string(),
            good.clone().field("image", json!("")).to_string(),
            good.clone().field("kind", json!("Pod")).to_string(),
            good.clone()
                .field(token, json!(1))
                .field("image", json!(5))
                .to_string(),
            Request::new(NGINX)
                .token(&format!("{token}.{token}"))
                .to_string(),
            Request::new(NGINX)
                .token(&format!(" {token}\n"))
                .to_string(),
        ] {
            let outcome = story.provider.run(input.as_bytes());
            assert_eq!(outcome.code, Some(1), "{outcome}");
            story.is_discreet("request", &outcome);
            last = Some(outcome);
        }
        last.unwrap()
    });
}

#[test]
fn when_the_claims_of_the_token_hold_something_else() {
    for claims in [
        json!(PASSWORD),
        json!([PASSWORD]),
        json!({"kubernetes.io": PASSWORD}),
        json!({"kubernetes.io": {"namespace": PASSWORD.to_uppercase()}}),
        json!({"kubernetes.io": {"namespace": [PASSWORD]}}),
        json!({"kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": PASSWORD}}),
    ] {
        told_in_both_formats("claims", |story| {
            let token = token_with_claims(&claims);
            let outcome = story.provider.clone().token(&token).pull(NGINX);
            let payload = token.split('.').nth(1).unwrap();
            outcome.never_says(&[payload, &PASSWORD.to_uppercase()]);
            outcome
        });
    }
}

#[test]
fn when_the_api_server_fails() {
    let broken = |fault: AnswerFault| Fault::from(fault).forever();
    let cases = [
        ("refused", Fault::from(ConnectionFault::Refuse).forever()),
        (
            "hang",
            Fault::from(ConnectionFault::HangInHandshake).forever(),
        ),
        (
            "not TLS",
            Fault::from(ConnectionFault::GarbageHandshake).forever(),
        ),
        ("500", Fault::status(500).forever()),
        ("503", Fault::status(503).times(1)),
        ("429", Fault::status(429).forever()),
        ("401", Fault::status(401)),
        ("403", Fault::status(403)),
        ("404", Fault::status(404)),
        ("hang in the body", broken(AnswerFault::HangInBody)),
        ("cut in the body", broken(AnswerFault::CutInBody)),
        ("half", broken(AnswerFault::TruncatedJson)),
        ("login page", broken(AnswerFault::LoginPage)),
        ("not HTTP", broken(AnswerFault::Garbage)),
        ("too much", broken(AnswerFault::LengthTooSmall)),
        (
            "redirect",
            Fault::redirect(302, "https://127.0.0.1:9/?token=hunter2-s3cr3t"),
        ),
    ];
    all_at_once(&cases, |(name, fault)| {
        told_in_both_formats(name, |story| {
            story.cluster.server.fault(fault.clone());
            story.provider.pull(NGINX)
        });
    });
}

#[test]
fn when_the_api_server_repeats_what_it_was_sent() {
    for code in [200, 400, 401, 403, 404, 500] {
        told_in_both_formats("echo", |story| {
            let message = format!("no such token: {}", story.cluster.token);
            let body = json!({"kind": "Status", "message": message, "reason": PASSWORD});
            let fault = AnswerFault::Custom {
                code,
                content_type: "application/json".to_owned(),
                body: body.to_string().into_bytes(),
            };
            story.cluster.server.fault(Fault::from(fault).forever());
            story.provider.pull(NGINX)
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
        told_at("certificate", server, |story| story.provider.pull(NGINX));
        told_at("insecure", server, |story| {
            let provider = story.provider.clone();
            provider.switch("--insecure-skip-tls-verify").pull(NGINX)
        });
    }
    told_in_both_formats("revoked", |story| {
        story.cluster.server.revoke(NAMESPACE, ACCOUNT);
        story.provider.pull(NGINX)
    });
}

#[test]
fn when_a_secret_cannot_be_used() {
    let entry = |entry: Value| json!({"auths": {"mirror.example": entry}}).to_string();
    let mut cut = entry(json!({"auth": base64(LOGIN)}));
    cut.truncate(cut.len() - 6);
    for config in [
        PASSWORD.to_owned(),
        cut,
        json!([PASSWORD]).to_string(),
        json!({"auths": PASSWORD}).to_string(),
        json!({"auths": [PASSWORD]}).to_string(),
        entry(json!(PASSWORD)),
        entry(json!([PASSWORD])),
        entry(json!({"auth": [PASSWORD]})),
        entry(json!({"auth": format!("!{PASSWORD}!")})),
        entry(json!({"auth": base64(PASSWORD)})),
        entry(json!({"auth": base64(&format!(":{PASSWORD}"))})),
        entry(json!({"username": "u", "password": [PASSWORD]})),
        entry(json!({"password": PASSWORD})),
        entry(json!({"auth": base64("u:p"), "identitytoken": [IDENTITY]})),
    ] {
        told_in_both_formats(&config, |story| {
            let in_both_types = [
                Secret::docker_config_json("broken", &config),
                Secret::dockercfg("broken-too", &config),
            ];
            for secret in in_both_types {
                story.cluster.put(secret);
            }
            let outcome = story.provider.pull(NGINX);
            assert_eq!(outcome.code, Some(0), "{outcome}");
            outcome.never_says(&[&base64(&config)]);
            outcome
        });
    }
}

#[test]
fn when_a_global_auth_file_cannot_be_used() {
    let password = "gl0bal-passw0rd";
    for text in [
        password.to_owned(),
        json!([password]).to_string(),
        json!({"auths": password}).to_string(),
        json!({"auths": {"mirror.example": {"auth": [password]}}}).to_string(),
        json!({"auths": {"mirror.example": {"auth": base64(password)}}}).to_string(),
        json!({"auths": {"quay.io": [password]}, "credHelpers": [password]}).to_string(),
        docker_config(&[("quay.io", &format!("u:{password}"))]),
    ] {
        told_in_both_formats(&text, |story| {
            story.node.write("var/lib/kubelet/config.json", &text);
            let outcome = story.provider.pull(NGINX);
            assert_eq!(outcome.code, Some(0), "{outcome}");
            outcome.never_says(&[password, &base64(password)]);
            outcome
        });
    }
}

#[test]
fn when_the_auth_file_cannot_be_written() {
    told_in_both_formats("a directory at the target", |story| {
        let path = story.node.auth_path(NGINX);
        fs::create_dir_all(path.join("inside")).unwrap();
        story.node.set_mode("etc/crio/auth", 0o700);
        let outcome = story.provider.pull(NGINX);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        outcome
    });
    told_in_both_formats("a file at the directory", |story| {
        story.node.write("etc/crio/auth", "");
        let outcome = story.provider.pull(NGINX);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        outcome
    });
    told_in_both_formats("a shared directory", |story| {
        fs::create_dir_all(story.node.path("etc/crio/auth")).unwrap();
        story.node.set_mode("etc/crio/auth", 0o1777);
        let outcome = story.provider.pull(NGINX);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        outcome
    });
    told_in_both_formats("a link at the target", |story| {
        story.node.leave_auth_file(NGINX);
        let path = story.node.auth_path(NGINX);
        fs::remove_file(&path).unwrap();
        story.node.write("victim", "");
        symlink(story.node.path("victim"), &path).unwrap();
        story.provider.pull(NGINX)
    });
}

#[test]
fn when_the_response_cannot_be_written() {
    told_in_both_formats("full", |story| {
        let script = "\"$PROVIDER\" > /dev/full; exit $?";
        let outcome = story.provider.pull_in_script(script, &[], NGINX);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        outcome
    });
}
