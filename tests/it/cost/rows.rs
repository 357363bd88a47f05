//! The rows of a section of docs/cost.md: compared, read and written.

use std::path::{Path, PathBuf};

/// What a run that is not counted exactly may have more of than documented: a fifth, as of the price, and two.
const SLACK: (f64, f64) = (0.2, 2.0);

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub function: String,
    pub operation: String,
    pub count: f64,
    pub units: String,
    pub price: f64,
}

impl Row {
    fn is_like(&self, other: &Row) -> bool {
        self.function == other.function && self.operation == other.operation
    }
}

/// The more expensive of each pair of rows.
pub fn most(mut rows: Vec<Row>, others: Vec<Row>) -> Vec<Row> {
    for other in others {
        match rows.iter_mut().find(|row| row.is_like(&other)) {
            Some(row) if (other.count, other.price) > (row.count, row.price) => *row = other,
            Some(_) => {}
            None => rows.push(other),
        }
    }
    rows
}

/// The cheaper of each pair of rows that both runs have.
pub fn least(rows: Vec<Row>, others: &[Row]) -> Vec<Row> {
    let both = rows.into_iter().filter_map(|row| {
        let other = others.iter().find(|other| row.is_like(other))?;
        Some(if (other.count, other.price) < (row.count, row.price) { other.clone() } else { row })
    });
    both.collect()
}

/// The sum of the prices.
pub fn total(rows: &[Row]) -> f64 {
    rows.iter().map(|row| row.price).sum()
}

/// Rows whose count is above what is documented; by one where it follows from how messages and records come together.
pub fn exceeded(rows: &[Row], documented: &[Row], exact: bool) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        let known = documented.iter().find(|known| known.is_like(row));
        let most = known.map_or(0.0, |known| known.count);
        let batched = row.operation.contains("Batch") || row.operation.contains("Lambda");
        let slack = if exact { f64::from(batched) } else { most * SLACK.0 + SLACK.1 };
        if row.count > most + slack {
            found.push(format!("{} {}: {} instead of {most}", row.function, row.operation, row.count));
        }
    }
    found
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
        let (count, price) = (count.parse().ok()?, price.parse().ok()?);
        Some(Row { function, operation: operation.to_owned(), count, units: units.to_owned(), price })
    };
    cells.filter_map(row).collect()
}

/// A section: the table, and the notes below it.
pub fn section(rows: &[Row], of: &str, notes: &str) -> String {
    let mut text =
        format!("| function | operation | per {of} | units | $ per million {of}s |\n|---|---|---:|---:|---:|\n");
    for row in rows {
        let function = if row.function == "all" { "all".to_owned() } else { format!("`{}`", row.function) };
        text += &format!("| {function} | {} | {} | {} | {:.2} |\n", row.operation, row.count, row.units, row.price);
    }
    text + &format!("| **together** | | | | **{:.2}** |\n\n{notes}", total(rows))
}
