//! Curves as SVG, readable on light and dark pages: without a background, and with a grey
//! that is visible on both.

use std::fmt::Write as _;

use anyhow::Result;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 62.0;
/// Blue and orange, which colour-blind people can distinguish.
const COLORS: [&str; 2] = ["#3b82c4", "#d9822b"];
const GREY: &str = "#808890";
/// The number of horizontal lines, without the axis.
const STEPS: u32 = 4;

/// One curve.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// One pair of axes.
pub(crate) struct Panel {
    /// The title of the vertical axis, with its unit.
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// The panels side by side, all over the same quantity.
pub(crate) fn chart(across: &str, panels: &[Panel]) -> Result<String> {
    let width = panels.iter().map(|_| WIDTH).sum::<f64>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"{GREY}\">\n"
    );
    let mut offset = 0.0;
    for panel in panels {
        writeln!(svg, "<g transform=\"translate({offset} 0)\">")?;
        draw(&mut svg, across, panel)?;
        writeln!(svg, "</g>")?;
        offset += WIDTH;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn draw(svg: &mut String, across: &str, panel: &Panel) -> Result<()> {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let right = points().map(|point| point.0).fold(1.0, f64::max);
    let top = round_up(points().map(|point| point.1).fold(0.0, f64::max));
    let x = |value: f64| LEFT + value / right * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);

    let title = panel.title;
    writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\">{title}</text>"
    )?;
    for step in 0..=STEPS {
        let part = f64::from(step) / f64::from(STEPS);
        let (value, height) = (part * top, y(part * top));
        let opacity = if step == 0 { 0.9 } else { 0.3 };
        writeln!(
            svg,
            "<path d=\"M{LEFT} {height:.1}H{:.1}\" stroke=\"{GREY}\" stroke-opacity=\"{opacity}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            height + 4.0,
            number(value)
        )?;
        let (value, place) = (part * right, x(part * right));
        writeln!(
            svg,
            "<text x=\"{place:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM + 16.0,
            number(value)
        )?;
    }
    writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{across}</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - BOTTOM + 32.0
    )?;
    let mut legend = LEFT;
    for (line, color) in panel.lines.iter().zip(COLORS.iter().cycle()) {
        let mut path = String::new();
        for (from, &(across, up)) in line.points.iter().enumerate() {
            let pen = if from == 0 { 'M' } else { 'L' };
            write!(path, "{pen}{:.1} {:.1}", x(across), y(up))?;
            writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{color}\"/>",
                x(across),
                y(up)
            )?;
        }
        let name = line.name;
        writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\n\
             <circle cx=\"{legend:.1}\" cy=\"{0:.1}\" r=\"4\" fill=\"{color}\"/>\
             <text x=\"{1:.1}\" y=\"{2:.1}\">{name}</text>",
            HEIGHT - 14.0,
            legend + 10.0,
            HEIGHT - 10.0
        )?;
        legend += (WIDTH - LEFT) / 2.0;
    }
    Ok(())
}

/// The next of 1, 2, 4 and 8 times a power of ten: four steps give round numbers.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-3).log10().floor());
    let nice = [1.0, 2.0, 4.0, 8.0, 10.0].map(|step| step * power);
    nice.into_iter()
        .find(|&nice| nice >= value)
        .unwrap_or(value)
}

fn number(value: f64) -> String {
    let digits = if value.fract().abs() < 1e-9 {
        0
    } else if value < 1.0 {
        2
    } else {
        1
    };
    format!("{value:.digits$}")
}
