//! The program as shell scripts use it.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{Client, LIST, config};

const SECRETS: &str = r#"{"kind": "List", "apiVersion": "v1", "items": [
    {"kind": "Secret", "metadata": {"name": "a"},
     "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30="}},
    {"kind": "Secret", "metadata": {"name": "b", "namespace": "team-a"},
     "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30="}}]}"#;

#[test]
fn a_client_finds_all_it_needs_in_the_directory() {
    let directory = TempDir::new().unwrap();
    let (out, log) = (directory.path().join("out"), directory.path().join("log"));
    let secrets = directory.path().join("secrets.json");
    store(&secrets, SECRETS);
    let mut program = command(&out)
        .arg("--secrets")
        .arg(&secrets)
        .args([
            "--grant",
            "default/default",
            "--token",
            "default/default",
            "team-a/builder",
        ])
        .arg("--log")
        .arg(&log)
        .spawn()
        .unwrap();
    let line = first_line(&mut program);

    let url = load(&out.join("url"));
    assert_eq!(line, format!("listening on {url}\n"));
    assert!(out.join("ready").exists());
    assert!(load(&out.join("kubeconfig")).contains(&format!("server: {url}\n")));
    let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("token-default-default"), 0o600);

    let config = config(&load(&out.join("ca.crt")));
    let address = url.strip_prefix("https://").unwrap().parse().unwrap();
    let get = |token: &str| {
        let client = Client::connect_with(&config, address, "127.0.0.1").unwrap();
        client.token(&load(&out.join(token))).get(LIST)
    };
    assert_eq!(get("token-default-default").names(), ["a"]);
    assert_eq!(get("token-team-a-builder").status(), 403);
    let expected = format!("GET {LIST} -> 200\nGET {LIST} -> 403\n");
    assert_eq!(load(&log), expected);

    drop(program.stdin.take());
    assert!(program.wait().unwrap().success());
}

#[test]
fn a_background_job_of_a_shell_keeps_serving() {
    let directory = TempDir::new().unwrap();
    let mut program = command(directory.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    first_line(&mut program);
    thread::sleep(Duration::from_millis(100));
    assert!(program.try_wait().unwrap().is_none());
    program.kill().unwrap();
    program.wait().unwrap();
}

#[test]
fn an_unreadable_file_ends_the_program_with_the_reason() {
    let directory = TempDir::new().unwrap();
    let pod = directory.path().join("pod.json");
    store(&pod, r#"{"kind": "Pod"}"#);
    let output = command(&directory.path().join("out"))
        .arg("--secrets")
        .arg(&pod)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "test-cluster: read {}: read an object of kind \"Pod\", which is neither Secret nor List\n",
        pod.display()
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    assert!(!directory.path().join("out/ready").exists());
}

fn command(out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-cluster"));
    command
        .arg("--out")
        .arg(out)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn first_line(program: &mut Child) -> String {
    let begin = Instant::now();
    let mut line = String::new();
    let stdout = program.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10));
    line
}

fn load(path: &Path) -> String {
    let mut text = String::new();
    File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn store(path: &Path, text: &str) {
    io::copy(&mut text.as_bytes(), &mut File::create(path).unwrap()).unwrap();
}
