//! What storing a job uses, for jobs that count it: units of the write, of its entries in indexes, and of the read before.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_domain::{Footprint, Job, Usage};

use crate::items::{Item, json};

/// The attribute with what the job has used. It is beside the stored form, since it depends on that.
pub(crate) const ATTRIBUTE: &str = "usage";
/// The key attributes of the indexes of the Jobs table (template.yaml). They project keys only.
const INDEXES: [&[&str]; 5] = [
    &["status_month", "created_at"],
    &["active", "active_rank"],
    &["due_shard", "due_at"],
    &["render_id"],
    &["owner", "created_at"],
];
/// The bytes of a write unit, and of a read unit.
const UNITS: (u64, u64) = (1024, 4096);

/// Adds to an item what the job has used, this write included; `times` is 2 in a transaction. Nothing if it is not counted.
pub(crate) fn bill(job: &Job, item: &mut Item, times: u64) {
    let Some(usage) = job.ledger.usage else { return };
    // The numbers are as long as those that follow, but for a digit that no unit depends on.
    item.insert(ATTRIBUTE.to_owned(), json(&usage));
    let (before, after) = (usage.footprint, footprint(item));
    let entries = before.entries.iter().zip(after.entries).map(|(old, new)| moved(*old, new));
    let written = before.bytes.max(after.bytes).div_ceil(UNITS.0) + entries.sum::<u64>();
    let own = Usage {
        writes: times * written,
        // It was read consistently before, unless it is new.
        half_reads: 2 * before.bytes.div_ceil(UNITS.1),
        ..Usage::default()
    };
    item.insert(ATTRIBUTE.to_owned(), json(&(usage + own)));
}

/// What a later write of this item is billed by.
pub(crate) fn footprint(item: &Item) -> Footprint {
    let mut entries = [0; reelhook_domain::jobs::usage::INDEXES];
    for (entry, keys) in entries.iter_mut().zip(INDEXES) {
        let values: Option<Vec<&str>> = keys.iter().map(|name| key(item.get(*name)?)).collect();
        *entry = values.map_or(0, |values| {
            let mut hasher = DefaultHasher::new();
            values.hash(&mut hasher);
            hasher.finish().max(1)
        });
    }
    Footprint { bytes: item.iter().map(|(name, value)| name.len() as u64 + size(value)).sum(), entries }
}

/// The writes of an index: one for an entry that comes or goes, two for one whose key changes.
fn moved(old: u64, new: u64) -> u64 {
    match (old, new) {
        (old, new) if old == new => 0,
        (0, _) | (_, 0) => 1,
        _ => 2,
    }
}

fn key(value: &AttributeValue) -> Option<&str> {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => Some(text),
        _ => None,
    }
}

/// The bytes of a value (Amazon DynamoDB's guide, DynamoDB Item sizes and formats). Our items have no other types.
fn size(value: &AttributeValue) -> u64 {
    let bytes = match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.len() / 2 + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        _ => 1,
    };
    bytes as u64
}

#[cfg(test)]
mod tests {
    use reelhook_app::retention::Days;
    use reelhook_app::store::StoreError;
    use reelhook_domain::{Event, StepUpdate, Timestamp};
    use reelhook_testkit::{NOON, a_new_job, lived, policy, started};

    use super::*;
    use crate::items::text;
    use crate::jobs::item::{from_item, to_item};

    /// The job as it is read after a write, and the write and half read units that were counted for it.
    fn stored(job: &Job, times: u64) -> Result<(Job, [u64; 2]), StoreError> {
        let known = job.ledger.usage.expect("it is counted");
        let mut item = to_item(job, "0123456789abcdef0123456789abcdef", Days::MONTH);
        bill(job, &mut item, times);
        let read = from_item("load job", &item)?;
        let usage = read.ledger.usage.expect("it is counted");
        Ok((read, [usage.writes - known.writes, usage.half_reads - known.half_reads]))
    }

    fn counted() -> Job {
        reelhook_domain::create(reelhook_domain::NewJob { usage: true, ..a_new_job(1) }, NOON, &policy())
    }

    /// A text of digits that compress to half of their number of bytes.
    fn noise(digits: usize) -> String {
        let next = |seed: &mut u64| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from_digit((*seed >> 60) as u32, 16)
        };
        let mut seed = 1;
        (0..digits).filter_map(|_| next(&mut seed)).collect()
    }

    fn step(number: u8, details: usize) -> Event {
        Event::Step {
            attempt: Some(1),
            update: StepUpdate {
                number,
                name: "Step".to_owned(),
                status: reelhook_domain::StepStatus::Started,
                key: None,
                sequence: i64::from(number),
                duration: None,
                details: Some(noise(details).into()),
                render_id: None,
                video_url: None,
                stage: None,
                extracted: None,
                error: None,
                workflow_failed: false,
            },
        }
    }

    #[test]
    fn each_write_is_counted_with_its_index_entries_and_the_read_before() -> Result<(), StoreError> {
        // One KB, and its entry among those under way.
        let (job, units) = stored(&counted(), 1)?;
        assert_eq!(units, [1 + 1, 0]);
        // All of a transaction counts twice; a claim moves no entry.
        let (job, units) = stored(&lived(job, &[Event::Claim], Timestamp(NOON.millis() + 5), &policy()), 2)?;
        assert_eq!(units, [2, 2]);
        // Its entry moves from those that wait to those that run.
        let (job, units) = stored(&lived(job, &[started(1)], Timestamp(NOON.millis() + 9), &policy()), 1)?;
        assert_eq!(units, [1 + 2, 2]);
        let (job, units) = stored(&lived(job, &[step(1, 10)], NOON, &policy()), 1)?;
        assert_eq!(units, [1, 2], "no entry moves");
        // More than five KB, of which the next write needs two read units.
        let (job, units) = stored(&lived(job, &[step(2, 9000)], NOON, &policy()), 1)?;
        assert_eq!(units, [6, 2]);
        let (_, units) = stored(&lived(job, &[Event::Cancel], NOON, &policy()), 1)?;
        assert_eq!(units, [6 + 1 + 1, 4], "it leaves those under way, and has an entry by status");
        Ok(())
    }

    #[test]
    fn a_job_that_is_not_counted_has_no_attribute() {
        let job = reelhook_domain::create(a_new_job(1), NOON, &policy());
        let mut item = to_item(&job, "0", Days::MONTH);
        bill(&job, &mut item, 1);
        assert_eq!(text(&item, ATTRIBUTE), None);
    }

    #[test]
    fn the_stored_form_stays_as_it_is_and_may_grow() {
        let usage = Usage { runs: 1, requests: 2, hints: 3, writes: 4, half_reads: 5, frames: 6, ..Usage::default() };
        assert_eq!(serde_json::to_string(&usage).unwrap(), "[1,2,3,4,5,6]");
        for text in ["[1,2,3,4,5,6]", "[1,2,3,4,5,6,7]"] {
            assert_eq!(serde_json::from_str::<Usage>(text).unwrap(), usage, "{text}");
        }
        let older = Usage { frames: 0, ..usage };
        assert_eq!(serde_json::from_str::<Usage>("[1,2,3,4,5]").unwrap(), older);
    }
}
