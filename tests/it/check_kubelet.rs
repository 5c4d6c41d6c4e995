//! `check`: kubelet runs the provider, and has what it needs.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::check::{CONFIG, entry, finds, report, troubles};
use crate::support::{Distribution, Node, Provider, ReadyNode, cannot_run};

const KUBELET: &str = "/usr/bin/kubelet\0--kubeconfig=/etc/kubernetes/kubelet.conf\0--config=/var/lib/kubelet/config.yaml";
const FLAGS: &str = "\0--image-credential-provider-bin-dir=/usr/libexec/kubelet-image-credential-provider-plugins\0--image-credential-provider-config=/etc/kubernetes/credential-providers.yaml";

#[test]
fn a_login_of_kubelets_own_for_a_mirrored_registry_is_a_warning() {
    let config = |key: &str| format!(r#"{{"auths":{{"{key}":{{"auth":"dTpw"}}}}}}"#);
    for key in ["https://index.docker.io/v1/", "docker.io/org", "*.io"] {
        finds(
            |ready| ready.write("/var/lib/kubelet/config.json", config(key)),
            "WARN",
            "node-logins",
            "kubelet has a login for docker.io in /var/lib/kubelet/config.json",
            "move it into a Secret",
        );
    }
    for key in ["mirror.example", "quay.io", "docker.io.example"] {
        let ready = ReadyNode::new();
        ready.write("/var/lib/kubelet/config.json", config(key));
        let report = report(&ready.check(&["-o", "json"]));
        assert_eq!(troubles(&report), [], "{key}");
    }
}

#[test]
fn kubelet_has_read_its_current_configuration_of_providers() {
    finds(
        |ready| {
            let file = fs::File::open(ready.node.path(CONFIG.trim_start_matches('/'))).unwrap();
            let later = SystemTime::now() + Duration::from_secs(60);
            file.set_modified(later).unwrap();
        },
        "WARN",
        "kubelet-start",
        "kubelet (process 812) was started before /etc/kubernetes/credential-providers.yaml was changed",
        "systemctl restart kubelet",
    );
    finds(
        |ready| fs::remove_file(ready.node.path("proc/812/stat")).unwrap(),
        "WARN",
        "kubelet-start",
        "not checked: the start time of kubelet (process 812) cannot be seen",
        "as root",
    );
}

#[test]
fn pulls_are_announced_where_the_provider_looks() {
    let with_root_dir = |ready: &ReadyNode| {
        ready.process(812, &format!("{KUBELET}{FLAGS}\0--root-dir=/srv/kubelet\0"));
    };
    finds(
        with_root_dir,
        "WARN",
        "pull-intents",
        "kubelet announces pulls in /srv/kubelet/image_manager/pulling",
        "--pull-intents-dir /srv/kubelet/image_manager/pulling",
    );
    for given in ["/srv/kubelet/image_manager/pulling/", ""] {
        let ready = ReadyNode::new();
        with_root_dir(&ready);
        entry(|entry| entry["args"] = json!([format!("--pull-intents-dir={given}")]))(&ready);
        let report = report(&ready.check(&["-o", "json"]));
        assert_eq!(troubles(&report), [], "{given:?}");
    }
}

#[test]
fn the_flags_of_k3s_are_read_from_its_files() {
    let k3s = Distribution::all()
        .into_iter()
        .find(|one| one.name == "k3s");
    let ready = ReadyNode::of(&k3s.unwrap());
    let usual = "var/lib/rancher/credentialprovider";
    fs::create_dir_all(ready.node.path("srv")).unwrap();
    for (from, to) in [("bin", "srv/bin"), ("config.yaml", "srv/providers.yaml")] {
        fs::rename(ready.node.path(usual).join(from), ready.node.path(to)).unwrap();
    }
    let warned = |ready: &ReadyNode| troubles(&report(&ready.check(&["-o", "json"])));
    assert_eq!(warned(&ready), [("WARN".to_owned(), "kubelet".to_owned())]);
    let file = "/etc/rancher/k3s/config.yaml";
    for (name, text) in [
        (
            "",
            "kubelet-arg: v=2\nimage-credential-provider-bin-dir: /other\n",
        ),
        (
            ".d/20.yml",
            "image-credential-provider-bin-dir: /srv/bin\nkubelet-arg+:\n- root-dir=/var/lib/kubelet/\n",
        ),
        (
            ".d/10.yaml",
            "kubelet-arg+: image-credential-provider-config=/srv/providers.yaml\ndebug: true\n",
        ),
        (".d/30.yaml.bak", "kubelet-arg: v=3\n"),
    ] {
        ready.write(&format!("{file}{name}"), text);
    }
    assert_eq!(warned(&ready), []);
    // Without the plus a value replaces earlier ones.
    ready.write(&format!("{file}.d/15.yaml"), "kubelet-arg: [v=4]\n");
    assert_eq!(warned(&ready), [("WARN".to_owned(), "kubelet".to_owned())]);
}

#[test]
fn a_file_of_kubelets_that_cannot_be_used_is_named() {
    for (distribution, file, name) in [
        ("k3s", "/etc/rancher/k3s/config.yaml", "kubelet"),
        ("k3s", "/etc/rancher/k3s/config.yaml.d/10.yaml", "kubelet"),
        ("kubeadm", "/var/lib/kubelet/config.yaml", "kubelet-version"),
        (
            "MicroK8s",
            "/var/snap/microk8s/1234/args/kubelet",
            "kubelet",
        ),
    ] {
        let all = Distribution::all();
        let one = all.iter().find(|one| one.name.starts_with(distribution));
        let ready = ReadyNode::of(one.unwrap());
        if distribution == "MicroK8s" {
            fs::remove_file(ready.node.path(file.trim_start_matches('/'))).unwrap();
        } else {
            ready.write(file, "featureGates: {\n");
        }
        let report = report(&ready.check(&["-o", "json"]));
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        let (status, message) = (&check["status"], check["message"].as_str().unwrap());
        assert_eq!(status, "FAIL", "{message}");
        assert!(message.starts_with(&format!("{file}: ")), "{message}");
    }
}

#[test]
fn kubelet_has_the_flags_for_the_provider() {
    finds(
        |ready| ready.process(812, KUBELET),
        "FAIL",
        "kubelet",
        "--image-credential-provider-bin-dir and --image-credential-provider-config",
        "restart",
    );
    finds(
        |ready| fs::remove_dir_all(ready.node.path("proc/812")).unwrap(),
        "WARN",
        "kubelet",
        "no kubelet process",
        "--kubelet-provider-config",
    );
    finds(
        entry(|entry| entry["defaultCacheDuration"] = json!("soon")),
        "FAIL",
        "provider-config",
        "/etc/kubernetes/credential-providers.yaml: line 1: providers[0].defaultCacheDuration",
        "kubelet does not start",
    );
    finds(
        |ready| fs::remove_file(ready.node.path(CONFIG.trim_start_matches('/'))).unwrap(),
        "FAIL",
        "provider-config",
        "No such file",
        "config",
    );
}

#[test]
fn the_entry_has_what_the_provider_needs() {
    finds(
        entry(|entry| entry["name"] = json!("ecr-credential-provider")),
        "FAIL",
        "provider-entry",
        "has no provider",
        "config --write /etc/kubernetes/credential-providers.yaml",
    );
    finds(
        entry(|entry| {
            entry.as_object_mut().unwrap().remove("tokenAttributes");
        }),
        "FAIL",
        "provider-entry",
        "no tokenAttributes",
        "config --write",
    );
    finds(
        entry(|entry| {
            entry.as_object_mut().unwrap().remove("tokenAttributes");
            entry["apiVersion"] = json!("credentialprovider.kubelet.k8s.io/v1beta1");
        }),
        "FAIL",
        "provider-entry",
        "v1beta1",
        "config --write",
    );
    finds(
        entry(|entry| entry["matchImages"] = json!(["quay.io"])),
        "FAIL",
        "match-images",
        "docker.io",
        "config --write",
    );
    finds(
        entry(|entry| entry["matchImages"] = json!(["docker.io/library"])),
        "WARN",
        "match-images",
        "docker.io",
        "config --write",
    );
    finds(
        entry(|entry| entry["args"] = json!(["--nonsense"])),
        "FAIL",
        "provider-args",
        "--nonsense",
        "make every pull fail",
    );
}

#[test]
fn the_entrys_own_arguments_are_used_unless_others_are_given() {
    let directory = "/run/crio/auth";
    let crio = |ready: &ReadyNode| {
        let conf = format!("[crio.image]\nnamespaced_auth_dir = \"{directory}\"\n");
        ready.write("/etc/crio/crio.conf.d/99.conf", conf);
    };
    let args = json!([format!("--auth-dir={directory}")]);
    let env = json!([
        {"name": "CRIO_CREDENTIAL_PROVIDER_AUTH_DIR", "value": directory},
        {"name": "CRIO_CREDENTIAL_PROVIDER_NO_SANDBOX", "value": "1"},
        {"name": "OTHER", "value": "x"},
    ]);
    let other = json!([{"name": "CRIO_CREDENTIAL_PROVIDER_AUTH_DIR", "value": "/other"}]);
    for (args, env) in [(&args, &json!([])), (&json!([]), &env), (&args, &other)] {
        let ready = ReadyNode::new();
        crio(&ready);
        entry(|entry| {
            entry["args"] = args.clone();
            entry["env"] = env.clone();
        })(&ready);
        let told = report(&ready.check(&["-o", "json"]));
        assert!(troubles(&told).is_empty(), "{told}");
        let other = report(&ready.check(&["-o", "json", "--auth-dir", "/elsewhere"]));
        let expected = [("FAIL".to_owned(), "crio-auth-dir".to_owned())];
        assert_eq!(troubles(&other), expected, "{other}");
    }
}

#[test]
fn feature_gates_of_kubelet_are_checked() {
    let gate = "KubeletServiceAccountTokenForCredentialProviders";
    let off = |ready: &ReadyNode| {
        let configuration = format!("kind: KubeletConfiguration\nfeatureGates:\n  {gate}: false\n");
        ready.write("/var/lib/kubelet/config.yaml", configuration);
    };
    finds(off, "FAIL", "kubelet-version", gate, "restart");
    finds(
        |ready| {
            ready.process(
                812,
                &format!("{KUBELET}{FLAGS}\0--feature-gates=A=true,{gate}=false\0"),
            );
        },
        "FAIL",
        "kubelet-version",
        gate,
        "restart",
    );
    let ready = ReadyNode::new();
    off(&ready);
    ready.process(
        812,
        &format!("{KUBELET}{FLAGS}\0--feature-gates={gate}=true\0"),
    );
    let report = report(&ready.check(&["-o", "json"]));
    assert!(troubles(&report).is_empty(), "{report}");
}

/// A process that calls itself kubelet until this is dropped.
struct Pretender(Child);

impl Pretender {
    fn start(program: &Path, user: u32) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg0("kubelet")
            .arg("600")
            .uid(user)
            .current_dir("/");
        command.spawn().map(Self)
    }
}

impl Drop for Pretender {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_process_that_is_not_roots_does_not_pass_for_kubelet() {
    const NOBODY: u32 = 65_534;
    let node = Node::new();
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    let Ok(users) = Pretender::start(&sleep, NOBODY) else {
        cannot_run("only root can run a program as another user");
        return;
    };
    node.write("shared/keep", "");
    let replaceable = node.copy_program(sleep.to_str().unwrap(), "shared/sleep");
    node.set_mode(&replaceable, 0o777);
    let replaceable = Pretender::start(&replaceable, 0).unwrap();
    let kubelet = || {
        let outcome = Provider::new(node.path("")).run_with(&["check", "-o", "json"]);
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        let kubelet = checks.into_iter().find(|check| check["name"] == "kubelet");
        kubelet.unwrap()["message"].as_str().unwrap().to_owned()
    };
    let names = |message: &str, process: &Pretender| {
        message.contains(&format!("process {})", process.0.id()))
    };

    let message = kubelet();
    for pretender in [&users, &replaceable] {
        assert!(!names(&message, pretender), "{message}");
    }

    let roots = Pretender::start(&sleep, 0).unwrap();
    let message = kubelet();
    assert!(names(&message, &roots), "{message}");
}
