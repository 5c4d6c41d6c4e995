//! `check`, the part that asks the API server: whether it can be trusted and accepts the
//! tokens that kubelet requests, and whether a service account may list its Secrets.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use test_cluster::{AnswerFault, ConnectionFault, Fault, TokenOptions};

use crate::check::{entry, finds, report, troubles};
use crate::support::{ACCOUNT, Cluster, NAMESPACE, ReadyNode};

/// The kubeconfig of an administrator with that token.
fn administrator(ready: &ReadyNode, token: &str) -> String {
    let kubeconfig = ready.cluster.server.kubeconfig();
    let user = format!("users:\n- name: admin\n  user:\n    token: {token}\n");
    let kubeconfig = kubeconfig.replace("users: []\n", &user);
    let path = "/root/admin.conf";
    ready.write(path, kubeconfig.replace("user: \"\"", "user: admin"));
    ready
        .node
        .path(path.trim_start_matches('/'))
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn an_administrator_reviews_the_access_of_a_service_account() {
    let ready = ReadyNode::new();
    let server = &ready.cluster.server;
    let file = administrator(&ready, &server.token("kube-system", "admin"));
    let ask = |account: &str| {
        let arguments = ["-o", "json", "-n", NAMESPACE, "--service-account", account];
        let arguments = [&arguments[..], &["--kubeconfig-for-review", &file]].concat();
        let outcome = ready.check(&arguments);
        (report(&outcome), outcome)
    };
    let status = |account: &str| {
        let (report, outcome) = ask(account);
        let checks = report["checks"].as_array().unwrap();
        let access = checks.iter().find(|check| check["name"] == "access");
        let access = access.unwrap_or_else(|| panic!("{outcome}"));
        let text = |key: &str| access[key].as_str().unwrap_or_default().to_owned();
        (text("status"), text("message"), text("remedy"))
    };
    let (warned, message, remedy) = status(ACCOUNT);
    assert_eq!(warned, "WARN", "{message}");
    assert!(
        message.contains("403") && remedy.contains("--token-file"),
        "{message} {remedy}"
    );

    server.grant_review("kube-system", "admin");
    assert_eq!(status(ACCOUNT).0, "PASS");
    let (failed, message, remedy) = status("other");
    assert_eq!(failed, "FAIL", "{message}");
    for word in [
        "create role image-pull-secrets --verb=list --resource=secrets",
        "--serviceaccount=team-a:other",
    ] {
        assert!(remedy.contains(word), "{remedy}");
    }
    let lists = server.requests();
    assert!(
        lists
            .iter()
            .all(|request| !request.path.contains("/secrets")),
        "nothing is listed"
    );
}

#[test]
fn nodes_may_request_tokens_for_the_audience() {
    const AUDIENCE: &str = "https://kubernetes.default.svc";
    let ready = ReadyNode::new();
    let server = &ready.cluster.server;
    let file = administrator(&ready, &server.token("kube-system", "admin"));
    let status = || {
        let arguments = ["-o", "json", "-n", NAMESPACE, "--service-account", ACCOUNT];
        let outcome = ready.check(&[&arguments[..], &["--kubeconfig-for-review", &file]].concat());
        let report = report(&outcome);
        let checks = report["checks"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|check| check["name"] == "token-requests");
        let text = |key: &str| check.unwrap()[key].as_str().unwrap_or_default().to_owned();
        (text("status"), text("message"), text("remedy"))
    };
    let (warned, message, remedy) = status();
    assert_eq!(warned, "WARN", "{message}");
    assert!(
        message.contains("403") && remedy.contains("cluster-admin"),
        "{message}"
    );

    server.grant_review("kube-system", "admin");
    let (failed, message, remedy) = status();
    assert_eq!(failed, "FAIL", "{message}");
    assert!(message.contains("node \"worker-1\" may not"), "{message}");
    // The remedy runs as printed, and creates what deploy/ has.
    ready.write(
        "/programs/kubectl",
        "#!/bin/sh\necho \"$@\"\n[ \"$1\" != apply ] || cat\n",
    );
    ready.node.set_mode("programs/kubectl", 0o755);
    let shell = Command::new("/bin/sh")
        .args(["-c", &remedy])
        .env(
            "PATH",
            format!("{}:/bin:/usr/bin", ready.node.path("programs").display()),
        )
        .output()
        .unwrap();
    let printed = String::from_utf8(shell.stdout).unwrap();
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("apply -f -"), "{printed}");
    let role: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let expected = json!([{
        "apiGroups": [""],
        "resources": [AUDIENCE],
        "verbs": ["request-serviceaccounts-token-audience"],
    }]);
    assert_eq!(
        (&role["kind"], &role["rules"]),
        (&json!("ClusterRole"), &expected)
    );
    let binding = "create clusterrolebinding crio-credential-provider --clusterrole=crio-credential-provider --group=system:nodes";
    assert_eq!(lines.next(), Some(binding), "{printed}");

    server.grant_audience(AUDIENCE);
    assert_eq!(status().0, "PASS");
}

