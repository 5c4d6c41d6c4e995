//! The growth of time and memory with the content of the node and of the namespace.

use std::path::Path;
use std::slice;

use anyhow::Result;

use crate::measure::{Figures, Subject, in_turn, instructions};
use crate::scene::{ONE_SECRET, Scene};
use crate::svg::{Line, Panel, chart};
use crate::table::{Table, float, grouped, mebibytes, milliseconds};

/// One curve: a name, and the scene for each size.
struct Curve {
    name: &'static str,
    scene: fn(usize) -> Scene,
}

/// Curves over the same quantity.
pub(crate) struct Growth {
    /// The name of the drawing.
    pub(crate) file: &'static str,
    across: &'static str,
    sizes: &'static [usize],
    curves: &'static [Curve],
}

pub(crate) const GROWTHS: [Growth; 3] = [
    Growth {
        file: "secrets",
        across: "Secrets in the namespace",
        sizes: &[1, 500, 1_000, 2_500, 5_000],
        curves: &[
            Curve {
                name: "one matches",
                scene: |size| Scene {
                    other: size - 1,
                    ..ONE_SECRET
                },
            },
            Curve {
                name: "all match",
                scene: |size| Scene {
                    matching: size,
                    ..ONE_SECRET
                },
            },
        ],
    },
    Growth {
        file: "registries",
        across: "registries in registries.conf",
        sizes: &[1, 1_000, 2_500, 5_000, 10_000],
        curves: &[
            Curve {
                name: "without mirrors",
                scene: |size| Scene {
                    registries: size - 1,
                    ..ONE_SECRET
                },
            },
            Curve {
                name: "each with a mirror",
                scene: |size| Scene {
                    registries: size - 1,
                    mirrored: true,
                    ..ONE_SECRET
                },
            },
        ],
    },
    Growth {
        file: "mirrors",
        across: "mirrors of the image's registry",
        sizes: &[1, 10, 25, 50, 100],
        curves: &[
            Curve {
                name: "a Secret for each",
                scene: |size| Scene {
                    mirrors: size,
                    matching: size,
                    ..ONE_SECRET
                },
            },
            Curve {
                name: "1,000 Secrets",
                scene: |size| Scene {
                    mirrors: size,
                    matching: 1_000,
                    ..ONE_SECRET
                },
            },
        ],
    },
];

/// Everything large at once.
const WORST: Scene = Scene {
    name: "1,000 registries with mirrors, 1,000 Secrets match",
    matching: 1_000,
    registries: 999,
    mirrored: true,
    ..ONE_SECRET
};

struct Point {
    curve: &'static str,
    size: usize,
    figures: Figures,
    instructions: u64,
}

impl Growth {
    /// The table and the drawing.
    pub(crate) fn measure(&self, provider: &Path, runs: usize) -> Result<(Table, String)> {
        let mut table = Table::new(&[
            self.across,
            "size",
            "wall ms",
            "CPU ms",
            "M instructions",
            "instructions each",
            "peak MiB",
        ]);
        let mut points = Vec::new();
        for curve in self.curves {
            let mut base = None;
            for &size in self.sizes {
                let (figures, count) = measure(&(curve.scene)(size), provider, runs)?;
                let (first_size, first) = *base.get_or_insert((size, count));
                let more = u64::try_from(size - first_size)?;
                let each = count.saturating_sub(first).checked_div(more);
                table.row([
                    curve.name.to_owned(),
                    grouped(u64::try_from(size)?),
                    milliseconds(figures.wall.median),
                    milliseconds(figures.cpu.median),
                    format!("{:.2}", float(count) / 1e6),
                    each.map_or_else(String::new, grouped),
                    mebibytes(figures.peak),
                ]);
                points.push(Point {
                    curve: curve.name,
                    size,
                    figures,
                    instructions: count,
                });
            }
        }
        let svg = chart(
            self.across,
            &[
                self.panel(
                    "CPU, milliseconds",
                    |point| point.figures.cpu.median.as_secs_f64() * 1e3,
                    &points,
                ),
                self.panel(
                    "instructions, millions",
                    |point| float(point.instructions) / 1e6,
                    &points,
                ),
                self.panel(
                    "peak memory, MiB",
                    |point| float(point.figures.peak) / 1024.0 / 1024.0,
                    &points,
                ),
            ],
        )?;
        Ok((table, svg))
    }

    fn panel(&self, title: &'static str, of: fn(&Point) -> f64, points: &[Point]) -> Panel {
        let line = |curve: &Curve| Line {
            name: curve.name,
            points: points
                .iter()
                .filter(|point| point.curve == curve.name)
                .map(|point| (u32::try_from(point.size).map_or(0.0, f64::from), of(point)))
                .collect(),
        };
        Panel {
            title,
            lines: self.curves.iter().map(line).collect(),
        }
    }
}

/// A thousand registries with mirrors and a thousand Secrets that match.
pub(crate) fn worst(provider: &Path, runs: usize) -> Result<Table> {
    let (figures, count) = measure(&WORST, provider, runs)?;
    let mut table = Table::new(&["scene", "wall ms", "CPU ms", "M instructions", "peak MiB"]);
    table.row([
        WORST.name.to_owned(),
        milliseconds(figures.wall.median),
        milliseconds(figures.cpu.median),
        format!("{:.2}", float(count) / 1e6),
        mebibytes(figures.peak),
    ]);
    Ok(table)
}

fn measure(scene: &Scene, provider: &Path, runs: usize) -> Result<(Figures, u64)> {
    let stage = scene.lay_out()?;
    let mut subject = Subject {
        name: scene.name.to_owned(),
        command: stage.command(provider),
        request: stage.request(),
    };
    let figures = in_turn(runs, slice::from_mut(&mut subject)).remove(0)?;
    let count = instructions(&subject, &stage.root().join("callgrind"))?;
    Ok((figures, count))
}
