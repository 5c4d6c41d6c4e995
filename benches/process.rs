//! The whole process, as kubelet starts it: CPU, wall time and peak memory, against
//! a stand-in for the API server over TLS on loopback.
//!
//! ```text
//! cargo bench --bench process            # every scene
//! RUNS=200 cargo bench --bench process   # more runs of each
//! ```
//!
//! Figures are medians. They depend on the machine: compare ratios, and the same
//! machine before and after.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark lays out a node and prints what it measured"
)]

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use test_cluster::{ApiServer, Secret};

const PROVIDER: &str = env!("CARGO_BIN_EXE_crio-credential-provider");
/// Set in the small process that starts the provider: the peak memory of a child
/// cannot be told from that of the process it was forked from, so that one must
/// be smaller.
const RUNNER: &str = "BENCH_RUNNER";

fn main() -> Result<()> {
    match env::var(RUNNER) {
        Ok(scene) => run(Path::new(&scene)),
        Err(_) => measure(),
    }
}

/// What one scene holds.
struct Scene {
    name: &'static str,
    matching: usize,
    other: usize,
    mirrors: bool,
}

const SCENES: [Scene; 5] = [
    Scene {
        name: "no mirror",
        matching: 0,
        other: 0,
        mirrors: false,
    },
    Scene {
        name: "1 Secret",
        matching: 1,
        other: 0,
        mirrors: true,
    },
    Scene {
        name: "1 of 1,000 Secrets matches",
        matching: 1,
        other: 999,
        mirrors: true,
    },
    Scene {
        name: "1,000 Secrets match",
        matching: 1_000,
        other: 0,
        mirrors: true,
    },
    Scene {
        name: "500 of 5,000 Secrets match",
        matching: 500,
        other: 4_500,
        mirrors: true,
    },
];

fn measure() -> Result<()> {
    println!(
        "binary: {:.2} MiB",
        mebibytes(fs::metadata(PROVIDER)?.len())
    );
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>9}",
        "scene", "CPU ms", "min", "wall ms", "peak MiB"
    );
    for scene in &SCENES {
        let server = ApiServer::start();
        let directory = tempfile::tempdir()?;
        lay_out(scene, &server, directory.path())?;
        let status = Command::new(env::current_exe()?)
            .env(RUNNER, directory.path())
            .status()?;
        if !status.success() {
            bail!("scene {:?} failed", scene.name);
        }
    }
    Ok(())
}

fn lay_out(scene: &Scene, server: &ApiServer, root: &Path) -> Result<()> {
    server.grant("team-a", "default");
    let login =
        |host: &str| format!(r#"{{"auths":{{"{host}":{{"auth":"dXNlcjpwYXNzd29yZA=="}}}}}}"#);
    for number in 0..scene.matching {
        let secret =
            Secret::docker_config_json(&format!("match-{number:05}"), &login("mirror.local"));
        server.put_secret("team-a", secret);
    }
    for number in 0..scene.other {
        let host = format!("registry-{number:05}.example.com");
        let secret = Secret::docker_config_json(&format!("other-{number:05}"), &login(&host));
        server.put_secret("team-a", secret);
    }
    let registry = "[[registry]]\nlocation = \"docker.io\"\n";
    let mirror = "[[registry.mirror]]\nlocation = \"mirror.local\"\n";
    let mirror = if scene.mirrors { mirror } else { "" };
    fs::write(root.join("registries.conf"), format!("{registry}{mirror}"))?;
    fs::write(root.join("ca.crt"), server.ca_pem())?;
    fs::write(root.join("url"), server.url())?;
    fs::write(root.join("scene"), scene.name)?;
    let token = server.token("team-a", "default");
    let request = format!(
        r#"{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"docker.io/library/nginx","serviceAccountToken":"{token}"}}"#
    );
    fs::write(root.join("request.json"), request)?;
    Ok(())
}

/// Starts the provider again and again, and prints the medians.
fn run(root: &Path) -> Result<()> {
    let runs = env::var("RUNS")
        .ok()
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(50);
    let url = fs::read_to_string(root.join("url"))?;
    once(root, &url)?;
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let before = children()?;
        let start = Instant::now();
        once(root, &url)?;
        wall.push(start.elapsed());
        cpu.push(cpu_time(&children()?).saturating_sub(cpu_time(&before)));
    }
    let peak = u64::try_from(children()?.max_rss()).unwrap_or_default() * 1024;
    cpu.sort();
    wall.sort();
    let at = |times: &[Duration], index: usize| times.get(index).map_or(0.0, milliseconds);
    println!(
        "{:<28} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
        fs::read_to_string(root.join("scene"))?,
        at(&cpu, runs / 2),
        at(&cpu, 0),
        at(&wall, runs / 2),
        mebibytes(peak)
    );
    Ok(())
}

fn once(root: &Path, url: &str) -> Result<()> {
    let status = Command::new(PROVIDER)
        .env_clear()
        .arg("--registries-conf")
        .arg(root.join("registries.conf"))
        .args(["--registries-conf-dir", "", "--global-auth-file", ""])
        .arg("--auth-dir")
        .arg(root.join("auth"))
        .args(["--api-server", url, "--certificate-authority"])
        .arg(root.join("ca.crt"))
        .stdin(File::open(root.join("request.json"))?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        bail!("the provider failed")
    }
}

fn children() -> Result<Usage> {
    getrusage(UsageWho::RUSAGE_CHILDREN).context("resource usage")
}

fn cpu_time(usage: &Usage) -> Duration {
    let of = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    of(usage.user_time()) + of(usage.system_time())
}

fn milliseconds(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a figure to read, not to compute with"
)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}