#[test]
fn a_service_account_reviews_its_own_access() {
    let ready = ReadyNode::new();
    let server = &ready.cluster.server;
    let ask = |token: &str, arguments: &[&str]| {
        ready.write("/root/token", token);
        let file = ready.node.path("root/token");
        let own = ["-o", "json", "--token-file", file.to_str().unwrap()];
        let outcome = ready.check(&[&own, arguments].concat());
        outcome.never_prints(&[token]);
        report(&outcome)
    };
    let troubles_of = |report: &Value| -> Vec<(String, String)> {
        let mut all = troubles(report);
        all.retain(|(_, name)| name != "kubelet-version");
        all
    };
    let passes = |report: &Value, name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks
            .iter()
            .any(|check| check["name"] == name && check["status"] == "PASS")
    };
    // The token has the audience that kubelet requests.
    let report = ask(&ready.cluster.token, &[]);
    assert!(troubles_of(&report).is_empty(), "{report}");
    assert!(
        passes(&report, "access") && passes(&report, "audience"),
        "{report}"
    );

    let denied = ask(&server.token(NAMESPACE, "other"), &[]);
    assert_eq!(
        troubles_of(&denied),
        [("FAIL".to_owned(), "access".to_owned())]
    );
    let warned = [("WARN".to_owned(), "access".to_owned())];
    let elsewhere = ask(&ready.cluster.token, &["-n", "team-b"]);
    assert_eq!(troubles_of(&elsewhere), warned, "{elsewhere}");
    let nobody = ask("no.to.ken", &[]);
    assert_eq!(troubles_of(&nobody), warned, "{nobody}");
    let mut options = TokenOptions::new(NAMESPACE, ACCOUNT);
    options.expired = true;
    let expired = ask(&server.token_with(options), &[]);
    assert_eq!(troubles_of(&expired), warned, "{expired}");

    entry(|entry| {
        entry["tokenAttributes"]["serviceAccountTokenAudience"] = json!("https://other");
    })(&ready);
    let wrong = ask(&ready.cluster.token, &[]);
    assert_eq!(
        troubles_of(&wrong),
        [("FAIL".to_owned(), "audience".to_owned())],
        "{wrong}"
    );
}

