//! The picture of a soak test: a panel for each kind, in which each program, table or time is a line.

use std::fmt::Write as _;

use super::judge::{Kind, Series};

/// Width and height of a panel, and the room around it.
const PANEL: (f64, f64) = (520.0, 150.0);
const MARGIN: (f64, f64) = (70.0, 40.0);
const COLUMNS: usize = 2;
/// Colours of lines; further ones begin again.
const COLOURS: [&str; 8] = ["#2a6fb0", "#c0504d", "#5a8a3a", "#8064a2", "#d08a1d", "#3a9a9a", "#7f7f7f", "#b05a8a"];

/// Draws every series as an SVG.
pub fn svg(series: &Series) -> String {
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| series.of(*kind).next().is_some()).collect();
    let rows = kinds.len().div_ceil(COLUMNS);
    let (width, height) = (offset(PANEL.0, MARGIN.0, COLUMNS), offset(PANEL.1, MARGIN.1, rows) + MARGIN.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#666\">\n<title>What a soak test watched</title>\n"
    );
    for (index, kind) in kinds.into_iter().enumerate() {
        let x = offset(PANEL.0, MARGIN.0, index % COLUMNS) + MARGIN.0 / 2.0;
        let y = offset(PANEL.1, MARGIN.1, index / COLUMNS) + MARGIN.1;
        panel(&mut svg, (x, y), kind, series);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where the panel of this number begins.
fn offset(size: f64, margin: f64, number: usize) -> f64 {
    (size + margin) * number as f64
}

fn panel(svg: &mut String, (left, top): (f64, f64), kind: Kind, series: &Series) {
    let points = || series.of(kind).flat_map(|(_, points)| points.iter());
    let last = points().map(|(x, _)| *x).fold(1.0, f64::max);
    let most = points().map(|(_, y)| *y).fold(1.0, f64::max);
    let (right, bottom) = (left + PANEL.0 - MARGIN.0, top + PANEL.1);
    // A string takes whatever is written to it.
    let _ = writeln!(svg, "<text x=\"{left:.0}\" y=\"{:.0}\" fill=\"#333\">{}</text>", top - 8.0, kind.title());
    let _ = writeln!(svg, "<path d=\"M{left:.0},{top:.0} V{bottom:.0} H{right:.0}\" fill=\"none\" stroke=\"#bbb\"/>");
    let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{most:.0}</text>", left - 4.0, top + 8.0);
    let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{bottom:.0}\" text-anchor=\"end\">0</text>", left - 4.0);
    let label = format!("{last:.0} jobs");
    let _ = writeln!(svg, "<text x=\"{right:.0}\" y=\"{:.0}\" text-anchor=\"end\">{label}</text>", bottom + 14.0);
    for (index, (name, points)) in series.of(kind).enumerate() {
        let place = |(x, y): &(f64, f64)| {
            format!("{:.1},{:.1}", left + (right - left) * x / last, bottom - (bottom - top) * y / most)
        };
        let line: Vec<String> = points.iter().map(place).collect();
        let colour = COLOURS[index % COLOURS.len()];
        // The name is shown where the pointer rests on the line.
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"><title>{name}</title></polyline>",
            line.join(" ")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_series_is_a_line_in_the_panel_of_its_kind() {
        let mut series = Series::default();
        for jobs in [100, 200] {
            series.add(Kind::Memory, "worker", jobs, 10.0);
            series.add(Kind::Memory, "fanout", jobs, 20.0);
            series.add(Kind::Rate, "jobs", jobs, 4.0);
        }
        let svg = svg(&series);
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert!(svg.contains("<title>worker</title>") && svg.contains("memory (MiB)") && svg.contains("jobs a second"));
        assert!(!svg.contains("open files"), "a kind without series has no panel");
        // Half of 200 jobs, and half of the largest value.
        assert!(svg.contains("points=\"260.0,115.0 485.0,115.0\""), "{svg}");
    }
}
