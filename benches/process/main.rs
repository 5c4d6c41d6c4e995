//! The whole process, as kubelet starts it, against a stand-in for the API server
//! over TLS on loopback: CPU, wall time, peak memory, instructions, and how they
//! grow.
//!
//! ```text
//! make bench                     # every scene; RUNS=200 for more runs of each
//! make bench PEER=/path/to/another/provider
//! make performance               # all of it, written into docs/performance.md
//! make guard                     # instructions alone, against committed numbers
//! make order                     # the order of functions in the release binary
//! ```
//!
//! Figures depend on the machine: compare ratios, or the same machine before and after a
//! change. `PROVIDER` is the binary that is measured; how this program is built does not
//! matter.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark lays out a node and prints what it measured"
)]

mod burst;
mod compare;
mod counts;
mod growth;
mod measure;
mod order;
mod page;
mod profile;
mod scene;
mod steps;
mod svg;
mod table;
mod targets;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::growth::GROWTHS;
use crate::page::Page;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let provider = env::var_os("PROVIDER").map(PathBuf::from);
    let provider = provider.context("PROVIDER does not name a binary: use make")?;
    let provider = provider
        .canonicalize()
        .with_context(|| provider.display().to_string())?;
    // Cargo adds --bench.
    let what = env::args().skip(1).find(|word| !word.starts_with("--"));
    match what.as_deref() {
        None | Some("compare") => compare::print(&provider, runs(50)?)?,
        Some("steps") => println!("{}", steps::table(&provider, runs(20)?)?),
        Some("counts") => println!("{}", counts::table(&provider, runs(5)?)?),
        Some("profile") => println!("{}", profile::table()?),
        Some("growth") => {
            for growth in &GROWTHS {
                println!("{}", growth.measure(&provider, runs(5)?)?.0);
            }
            println!("{}", growth::worst(&provider, runs(5)?)?);
        }
        Some("targets") => println!("{}", targets::table(&provider, runs(50)?)?),
        Some("burst") => {
            println!("{}", burst::at_once(&provider)?);
            println!("{}", burst::traffic(&provider)?);
        }
        Some("order") => order::write(&provider)?,
        Some("guard") => counts::guard(&provider)?,
        Some("performance") => performance(&provider)?,
        Some(other) => bail!("no such measurement: {other}"),
    }
    Ok(())
}

/// Measures everything and writes the page.
fn performance(provider: &Path) -> Result<()> {
    let mut page = Page::open()?;
    let mut put = |name: &str, content: String| {
        println!("{name}\n\n{content}");
        page.put(name, &content)
    };
    put("machine", format!("{}.", page::machine()?))?;
    put("compare", compare::table(provider, runs(60)?)?.to_string())?;
    put("targets", targets::table(provider, runs(60)?)?.to_string())?;
    put("steps", steps::table(provider, runs(50)?)?.to_string())?;
    put("profile", profile::table()?.to_string())?;
    put("counts", counts::table(provider, 5)?.to_string())?;
    put("burst", burst::at_once(provider)?.to_string())?;
    put("traffic", burst::traffic(provider)?.to_string())?;
    put("worst", growth::worst(provider, 5)?.to_string())?;
    let mut drawings = Vec::new();
    for growth in &GROWTHS {
        let (table, svg) = growth.measure(provider, 5)?;
        put(growth.file, table.to_string())?;
        drawings.push((growth.file, svg));
    }
    if let Ok(stages) = env::var("STAGES") {
        let text = fs::read_to_string(&stages).with_context(|| stages.clone())?;
        put("stages", format!("```text\n{}\n```", text.trim_end()))?;
    }
    for (name, svg) in drawings {
        page.draw(name, &svg)?;
    }
    page.write()
}

/// `RUNS`, or the default number.
fn runs(usual: usize) -> Result<usize> {
    match env::var("RUNS") {
        Ok(runs) => runs.parse().with_context(|| format!("RUNS={runs}")),
        Err(_) => Ok(usual),
    }
}