#[test]
fn for_named_secrets_the_right_to_get_them_is_enough() {
    const KEY: &str = "credential-provider.crio.io/secrets";
    let ready = ReadyNode::new();
    let server = &ready.cluster.server;
    server.grant_get(NAMESPACE, "narrow", &["mirror-login", "team-cache"]);
    ready.write("/root/token", server.token(NAMESPACE, "narrow"));
    let file = ready.node.path("root/token");
    let access = |arguments: &[&str]| {
        let own = ["-o", "json", "--token-file", file.to_str().unwrap()];
        let report = report(&ready.check(&[&own, arguments].concat()));
        let checks = report["checks"].as_array().unwrap();
        let access = checks.iter().find(|check| check["name"] == "access");
        let access = access.unwrap_or_else(|| panic!("{report}"));
        let text = |key: &str| access[key].as_str().unwrap_or_default().to_owned();
        (text("status"), text("message"), text("remedy"))
    };
    assert_eq!(access(&[]).0, "FAIL", "it may not list");
    let names = ["--secret-name", "mirror-login,team-cache"];
    assert_eq!(access(&names).0, "PASS");
    let (status, _, remedy) = access(&["--secret-name", "mirror-login,other"]);
    assert_eq!(status, "FAIL");
    assert!(
        remedy.contains("--verb=get") && remedy.contains("--resource-name=other"),
        "{remedy}"
    );

    let annotated = format!("{KEY}=mirror-login");
    let (status, message, remedy) = access(&["--annotation", &annotated]);
    assert!(
        status == "FAIL" && message.contains("does not pass"),
        "{message}"
    );
    assert!(
        remedy.contains(
            "config --write /etc/kubernetes/credential-providers.yaml --secrets-annotation "
        ),
        "{remedy}"
    );
    entry(|entry| {
        entry["tokenAttributes"]["optionalServiceAccountAnnotationKeys"] = json!([KEY]);
    })(&ready);
    assert_eq!(access(&["--annotation", &annotated]).0, "PASS");
    let (status, message, _) = access(&["--annotation", &format!("{KEY}=")]);
    assert!(
        status == "PASS" && message.contains("none is read"),
        "{message}"
    );
}

#[test]
fn without_a_login_the_command_is_shown() {
    let ready = ReadyNode::new();
    let arguments = ["-n", NAMESPACE, "--service-account", "app"];
    let outcome = ready.check(&arguments);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let command = "kubectl auth can-i list secrets -n team-a --as=system:serviceaccount:team-a:app";
    assert!(outcome.stdout.contains(command), "{outcome}");
}

#[test]
fn the_api_server_answers_and_is_verified() {
    let other = Cluster::new();
    finds(
        |ready| {
            ready.write(
                "/etc/kubernetes/kubelet.conf",
                other
                    .server
                    .kubeconfig()
                    .replace(&other.server.url(), &ready.cluster.server.url()),
            );
        },
        "FAIL",
        "api-server",
        "TLS with the API server",
        "--certificate-authority",
    );
    finds(
        |ready| {
            let kubeconfig = ready.cluster.server.kubeconfig();
            let nobody = kubeconfig.replace(&ready.cluster.server.url(), "https://127.0.0.1:1");
            ready.write("/etc/kubernetes/kubelet.conf", nobody);
        },
        "FAIL",
        "api-server",
        "https://127.0.0.1:1/",
        "check that it runs",
    );
    finds(
        |ready| fs::remove_file(ready.node.path("etc/kubernetes/kubelet.conf")).unwrap(),
        "FAIL",
        "api-server",
        "https://localhost:6443/ (from the default",
        "only a control-plane node has an API server on localhost",
    );
    // The plugin has the environment of kubelet, not that of the administrator's shell.
    finds(
        |ready| {
            let kubeconfig = ready.cluster.server.kubeconfig();
            let behind = kubeconfig.replace(&ready.cluster.server.url(), "https://192.0.2.7:6443");
            ready.write("/etc/kubernetes/kubelet.conf", behind);
            ready.write(
                "/proc/812/environ",
                "HTTPS_PROXY=http://127.0.0.1:9\0NO_PROXY=10.0.0.0/8\0",
            );
        },
        "FAIL",
        "api-server",
        "through proxy 127.0.0.1:9 (HTTPS_PROXY; NO_PROXY does not cover 192.0.2.7)",
        "check that it runs",
    );
    let ready = ReadyNode::new();
    let report = report(&ready.check(&["-o", "json", "--insecure-skip-tls-verify"]));
    assert_eq!(
        troubles(&report),
        [("FAIL".to_owned(), "api-server".to_owned())]
    );
}

