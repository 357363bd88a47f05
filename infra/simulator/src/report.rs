//! What docs/scale.md says, between its markers.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::outcome::Outcome;
use crate::picture;
use crate::scenario::{CEILINGS, Curve, Extent, RUN_TIME, Shares, seconds, with_faults};
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
    faults: (f64, Outcome),
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
        say("owners");
        let shares = Shares::measure(seed)?;
        say("faults");
        let run_time = if extent == Extent::Full { RUN_TIME / 1_000_000 } else { 5 };
        Ok(Self { seed, run_time, ceilings, curves, shares, faults: with_faults(extent, seed)? })
    }

    /// The tables.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a text cannot fail");
        text
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
                let wait = |percent| {
                    point.outcome.wait(percent).map_or("not known".to_owned(), |wait| format!("{:.2} s", seconds(wait)))
                };
                let bound = point.outcome.bound(point.rate).map_or("", |limit| limit.name());
                writeln!(
                    text,
                    "| {} | {:.0} | {throughput:.0} | {} | {} | {most_executions} | {bound} |",
                    curve.design.name,
                    point.rate,
                    wait(50),
                    wait(99),
                )?;
            }
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
        let (rate, Outcome { counts, is_drained, most_overtaken, .. }) = &self.faults;
        writeln!(
            text,
            "N = 16 with {rate:.0} jobs a second: {} launchers were killed, {} batches of the stream replayed, {} messages came \
             twice,\n{} claims were released by the due sweep, {} tokens came back after their lease, and {} claims met \
             another one.\n{}. A job started at most {:.2} s before an older one.\n",
            counts.kills,
            counts.replays,
            counts.duplicates,
            counts.released,
            counts.reclaimed,
            counts.conflicts,
            if *is_drained { "Every job ended once" } else { "Not every job had ended at the end" },
            seconds(*most_overtaken),
        )?;
        let events: u64 =
            self.curves.iter().flat_map(|curve| &curve.points).map(|point| point.outcome.counts.events).sum();
        writeln!(text, "Written by `cargo xtask simulate`, seed {}, {events} events in the table of rates.", self.seed)
    }
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
        for part in ["### Ceilings", "| today | 10 |", "| N = 4 | 100 |", "### Owners", "Every job ended once"] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        assert!(!text.contains("(differs)"), "{text}");
        assert!(report.picture().starts_with("<svg") && report.picture().contains("N = 4"));
        let page = replaced("a\n<!-- scale:begin -->\nold<!-- scale:end -->\nb", "new\n").unwrap_or_default();
        assert_eq!(page, "a\n<!-- scale:begin -->\nnew\n<!-- scale:end -->\nb");
    }
}
