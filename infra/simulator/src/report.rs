//! What docs/scale.md says, between its markers.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::design::Design;
use crate::limits::Limit;
use crate::outcome::Outcome;
use crate::picture;
use crate::scenario::{CEILINGS, Curve, Extent, Ladder, RUN_TIME, Shares, seconds, with_faults};
use crate::world::ledger::Violation;

const BEGIN: &str = "<!-- scale:begin -->\n";
const END: &str = "<!-- scale:end -->";

/// Everything that was measured.
pub struct Report {
    seed: u64,
    run_time: u64,
    ceilings: Vec<f64>,
    curves: Vec<Curve>,
    shares: Shares,
    ladder: Ladder,
    faults: Vec<(Design, f64, Outcome)>,
}

impl Report {
    /// Runs all scenarios; `say` hears of each.
    ///
    /// # Errors
    /// A rule that was broken.
    pub fn measure(extent: Extent, seed: u64, mut say: impl FnMut(&str)) -> Result<Self, Violation> {
        say("ceilings of version 0.2");
        let ceilings = CEILINGS.iter().map(|ceiling| Ok(ceiling.measure(seed)?.throughput));
        let ceilings = ceilings.collect::<Result<_, Violation>>()?;
        let mut curves = Vec::new();
        for design in extent.designs() {
            say(&format!("{} at {} rates", design.name, extent.rates().len()));
            curves.push(Curve::measure(design, extent, seed)?);
        }
        let built = Design::as_built(16);
        say(&format!("limits of {}", built.name));
        let ladder = Ladder::measure(built, extent, seed)?;
        say("owners");
        let shares = Shares::measure(seed)?;
        say("faults");
        let run_time = if extent == Extent::Full { RUN_TIME / 1_000_000 } else { 5 };
        let faults = [(Design::as_built(1), 20.0), (Design::as_built(16), 1_000.0)].map(|(design, rate)| {
            let (rate, outcome) = with_faults(design, rate, extent, seed)?;
            Ok((design, rate, outcome))
        });
        let faults = faults.into_iter().collect::<Result<_, Violation>>()?;
        Ok(Self { seed, run_time, ceilings, curves, ladder, shares, faults })
    }

