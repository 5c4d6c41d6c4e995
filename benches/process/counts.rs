//! Instructions as counted by callgrind. They do not depend on the load of the machine,
//! and do not include the kernel's work.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::measure::{Subject, instructions};
use crate::scene::{
    MANY_MIRRORS, NO_MIRROR, NO_MIRROR_BUT_MANY_SHORT_NAMES, NO_MIRROR_BUT_SHORT_NAMES,
    NODE_PROVIDER, ONE_OF_1_000, ONE_SECRET, Scene, feed,
};
use crate::table::{Table, float, grouped};

/// How much a scene may exceed its committed number. A new compiler or dependency changes
/// it by some percent; a CPU without AVX2 changes the handshake more.
const MARGIN_PERCENT: u64 = 25;

/// The largest release binary: 3.5 MiB.
pub(crate) const MAX_BYTES: u64 = 35 * 1024 * 1024 / 10;

const SCENES: [Scene; 7] = [
    NO_MIRROR,
    NO_MIRROR_BUT_SHORT_NAMES,
    NO_MIRROR_BUT_MANY_SHORT_NAMES,
    ONE_SECRET,
    NODE_PROVIDER,
    ONE_OF_1_000,
    MANY_MIRRORS,
];

/// The counts of `runs` runs of each scene, and their spread.
pub(crate) fn table(provider: &Path, runs: usize) -> Result<Table> {
    let mut table = Table::new(&["scene", "instructions", "spread %"]);
    for scene in &SCENES {
        let counts = counts(scene, provider, runs)?;
        let (least, most) = (
            counts.iter().min().context("no run")?,
            counts.iter().max().context("no run")?,
        );
        table.row([
            scene.name.to_owned(),
            grouped(*least),
            format!("{:.2}", float(most - least) / float(*least) * 100.0),
        ]);
    }
    Ok(table)
}

/// Fails if the binary is too large, or a scene takes many more instructions than its
/// committed number. With `ACCEPT=yes` the current numbers are written instead.
pub(crate) fn guard(provider: &Path) -> Result<()> {
    let size = fs::metadata(provider)?.len();
    println!(
        "{:<28} {:>14}  at most {}",
        "bytes",
        grouped(size),
        grouped(MAX_BYTES)
    );
    if size > MAX_BYTES {
        bail!(
            "{} has {size} bytes, more than {MAX_BYTES}",
            provider.display()
        );
    }
    let target = target(provider)?;
    let committed = Committed::read()?;
    let mut now = Vec::new();
    let mut worse = Vec::new();
    for scene in &SCENES {
        // Use the smaller of two counts, since variations only add instructions.
        let count = *counts(scene, provider, 2)?.iter().min().context("no run")?;
        now.push((scene.name, count));
        let Some(&before) = committed.of(&target, scene.name) else {
            println!(
                "{:<28} {:>14}  not compared: no number for {target}",
                scene.name,
                grouped(count)
            );
            continue;
        };
        let limit = before + before * MARGIN_PERCENT / 100;
        let percent = (float(count) / float(before) - 1.0) * 100.0;
        println!(
            "{:<28} {:>14}  {percent:+.1} % of {}, at most +{MARGIN_PERCENT} %",
            scene.name,
            grouped(count),
            grouped(before)
        );
        if count > limit {
            worse.push(scene.name);
        }
    }
    if env::var("ACCEPT").is_ok_and(|accept| accept == "yes") {
        return committed.replace(&target, &now);
    }
    if worse.is_empty() {
        return Ok(());
    }
    bail!(
        "more instructions than before: {}; if that is intended, run \"make guard ACCEPT=yes\" and give the reason in the commit",
        worse.join(", ")
    );
}

fn counts(scene: &Scene, provider: &Path, runs: usize) -> Result<Vec<u64>> {
    let stage = scene.lay_out()?;
    let subject = Subject {
        name: scene.name.to_owned(),
        command: stage.command(provider),
        request: stage.request(),
    };
    let profile = stage.root().join("callgrind");
    if scene.node_provider {
        // Valgrind cannot follow musl when it starts a program, so the first run is
        // without valgrind; later runs start no program.
        let mut command = stage.command(provider);
        feed(&mut command, &stage.request())?;
        command.status()?;
    }
    (0..runs.max(1))
        .map(|_| instructions(&subject, &profile))
        .collect()
}

/// The Rust target that a provider was built for, by its own `--version-json`.
pub(crate) fn target(provider: &Path) -> Result<String> {
    let output = Command::new(provider)
        .env_clear()
        .arg("--version-json")
        .output()
        .with_context(|| provider.display().to_string())?;
    let facts: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&output.stdout)?;
    let target = facts.get("target").and_then(serde_json::Value::as_str);
    Ok(target
        .context("the provider does not print its target")?
        .to_owned())
}

/// `benches/instructions.txt`: lines of target, number and scene.
struct Committed {
    path: PathBuf,
    numbers: BTreeMap<(String, String), u64>,
}

impl Committed {
    fn read() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut numbers = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.splitn(3, ' ');
            let (target, number, scene) = (words.next(), words.next(), words.next());
            let (Some(target), Some(number), Some(scene)) = (target, number, scene) else {
                bail!("{}: not a line of three: {line:?}", path.display());
            };
            let key = (target.to_owned(), scene.to_owned());
            numbers.insert(key, number.parse()?);
        }
        Ok(Self { path, numbers })
    }

    fn of(&self, target: &str, scene: &str) -> Option<&u64> {
        self.numbers.get(&(target.to_owned(), scene.to_owned()))
    }

    fn replace(mut self, target: &str, now: &[(&str, u64)]) -> Result<()> {
        self.numbers.retain(|(old, _), _| old != target);
        for &(scene, count) in now {
            let key = (target.to_owned(), scene.to_owned());
            self.numbers.insert(key, count);
        }
        let mut text =
            "# Instructions of a run: make guard compares, make guard ACCEPT=yes writes this.\n"
                .to_owned();
        for ((target, scene), count) in &self.numbers {
            writeln!(text, "{target} {count} {scene}")?;
        }
        fs::write(&self.path, text).with_context(|| self.path.display().to_string())
    }
}
