//! The time of the steps of a run, measured from outside: each line does a little more
//! than the one above it.

use std::path::Path;

use anyhow::Result;

use crate::compare::Empty;
use crate::measure::{Subject, in_turn, instructions};
use crate::scene::{
    NO_MIRROR, NO_MIRROR_BUT_SHORT_NAMES, ONE_SECRET_AND_SHORT_NAMES, Scene, Stage,
};
use crate::table::{Table, float, grouped, mebibytes, milliseconds};

const ONE_OF_A_THOUSAND: Scene = Scene {
    other: 999,
    ..ONE_SECRET_AND_SHORT_NAMES
};

pub(crate) fn table(provider: &Path, runs: usize) -> Result<Table> {
    let empty = Empty::build(provider)?;
    let bare = NO_MIRROR.lay_out()?;
    let short_names = NO_MIRROR_BUT_SHORT_NAMES.lay_out()?;
    let one = ONE_SECRET_AND_SHORT_NAMES.lay_out()?;
    let many = ONE_OF_A_THOUSAND.lay_out()?;

    let run = |name: &str, stage: &Stage, flags: &[&str]| {
        let mut command = stage.command(provider);
        command.args(flags);
        Subject {
            name: name.to_owned(),
            command,
            request: stage.request(),
        }
    };
    let mut steps = [
        empty.subject(&bare),
        run("--version", &bare, &["--version"]),
        run("no mirror, without the sandbox", &bare, &["--no-sandbox"]),
        run("no mirror", &bare, &[]),
        run("no mirror, with short names", &short_names, &[]),
        run("1 Secret", &one, &[]),
        run("1 of 1,000 Secrets matches", &many, &[]),
    ];
    let mut table = Table::new(&[
        "what runs",
        "wall ms",
        "CPU ms",
        "M instructions",
        "page faults",
        "peak MiB",
    ]);
    let figures = in_turn(runs, &mut steps);
    for (step, figures) in steps.iter().zip(figures) {
        let figures = figures?;
        let count = instructions(step, &bare.root().join("callgrind"))?;
        table.row([
            step.name.clone(),
            milliseconds(figures.wall.median),
            milliseconds(figures.cpu.median),
            format!("{:.2}", float(count) / 1e6),
            grouped(figures.faults),
            mebibytes(figures.peak),
        ]);
    }
    Ok(table)
}
