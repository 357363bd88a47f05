//! The rows of a section of docs/cost.md: compared, read and written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What of an operation a run that is not counted exactly may have more of than documented: a fifth, and two.
const SLACK: (f64, f64) = (0.2, 2.0);
/// What a run that is counted exactly may have more of where hints and records come together or alone.
const BATCHED: f64 = 2.0;
/// What ends the name of an operation that is for webhooks.
const WEBHOOKS: &str = ", for webhooks";

/// What an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// What is counted: a job, a project, a clip job.
    Own,
    /// The webhooks about it: their rows, their hints, their attempts.
    Webhooks,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub function: String,
    pub operation: String,
    pub purpose: Purpose,
    pub count: f64,
    pub units: String,
    pub price: f64,
}

/// The sum of the prices.
pub fn total(rows: &[Row]) -> f64 {
    rows.iter().map(|row| row.price).sum()
}

/// The rows for this purpose.
pub fn of(rows: &[Row], purpose: Purpose) -> Vec<Row> {
    rows.iter().filter(|row| row.purpose == purpose).cloned().collect()
}

/// How often each operation is made, whatever function makes it. Two functions may come to the same version in either order,
/// and then the one writes what otherwise the other does.
fn counts(rows: &[Row]) -> BTreeMap<(&str, Purpose), f64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry((row.operation.as_str(), row.purpose)).or_default() += row.count;
    }
    counts
}

/// Operations that are made more often than is documented.
pub fn exceeded(rows: &[Row], documented: &[Row], exact: bool) -> Vec<String> {
    let known = counts(documented);
    let more = counts(rows).into_iter().filter_map(|((operation, purpose), count)| {
        let most = known.get(&(operation, purpose)).copied().unwrap_or_default();
        let is_batched = ["Batch", "Lambda", "SQS"].iter().any(|word| operation.contains(word));
        let slack = match exact {
            true if is_batched => BATCHED,
            true => 0.0,
            false => most * SLACK.0 + SLACK.1,
        };
        (count > most + slack).then(|| format!("{operation} ({purpose:?}): {count} instead of {most}"))
    });
    more.collect()
}

/// The sum of the prices of the operations that begin with `of`.
pub fn share(rows: &[Row], of: &str) -> f64 {
    rows.iter().filter(|row| row.operation.starts_with(of)).map(|row| row.price).sum()
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cost.md")
}

/// docs/cost.md up to a section with its first marker, the section, and the rest with its last marker.
fn parts(section: &str) -> (String, String, String) {
    let text = std::fs::read_to_string(docs()).expect("docs/cost.md");
    let (begin, end) = (format!("<!-- {section}:begin -->\n"), format!("<!-- {section}:end -->"));
    let start = text.find(&begin).expect("the section's beginning") + begin.len();
    let stop = start + text[start..].find(&end).expect("the section's end");
    (text[..start].to_owned(), text[start..stop].to_owned(), text[stop..].to_owned())
}

/// Replaces a section.
pub fn write_section(section: &str, text: &str) {
    let (before, _, after) = parts(section);
    std::fs::write(docs(), format!("{before}{text}{after}")).expect("written");
}

/// The rows in a section of the document.
pub fn documented(section: &str) -> Vec<Row> {
    let section = parts(section).1;
    let cells = section.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let row = |cells: Vec<&str>| {
        let [_, function, operation, count, units, price, _] = cells[..] else { return None };
        let function = function.trim_matches('`').to_owned();
        let (operation, purpose) = match operation.strip_suffix(WEBHOOKS) {
            Some(operation) => (operation.to_owned(), Purpose::Webhooks),
            None => (operation.to_owned(), Purpose::Own),
        };
        let (count, price) = (count.parse().ok()?, price.parse().ok()?);
        Some(Row { function, operation, purpose, count, units: units.to_owned(), price })
    };
    cells.filter_map(row).collect()
}

/// A section: the table, and the notes below it.
pub fn section(rows: &[Row], of: &str, notes: &str) -> String {
    let mut text =
        format!("| function | operation | per {of} | units | $ per million {of}s |\n|---|---|---:|---:|---:|\n");
    for row in rows {
        let function = if row.function == "all" { "all".to_owned() } else { format!("`{}`", row.function) };
        let purpose = match row.purpose {
            Purpose::Own => "",
            Purpose::Webhooks => WEBHOOKS,
        };
        let Row { operation, count, units, price, .. } = row;
        text += &format!("| {function} | {operation}{purpose} | {count} | {units} | {price:.2} |\n");
    }
    text + &format!("| **together** | | | | **{:.2}** |\n\n{notes}", total(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(function: &str, operation: &str, count: f64) -> Row {
        let (function, operation) = (function.to_owned(), operation.to_owned());
        Row { function, operation, purpose: Purpose::Own, count, units: String::new(), price: count }
    }

    #[test]
    fn what_another_function_does_is_not_more() {
        let documented = [row("worker", "DynamoDB PutItem", 2.0), row("step-webhook", "DynamoDB PutItem", 16.0)];
        let moved = [row("worker", "DynamoDB PutItem", 1.0), row("step-webhook", "DynamoDB PutItem", 17.0)];
        assert!(exceeded(&moved, &documented, true).is_empty());
        let more = [row("worker", "DynamoDB PutItem", 2.0), row("step-webhook", "DynamoDB PutItem", 17.0)];
        assert_eq!(exceeded(&more, &documented, true), ["DynamoDB PutItem (Own): 19 instead of 18"]);
        assert!(exceeded(&more, &documented, false).is_empty());
        let runs = |count: f64| [row("fanout", "Lambda run", count)];
        assert!(exceeded(&runs(21.0), &runs(19.0), true).is_empty());
        assert_eq!(exceeded(&runs(22.0), &runs(19.0), true).len(), 1);
    }
}
