//! Reading the waiting jobs of the active index, lane by lane: a lane of many jobs hides no other.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use reelhook_app::jobs::claims::{Look, Ready};
use reelhook_app::store::StoreError;
use reelhook_domain::Job;
use reelhook_domain::jobs::slots::fair::Waiting;

use crate::aggregates::AggregateTable;
use crate::errors::store_error;
use crate::jobs::active::{self, Entry, Stage};

/// Lanes with a job that may start that one look reads at most, over all shards.
const LANES: usize = 16;
/// Such lanes of one shard at least.
const LEAST_LANES: usize = 4;
/// Queries of one shard that find out whether there are only a few lanes.
const FEW_QUERIES: usize = 6;
/// Queries of one shard in one look at most. Lanes whose jobs may only start later need one each.
const QUERIES: usize = 64;

/// The waiting jobs that may start, of all shards, and claimed ones.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn ready(items: &AggregateTable<Job>, look: &Look) -> Result<Ready, StoreError> {
    let lanes = (LANES / items.shards.read()).max(LEAST_LANES);
    let shards = items.shards.partitions().map(|partition| {
        let scan = Scan { items, partition, look, found: Ready { jobs: Vec::new(), all: true, is_cut: false } };
        scan.run(lanes)
    });
    let found = try_join_all(shards).await?;
    let (all, is_cut) = (found.iter().all(|ready| ready.all), found.iter().any(|ready| ready.is_cut));
    Ok(Ready { jobs: found.into_iter().flat_map(|ready| ready.jobs).collect(), all, is_cut })
}

/// A look into one shard.
struct Scan<'a> {
    items: &'a AggregateTable<Job>,
    partition: AttributeValue,
    look: &'a Look,
    found: Ready,
}

impl Scan<'_> {
    /// Reads lanes from the first one on, which is one query where few jobs wait. Where there are many lanes, it begins
    /// again at a random one, to the end and then from the beginning, until there are enough, so that no lane comes first
    /// always.
    async fn run(mut self, lanes: usize) -> Result<Ready, StoreError> {
        let mut few = (LEAST_LANES, FEW_QUERIES);
        let (first, last) = (Stage::Pending.begin(), Stage::Pending.end());
        if self.range(first.clone(), &last, &mut few).await? {
            return Ok(self.found);
        }
        self.found.jobs.clear();
        self.found.is_cut = false;
        let middle = active::lane_begin(self.look.from);
        let mut budget = (lanes, QUERIES);
        for (first, last) in [(middle.clone(), last), (first, middle)] {
            if !self.range(first, &last, &mut budget).await? {
                self.found.all = false;
                break;
            }
        }
        Ok(self.found)
    }

    /// Reads the lanes of a range; returns whether it came to its end within the budget of lanes and queries.
    /// A page that has nothing readable ends it too.
    async fn range(&mut self, mut first: String, last: &str, budget: &mut (usize, usize)) -> Result<bool, StoreError> {
        while first.as_str() < last {
            if budget.0 == 0 || budget.1 == 0 {
                return Ok(false);
            }
            budget.1 -= 1;
            let (mut found, is_last) = self.page(&first, last).await?;
            if let (false, Some(cut)) = (is_last, found.last().map(|entry| entry.class)) {
                // The page may end within a lane. If it has other lanes too, this one is read from its beginning next.
                let whole = found.iter().position(|entry| entry.class.lane == cut.lane).unwrap_or_default();
                first = if whole > 0 {
                    found.truncate(whole);
                    cut.lane_begin()
                } else if found.last().is_some_and(|entry| entry.at <= self.look.now) {
                    // Behind jobs that may start, a lane has only jobs of lower priority, and younger ones.
                    self.found.is_cut = true;
                    cut.lane_end()
                } else {
                    // The other jobs of this priority may start later, too.
                    cut.end()
                };
            } else if !is_last {
                return Ok(false);
            }
            self.keep(found, budget);
            if is_last {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Keeps the jobs that may start, and counts their lanes.
    fn keep(&mut self, found: Vec<Entry>, budget: &mut (usize, usize)) {
        let mut lane = None;
        for Entry { id, class, at, .. } in found {
            if at > self.look.now {
                continue;
            }
            if lane.replace(class.lane) != Some(class.lane) {
                budget.0 = budget.0.saturating_sub(1);
            }
            self.found.jobs.push(Waiting { job: id, lane: class.lane, priority: class.priority, ready_at: at });
        }
    }

    /// The first entries of a range, and whether it has no others.
    async fn page(&self, first: &str, last: &str) -> Result<(Vec<Entry>, bool), StoreError> {
        let values = active::range(self.partition.clone(), first, last);
        let limit = i32::try_from(self.look.each).unwrap_or(i32::MAX);
        let query = self.items.query("by-active", active::RANGE, &values).limit(limit);
        let answer = query.send().await.map_err(|error| store_error("find waiting jobs", error))?;
        let items = answer.items();
        Ok((items.iter().filter_map(Entry::read).collect(), items.len() < self.look.each))
    }
}