    /// The tables.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a text cannot fail");
        text
    }

    fn names_of_faults(&self) -> String {
        let names = self.faults.iter().map(|(design, rate, _)| format!("{}, {rate:.0} jobs a second", design.name));
        names.collect::<Vec<_>>().join(" | ")
    }

    /// The picture.
    pub fn picture(&self) -> String {
        picture::draw(&self.curves)
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "### Ceilings of version 0.2, each alone\n")?;
        writeln!(text, "| limit | jobs a second, from the code | simulated |\n|---|---:|---:|")?;
        for (ceiling, measured) in CEILINGS.iter().zip(&self.ceilings) {
            let ((low, high), name) = (ceiling.expected, ceiling.limits[0].name());
            let mark = if ceiling.is_met(*measured) { "" } else { " (differs)" };
            writeln!(text, "| {name} | {low:.0} to {high:.0} | {measured:.0}{mark} |")?;
        }
        writeln!(text, "\n### With all limits, and runs of {} s\n", self.run_time)?;
        writeln!(
            text,
            "| design | submitted a second | ended a second | median wait | p99 wait | functions at once | limit |"
        )?;
        writeln!(text, "|---|---:|---:|---:|---:|---:|---|")?;
        for curve in &self.curves {
            for point in &curve.points {
                let Outcome { throughput, most_executions, .. } = point.outcome;
                let bound = point.outcome.bound(point.rate).map_or("", Limit::name);
                writeln!(
                    text,
                    "| {} | {:.0} | {throughput:.0} | {} | {} | {most_executions} | {bound} |",
                    curve.design.name,
                    point.rate,
                    waited(&point.outcome, 50),
                    waited(&point.outcome, 99),
                )?;
            }
        }
        let Ladder { design, rate, rungs } = &self.ladder;
        writeln!(text, "\n### What stops {}\n", design.name)?;
        writeln!(text, "{rate:.0} jobs are submitted a second. Each row lifts the limit of the row above, too.\n")?;
        writeln!(text, "| without | ended a second | median wait | p99 wait | overtaken by at most | limit |")?;
        writeln!(text, "|---|---:|---:|---:|---:|---|")?;
        for (lifted, outcome) in rungs {
            let (lifted, bound) = (lifted.map_or("", Limit::name), outcome.bound(*rate).map_or("", Limit::name));
            let (median, p99) = (waited(outcome, 50), waited(outcome, 99));
            let overtaken = seconds(outcome.most_overtaken);
            writeln!(text, "| {lifted} | {:.0} | {median} | {p99} | {overtaken:.2} s | {bound} |", outcome.throughput)?;
        }
        writeln!(text, "\n### Owners\n")?;
        let Shares { owners, slots, by_time, by_owner } = &self.shares;
        let wait =
            |wait: &Option<u64>| wait.map_or("more than 180 s".to_owned(), |wait| format!("{:.0} s", seconds(wait)));
        writeln!(
            text,
            "{} jobs of one owner wait for {} slots with runs of {:.0} s; then {} owners submit one job each. The 95th \
             percentile of\ntheir waits is {}, and {} first come, first served. Two runs take {:.0} s.\n",
            owners.0,
            slots.0,
            seconds(slots.1),
            owners.1,
            wait(by_owner),
            wait(by_time),
            seconds(2 * slots.1),
        )?;
        writeln!(text, "### Faults\n")?;
        writeln!(text, "| | {} |", self.names_of_faults())?;
        writeln!(text, "|---|{}", "---:|".repeat(self.faults.len()))?;
        let mut row = |name: &str, value: &dyn Fn(&Outcome) -> String| {
            let values: Vec<String> = self.faults.iter().map(|(_, _, outcome)| value(outcome)).collect();
            writeln!(text, "| {name} | {} |", values.join(" | "))
        };
        row("launchers that were killed", &|outcome| outcome.counts.kills.to_string())?;
        row("batches of the stream that were replayed", &|outcome| outcome.counts.replays.to_string())?;
        row("messages that came twice", &|outcome| outcome.counts.duplicates.to_string())?;
        row("claims that the due sweep released", &|outcome| outcome.counts.released.to_string())?;
        row("claims that met another one", &|outcome| outcome.counts.conflicts.to_string())?;
        row("a job was overtaken by one that was younger by at most", &|outcome| {
            format!("{:.2} s", seconds(outcome.most_overtaken))
        })?;
        row("every job ended once", &|outcome| if outcome.is_drained { "yes" } else { "no" }.to_owned())?;
        writeln!(text)?;
        let events: u64 =
            self.curves.iter().flat_map(|curve| &curve.points).map(|point| point.outcome.counts.events).sum();
        writeln!(text, "Written by `cargo xtask simulate`, seed {}, {events} events in the table of rates.", self.seed)
    }
}

/// A percentile of the waits of an outcome, as a cell.
fn waited(outcome: &Outcome, percent: usize) -> String {
    outcome.wait(percent).map_or("not known".to_owned(), |wait| format!("{:.2} s", seconds(wait)))
}

/// Writes the tables and the picture to a folder of documents.
///
/// # Errors
/// When a file can't be written, or has no markers.
pub fn save(report: &Report, docs: &Path) -> anyhow::Result<()> {
    let page = docs.join("scale.md");
    let old = std::fs::read_to_string(&page).with_context(|| format!("read {}", page.display()))?;
    std::fs::write(&page, replaced(&old, &report.text())?).with_context(|| format!("write {}", page.display()))?;
    let picture = docs.join("scale.svg");
    std::fs::write(&picture, report.picture()).with_context(|| format!("write {}", picture.display()))
}

fn replaced(old: &str, text: &str) -> anyhow::Result<String> {
    let (before, rest) = old.split_once(BEGIN).context("docs/scale.md has no beginning of the tables")?;
    let (_, after) = rest.split_once(END).context("docs/scale.md has no end of the tables")?;
    Ok(format!("{before}{BEGIN}{text}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_report_has_all_tables_and_a_picture() {
        let report = Report::measure(Extent::Quick, 1, |_| {}).unwrap_or_else(|violation| panic!("{violation}"));
        let text = report.text();
        for part in [
            "### Ceilings",
            "| 0.2 | 10 |",
            "| as built, 4 | 100 |",
            "### Owners",
            "| every job ended once | yes | yes |",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        assert!(!text.contains("(differs)"), "{text}");
        assert!(report.picture().starts_with("<svg") && report.picture().contains("as built, 4"));
        let page = replaced("a\n<!-- scale:begin -->\nold<!-- scale:end -->\nb", "new\n").unwrap_or_default();
        assert_eq!(page, "a\n<!-- scale:begin -->\nnew\n<!-- scale:end -->\nb");
    }
}
