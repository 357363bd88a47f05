//! The picture of docs/scale.md: throughput and waits over the rate of submissions, both on logarithmic scales.

use std::fmt::Write as _;

use crate::scenario::{Curve, seconds};

/// Size of a panel, and its margins.
const PANEL: (f64, f64) = (420.0, 280.0);
const MARGIN: (f64, f64) = (64.0, 48.0);
/// The rates that the axis shows.
const RATES: (f64, f64) = (10.0, 5_000.0);
/// A colour for each design, distinguishable for the colour-blind.
const COLOURS: [&str; 4] = ["#6e6e6e", "#e69f00", "#009e73", "#0072b2"];
/// The width of an entry of the legend.
const ENTRY: f64 = 130.0;

/// A logarithmic axis.
struct Axis {
    low: f64,
    high: f64,
    marks: &'static [(f64, &'static str)],
}

const RATE: Axis = Axis {
    low: RATES.0,
    high: RATES.1,
    marks: &[(10.0, "10"), (50.0, "50"), (200.0, "200"), (1_000.0, "1,000"), (5_000.0, "5,000")],
};
const STARTS: Axis = Axis {
    low: 1.0,
    high: 5_000.0,
    marks: &[(1.0, "1"), (10.0, "10"), (100.0, "100"), (1_000.0, "1,000"), (5_000.0, "5,000")],
};
const WAIT: Axis =
    Axis { low: 0.2, high: 100.0, marks: &[(0.2, "0.2 s"), (1.0, "1 s"), (10.0, "10 s"), (100.0, "≥ 100 s")] };

impl Axis {
    /// The place of a value between 0 and 1.
    fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        (value / self.low).ln() / (self.high / self.low).ln()
    }
}

/// Draws all curves.
pub fn draw(curves: &[Curve]) -> String {
    let (width, height) = (2.0 * (PANEL.0 + MARGIN.0) + 24.0, PANEL.1 + 2.0 * MARGIN.1 + 24.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>Jobs that end a second, and waits from \
         submission to start, by jobs submitted a second</title>\n<rect width=\"{width}\" height=\"{height}\" \
         fill=\"#ffffff\"/>\n"
    );
    panel(&mut svg, 0.0, "jobs that end a second", &STARTS);
    panel(&mut svg, PANEL.0 + MARGIN.0, "p99 from submission to start", &WAIT);
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let starts = curve.points.iter().map(|point| (point.rate, point.outcome.throughput));
        line(&mut svg, 0.0, starts, &STARTS, colour);
        let known = curve.points.iter().map(|point| {
            // A wait that is not known is longer than the run was measured.
            (point.rate, point.outcome.wait(99).map_or(WAIT.high, seconds))
        });
        line(&mut svg, PANEL.0 + MARGIN.0, known, &WAIT, colour);
    }
    for (number, (curve, colour)) in curves.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let (x, y) = (MARGIN.0 + ENTRY * number as f64, height - 14.0);
        path(&mut svg, &[(x, y - 4.0), (x + 30.0, y - 4.0)], colour);
        writeln!(svg, "<text x=\"{}\" y=\"{y}\">{}</text>", x + 38.0, curve.design.name)
            .expect("writing to a text cannot fail");
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, left: f64, title: &str, axis: &Axis) {
    let (x, y) = (left + MARGIN.0, MARGIN.1);
    let mut add = |text: String| svg.push_str(&text);
    add(format!("<text x=\"{x}\" y=\"{}\" font-weight=\"600\">{title}</text>\n", y - 16.0));
    for (value, name) in RATE.marks {
        let at = x + RATE.place(*value) * PANEL.0;
        add(format!("<path d=\"M{at:.1} {y}V{:.1}\" stroke=\"#dddddd\"/>", y + PANEL.1));
        add(format!("<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>\n", y + PANEL.1 + 18.0));
    }
    for (value, name) in axis.marks {
        let at = y + (1.0 - axis.place(*value)) * PANEL.1;
        add(format!("<path d=\"M{x} {at:.1}H{:.1}\" stroke=\"#dddddd\"/>", x + PANEL.0));
        add(format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\n", x - 6.0, at + 4.0));
    }
    let middle = x + PANEL.0 / 2.0;
    add(format!(
        "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">jobs submitted a second</text>\n",
        y + PANEL.1 + 36.0
    ));
}

fn line(svg: &mut String, left: f64, values: impl Iterator<Item = (f64, f64)>, axis: &Axis, colour: &str) {
    let place = |(rate, value): (f64, f64)| {
        (left + MARGIN.0 + RATE.place(rate) * PANEL.0, MARGIN.1 + (1.0 - axis.place(value)) * PANEL.1)
    };
    let places: Vec<(f64, f64)> = values.map(place).collect();
    path(svg, &places, colour);
    for (x, y) in places {
        svg.push_str(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n"));
    }
}

fn path(svg: &mut String, places: &[(f64, f64)], colour: &str) {
    let places: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let places = places.join("L");
    svg.push_str(&format!("<path d=\"M{places}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>\n"));
}