/// Whether any request to that server had a login.
fn was_sent_a_login(cluster: &Cluster) -> bool {
    let requests = cluster.server.requests();
    requests
        .iter()
        .any(|request| request.header("authorization").is_some())
}

#[test]
fn a_token_given_by_hand_goes_to_no_server_that_a_process_or_an_entry_names() {
    let other = Cluster::new();
    let url = other.server.url();
    let in_args = || {
        let ready = ReadyNode::new();
        let args = json!(["--insecure-skip-tls-verify", format!("--api-server={url}")]);
        entry(|entry| entry["args"] = args.clone())(&ready);
        ready
    };
    let of_kubelet = || {
        let ready = ReadyNode::new();
        ready.write("/home/user/kubeconfig", other.server.kubeconfig());
        ready.process(
            812,
            "/usr/bin/kubelet\0--kubeconfig=/home/user/kubeconfig\0",
        );
        ready
    };
    for (name, ready) in [("args", in_args()), ("kubelet", of_kubelet())] {
        ready.write("/root/token", &ready.cluster.token);
        let file = ready.node.path("root/token");
        let token = ["-o", "json", "--token-file", file.to_str().unwrap()];

        let report = report(&ready.check(&token));

        let warned = ("WARN".to_owned(), "access".to_owned());
        assert!(troubles(&report).contains(&warned), "{name}: {report}");
        assert!(
            report.to_string().contains("is not sent"),
            "{name}: {report}"
        );
        assert!(!other.server.requests().is_empty(), "{name}");
        assert!(!was_sent_a_login(&other), "{name}");
        assert!(!was_sent_a_login(&ready.cluster), "{name}");
    }
}

#[test]
fn a_reviewers_login_goes_to_a_verified_server_alone() {
    let ready = ReadyNode::new();
    let args = json!(["--insecure-skip-tls-verify"]);
    entry(|entry| entry["args"] = args.clone())(&ready);
    let other = Cluster::new();
    let token = other.server.token("kube-system", "admin");
    other.server.grant_review("kube-system", "admin");
    let file = administrator(&ready, &token);
    // Use the address of the other server with the CA of this one.
    let kubeconfig = ready.node.read("root/admin.conf");
    let kubeconfig = kubeconfig.replace(&ready.cluster.server.url(), &other.server.url());
    ready.write("/root/admin.conf", kubeconfig);
    let about = ["-o", "json", "-n", NAMESPACE, "--service-account", ACCOUNT];

    let report = report(&ready.check(&[&about[..], &["--kubeconfig-for-review", &file]].concat()));

    let warned = ("WARN".to_owned(), "access".to_owned());
    assert!(troubles(&report).contains(&warned), "{report}");
    assert!(other.server.requests().is_empty(), "{report}");
    assert!(other.server.connections() > 0, "{report}");
}

/// A person at a terminal sees what the program waits for, and can try again.
#[test]
fn an_api_server_that_does_not_answer_is_asked_once() {
    for fault in [
        Fault::from(ConnectionFault::Refuse),
        Fault::status(503),
        Fault::from(AnswerFault::CutBeforeHeaders),
    ] {
        let ready = ReadyNode::new();
        ready.cluster.server.fault(fault);
        let outcome = ready.check(&["-o", "json"]);
        let failed = [("FAIL".to_owned(), "api-server".to_owned())];
        assert_eq!(troubles(&report(&outcome)), failed, "{outcome}");
        assert!(outcome.stdout.contains("1 attempt"), "{outcome}");
        let waited = format!(
            "INFO ask the API server at https://127.0.0.1:{}",
            ready.cluster.port()
        );
        assert!(outcome.stderr.contains(&waited), "{outcome}");
        assert!(outcome.stderr.contains("wait at most 10 s"), "{outcome}");
    }
}
