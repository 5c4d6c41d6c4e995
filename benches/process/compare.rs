//! Compares the scenes, one by one: our program, an empty program with the same linking,
//! and another provider (the peer) if `PEER` names one.
//!
//! A peer is run as kubelet runs a provider: with the same request on stdin. Its only
//! flags are those in `PEER_ARGS`, where `{root}` is the directory of the scene, `{url}`
//! the API server and `{ours}` our own flags (for another build of ours).
//!
//! A peer without `PEER_ARGS` reads fixed paths only, so the scene is laid out there:
//! `/etc/containers/registries.conf` and its drop-ins, the API server on localhost:6443,
//! and `KUBERNETES_SERVICE_HOST`, `KUBERNETES_SERVICE_PORT` and `SSL_CERT_FILE` for it.
//! This program then runs in its own mount namespace with an overlay on `/etc`, so
//! nothing outside changes. It must run as root.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::counts::target;
use crate::measure::{Figures, Subject, in_turn};
use crate::scene::{AUTH_DIR, SCENES, Stage};
use crate::table::{Table, grouped, mebibytes, milliseconds, ratio};

/// The variable that is set in the mount namespace.
const NAMESPACE: &str = "BENCH_NAMESPACE";

/// The script that puts the scene's files into /etc.
const IN_PLACE: &str = r#"
set -e
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
mkdir -p /etc/containers /etc/crio
rm -rf /etc/containers/registries.conf.d
cp -r "$1/registries.conf" "$1/registries.conf.d" /etc/containers/
"#;

const HEAD: [&str; 11] = [
    "scene, program",
    "wall ms",
    "min",
    "CPU ms",
    "min",
    "peak MiB",
    "page faults",
    "wall ÷ empty",
    "CPU ÷ empty",
    "wall ÷ ours",
    "CPU ÷ ours",
];
/// The number of columns for the peer.
const OF_PEER: usize = 2;

/// Prints the comparison; uses a mount namespace if the peer needs one.
pub(crate) fn print(provider: &Path, runs: usize) -> Result<()> {
    let fixed_places = env::var_os("PEER").is_some() && env::var_os("PEER_ARGS").is_none();
    if fixed_places && env::var_os(NAMESPACE).is_none() {
        let error = Command::new("unshare")
            .args(["--mount", "--"])
            .arg(env::current_exe()?)
            .env(NAMESPACE, "yes")
            .exec();
        return Err(error).context("unshare, for a peer without PEER_ARGS");
    }
    println!("{}", table(provider, runs)?);
    Ok(())
}

pub(crate) fn table(provider: &Path, runs: usize) -> Result<Table> {
    let empty = Empty::build(provider)?;
    let peer = env::var_os("PEER").map(PathBuf::from);
    let mut table = Table::new(match peer {
        Some(_) => &HEAD,
        None => HEAD
            .split_last_chunk::<OF_PEER>()
            .map_or(&HEAD, |(head, _)| head),
    });
    for (number, scene) in SCENES.iter().enumerate() {
        let stage = match peer {
            Some(_) => scene.lay_out_at_well_known_port()?,
            None => scene.lay_out()?,
        };
        let mut subjects = vec![empty.subject(&stage), ours(&stage, provider)];
        if let Some(peer) = &peer {
            subjects.push(self::peer(&stage, peer)?);
        }
        let in_place = InPlace::of(&stage)?;
        let figures = in_turn(runs, &mut subjects);
        drop(in_place);
        let [Some(Ok(empty)), Some(Ok(ours))] = [figures.first(), figures.get(1)] else {
            let failed = figures.into_iter().find_map(Result::err);
            return Err(failed.context("no run")?.context(scene.name));
        };
        let (empty, ours) = (*empty, *ours);
        // The empty program does the same in every scene.
        let told = subjects.iter().zip(figures).skip(usize::from(number > 0));
        for (subject, figures) in told {
            let name = format!("{}: {}", scene.name, subject.name);
            table.row(match figures {
                Ok(figures) => row(name, &figures, &empty, &ours),
                // Report a peer that fails instead of leaving it out.
                Err(error) => vec![format!("{name} FAILS: {error:#}")],
            });
        }
    }
    Ok(table)
}

fn row(name: String, figures: &Figures, empty: &Figures, ours: &Figures) -> Vec<String> {
    vec![
        name,
        milliseconds(figures.wall.median),
        milliseconds(figures.wall.min),
        milliseconds(figures.cpu.median),
        milliseconds(figures.cpu.min),
        mebibytes(figures.peak),
        grouped(figures.faults),
        ratio(figures.wall.median, empty.wall.median),
        ratio(figures.cpu.median, empty.cpu.median),
        ratio(figures.wall.median, ours.wall.median),
        ratio(figures.cpu.median, ours.cpu.median),
    ]
}

fn ours(stage: &Stage, provider: &Path) -> Subject {
    Subject {
        name: "ours".to_owned(),
        command: stage.command(provider),
        request: stage.request(),
    }
}

fn peer(stage: &Stage, peer: &Path) -> Result<Subject> {
    let root = stage.root().display().to_string();
    let url = stage.server.url();
    let mut arguments = Vec::new();
    for word in env::var("PEER_ARGS").unwrap_or_default().split_whitespace() {
        if word == "{ours}" {
            arguments.extend(stage.flags(&url, AUTH_DIR));
        } else {
            arguments.push(word.replace("{root}", &root).replace("{url}", &url));
        }
    }
    let peer = peer
        .canonicalize()
        .with_context(|| peer.display().to_string())?;
    let mut command = Command::new(peer);
    let address = stage.server.address();
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("KUBERNETES_SERVICE_HOST", address.ip().to_string())
        .env("KUBERNETES_SERVICE_PORT", address.port().to_string())
        .env("SSL_CERT_FILE", stage.root().join("ca.crt"));
    Ok(Subject {
        name: "peer".to_owned(),
        command,
        request: stage.request(),
    })
}

/// The overlay on /etc, until it is dropped.
struct InPlace(bool);

impl InPlace {
    fn of(stage: &Stage) -> Result<Self> {
        let needed = env::var_os(NAMESPACE).is_some();
        if needed {
            let status = Command::new("sh")
                .args(["-c", IN_PLACE, "in-place"])
                .arg(stage.root())
                .status()?;
            if !status.success() {
                bail!("overlay on /etc, for a peer without PEER_ARGS: {status}");
            }
        }
        Ok(Self(needed))
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        if self.0 {
            // The namespace ends with this program anyway.
            Command::new("umount").arg("/etc").status().ok();
        }
    }
}

/// A program that does nothing, linked like the provider.
pub(crate) struct Empty {
    directory: tempfile::TempDir,
}

impl Empty {
    pub(crate) fn build(provider: &Path) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let source = directory.path().join("empty.rs");
        fs::write(&source, "fn main() {}\n")?;
        let status = Command::new("rustc")
            .args(["-C", "opt-level=s", "-C", "strip=symbols", "--target"])
            .arg(target(provider)?)
            .arg("-o")
            .arg(directory.path().join("empty"))
            .arg(&source)
            .status()
            .context("rustc")?;
        if !status.success() {
            bail!("rustc: {status}");
        }
        Ok(Self { directory })
    }

    pub(crate) fn subject(&self, stage: &Stage) -> Subject {
        let mut command = Command::new(self.directory.path().join("empty"));
        command.env_clear();
        Subject {
            name: "empty program".to_owned(),
            command,
            request: stage.request(),
        }
    }
}
