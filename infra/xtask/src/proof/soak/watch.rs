//! One look at a running stack: memory and files of its processes, rows of its tables.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::judge::{Kind, Series};
use crate::process::{self, ProcessId};
use crate::up::Started;

/// The name of the emulator among the programs.
pub const EMULATOR: &str = "the emulator";
/// The name of the mock services among the programs.
pub const MOCK_SERVICES: &str = "the mock services";

/// Looks at a stack again and again; rows that two looks find unchanged are deleted where they have a time to live.
#[derive(Debug, Default)]
pub struct Watch {
    /// What the last look has seen of rows with a time to live.
    seen: Value,
}

/// The largest process of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Use {
    memory: u64,
    files: usize,
}

impl Watch {
    /// Adds what is seen now.
    pub fn look(&mut self, started: &Started, jobs: u64, series: &mut Series) -> anyhow::Result<()> {
        for (program, Use { memory, files }) in programs(started) {
            series.add(Kind::Memory, program.clone(), jobs, mebibytes(memory));
            series.add(Kind::Files, program, jobs, f64::from(u32::try_from(files).unwrap_or(u32::MAX)));
        }
        let input = if self.seen.is_null() { json!({}) } else { self.seen.take() };
        let mut sample = started.stack.call("counting rows", &["soak"], &input.to_string())?;
        self.seen = sample["seen"].take();
        for (table, counts) in sample["tables"].as_object().context("the counts have tables")? {
            for (kind, member) in [(Kind::Rows, "rows"), (Kind::Lasting, "lasting")] {
                series.add(kind, table.clone(), jobs, counts[member].as_f64().context("a count is a number")?);
            }
        }
        Ok(())
    }
}

/// What each program of a stack uses, by its name: a function's is that of its crate.
fn programs(started: &Started) -> BTreeMap<String, Use> {
    let run = &started.run;
    let functions: BTreeMap<&str, &str> =
        run.functions.iter().map(|(name, deployed)| (deployed.as_str(), name.as_str())).collect();
    let name_of = |id: ProcessId| {
        if run.emulator == Some(id) {
            return Some(EMULATOR.to_owned());
        }
        if run.studio == Some(id) {
            return Some(MOCK_SERVICES.to_owned());
        }
        let deployed = id.variable("AWS_LAMBDA_FUNCTION_NAME")?;
        functions.get(deployed.as_str()).map(|name| (*name).to_owned())
    };
    let mut largest: BTreeMap<String, Use> = BTreeMap::new();
    for id in process::marked(&started.instance.directory) {
        // A process that ends meanwhile has no numbers.
        if let (Some(name), Some(memory), Some(files)) = (name_of(id), id.memory(), id.open_files()) {
            let most = largest.entry(name).or_default();
            *most = Use { memory: most.memory.max(memory), files: most.files.max(files) };
        }
    }
    largest
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}
