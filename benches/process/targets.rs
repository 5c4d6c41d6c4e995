//! The figures that a change must not exceed, and their current values.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::compare::Empty;
use crate::counts::MAX_BYTES;
use crate::measure::{Figures, Subject, in_turn, instructions};
use crate::scene::{
    MANY_MIRRORS, NO_MIRROR, NO_MIRROR_BUT_SHORT_NAMES, NODE_PROVIDER, ONE_SECRET, Scene,
};
use crate::table::{Table, float};

const MEBIBYTE: f64 = 1024.0 * 1024.0;

pub(crate) fn table(provider: &Path, runs: usize) -> Result<Table> {
    let measured = |scene| run(scene, provider, runs);
    let bare = measured(&NO_MIRROR)?;
    let short_names = measured(&NO_MIRROR_BUT_SHORT_NAMES)?;
    let one_secret = measured(&ONE_SECRET)?;
    let node_provider = measured(&NODE_PROVIDER)?;
    let size = float(fs::metadata(provider)?.len()) / MEBIBYTE;
    let mut table = Table::new(&["target", "at most", "now"]);
    for (target, most, now) in [
        ("no mirror: CPU ÷ empty program", 2.2, bare.ratio()),
        (
            "no mirror, short names: CPU ÷ empty program",
            2.2,
            short_names.ratio(),
        ),
        (
            "no mirror, short names: instructions ÷ without them",
            1.1,
            float(short_names.instructions) / float(bare.instructions),
        ),
        ("1 Secret: CPU ms", 1.6, one_secret.milliseconds()),
        (
            "1 node provider, cached: CPU ms more than 1 Secret",
            1.0,
            node_provider.milliseconds() - one_secret.milliseconds(),
        ),
        (
            "1,000 mirrors, a Secret for each: CPU ms",
            12.0,
            measured(&MANY_MIRRORS)?.milliseconds(),
        ),
        ("binary: MiB", float(MAX_BYTES) / MEBIBYTE, size),
    ] {
        table.row([target.to_owned(), format!("{most:.2}"), format!("{now:.2}")]);
    }
    Ok(table)
}

/// Our provider and the empty program, measured in turn.
struct Measured {
    ours: Figures,
    empty: Figures,
    instructions: u64,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.ours.cpu.median.as_secs_f64() / self.empty.cpu.median.as_secs_f64()
    }

    fn milliseconds(&self) -> f64 {
        self.ours.cpu.median.as_secs_f64() * 1e3
    }
}

fn run(scene: &Scene, provider: &Path, runs: usize) -> Result<Measured> {
    let stage = scene.lay_out()?;
    let ours = Subject {
        name: scene.name.to_owned(),
        command: stage.command(provider),
        request: stage.request(),
    };
    let instructions = instructions(&ours, &stage.root().join("callgrind"))?;
    let empty = Empty::build(provider)?;
    let mut figures = in_turn(runs, &mut [ours, empty.subject(&stage)]).into_iter();
    Ok(Measured {
        ours: figures.next().context("no run")??,
        empty: figures.next().context("no run")??,
        instructions,
    })
}
