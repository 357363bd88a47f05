//! What a command prints: results on standard output, as text or as JSON; messages on standard error.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use reelhook_terminal::{ui, visible};
use serde_json::Value;

use crate::failure::Failure;

/// Where a command prints.
#[derive(Debug)]
pub struct Output {
    json: bool,
    /// What is said when the command is interrupted.
    farewell: Mutex<Option<String>>,
}

impl Output {
    /// Results are JSON if `json`.
    pub fn new(json: bool) -> Self {
        Self { json, farewell: Mutex::new(None) }
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: the value on one line if results are JSON, else the lines.
    pub fn result(&self, value: &Value, lines: impl FnOnce() -> Vec<String>) -> Result<(), Failure> {
        match self.json {
            true => print(&visible::json_line(value)),
            false => lines().iter().try_for_each(|line| print(&visible::line(line))),
        }
    }

    /// Says something that is no result.
    pub fn say(&self, sentence: impl AsRef<str>) {
        ui::say(sentence);
    }

    /// What is said if the command is interrupted from now on.
    pub fn when_interrupted(&self, sentence: String) {
        *self.farewell.lock().unwrap_or_else(PoisonError::into_inner) = Some(sentence);
    }

    /// What is to be said after an interruption.
    pub fn farewell(&self) -> Option<String> {
        self.farewell.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Prints text as it is, for example a script.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::OutputClosed),
        Err(error) => Err(Failure::Local(anyhow::Error::new(error).context("write the result"))),
    }
}

/// A text of an answer; `-` if there is none.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Rows of cells, in columns.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let heads = heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>();
    let width = |column: usize| {
        let cells = rows.iter().chain([&heads]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    [&heads].into_iter().chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["ep_1".to_owned(), "on".to_owned()], vec!["é".to_owned(), "disabled".to_owned()]];
        assert_eq!(table(&["id", "state"], &rows), ["id    state", "ep_1  on", "é     disabled"]);
    }

    #[test]
    fn values_are_shown_as_texts() {
        assert_eq!(text(&Value::Null), "-");
        assert_eq!(text(&json!(["job.*", "video.*"])), "job.*, video.*");
        assert_eq!(text(&json!(3)), "3");
    }
}
