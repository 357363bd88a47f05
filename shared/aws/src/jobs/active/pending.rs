//! Reading all waiting jobs of the active index, to find those that hold slots: they are claimed, and a claim may have ended.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use reelhook_app::store::StoreError;
use reelhook_domain::{Job, JobId, Lane};

use crate::aggregates::AggregateTable;
use crate::errors::store_error;
use crate::jobs::active::{self, Stage};

/// Entries of a page.
const PAGE: i32 = 1000;
/// Pages that are read at most, over all shards.
const PAGES: usize = 16;
/// Pages of one shard at least.
const LEAST_PAGES: usize = 2;

/// The jobs that wait or are claimed, of all shards. Of more than fit into the pages these are the first ones and those from
/// a lane on, which should be a random one, so that no lane is always left out.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn pending(items: &AggregateTable<Job>, from: Lane) -> Result<BTreeSet<JobId>, StoreError> {
    let pages = (PAGES / items.shards.read()).max(LEAST_PAGES);
    let shards = items.shards.partitions().map(|partition| {
        let scan = Scan { items, partition, found: Vec::new() };
        scan.run(from, pages)
    });
    Ok(try_join_all(shards).await?.into_iter().flatten().collect())
}

/// A look into one shard.
struct Scan<'a> {
    items: &'a AggregateTable<Job>,
    partition: AttributeValue,
    found: Vec<JobId>,
}

impl Scan<'_> {
    async fn run(mut self, from: Lane, mut pages: usize) -> Result<Vec<JobId>, StoreError> {
        let (first, middle, last) = (Stage::Pending.begin(), active::lane_begin(from), Stage::Pending.end());
        // Where few jobs wait, this is all.
        let mut one = 1;
        if self.range(&first, &last, &mut one).await? {
            return Ok(self.found);
        }
        for (first, last) in [(&middle, &last), (&first, &middle)] {
            if !self.range(first, last, &mut pages).await? {
                break;
            }
        }
        Ok(self.found)
    }

    /// Reads a range; returns whether it came to its end within these pages.
    async fn range(&mut self, first: &str, last: &str, pages: &mut usize) -> Result<bool, StoreError> {
        let mut start = None;
        while *pages > 0 {
            *pages -= 1;
            let values = active::range(self.partition.clone(), first, last);
            let query = self.items.query("by-active", active::RANGE, &values).limit(PAGE);
            let answer = query.set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| store_error("find claimed jobs", error))?;
            self.found.extend(AggregateTable::<Job>::ids(answer.items()));
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
