//! `fanout`: batches of the stream become rows, counts, free slots and hints.

use std::collections::BTreeMap;

use super::admission::Item;
use super::batch::{Batch, Stage};
use super::{CODE, Event, READ, RETRY, SEND, TRANSACTION, WEBHOOKS, WRITE, World};
use crate::agenda::{Micros, SECOND};
use crate::cloud::pool::Function;
use crate::cloud::stream::{BATCH, Kind, POLL, Record};
use crate::design::Claims;
use crate::limits::Limit;

/// How long one batch may take.
const TIMEOUT: Micros = 25 * SECOND;
/// Messages that one invocation of the dispatcher gets.
const MESSAGES: u32 = 10;
/// How long a freed slot causes a hint after a launcher left jobs waiting.
const WAITED_FOR: Micros = 3_600 * SECOND;

impl World {
    /// Polls a lane, and begins a batch if it has records.
    pub(super) fn poll(&mut self, lane: usize) {
        let count = self.cloud.stream.lanes[lane].records.len().min(BATCH);
        if count == 0 {
            self.cloud.stream.lanes[lane].is_active = false;
            return;
        }
        if !self.cloud.stream.is_next(lane) {
            return self.agenda.after(POLL, Event::Poll(lane));
        }
        let Some(wait) = self.begin(Function::Fanout) else { return self.agenda.after(POLL, Event::Poll(lane)) };
        let fanout = self.design.fanout;
        let of_kind = |kind: fn(Kind) -> bool| {
            let records = self.cloud.stream.lanes[lane].records.iter().take(count);
            records.filter(|record| kind(record.kind)).count() as u32
        };
        let ended = of_kind(|kind| kind == Kind::Ended);
        let created = of_kind(|kind| kind == Kind::Created);
        let notified = of_kind(Kind::notifies);
        let batch = self.batches.add(Batch {
            lane,
            count,
            stage: Stage::Rows,
            began: self.agenda.now(),
            attempts: 0,
            logs: if fanout.every_version { count as u32 } else { ended * fanout.log_rows },
            deliveries: notified * fanout.entries,
            uncounted: ended,
            version: 0,
            hints: created,
        });
        self.agenda.after(wait + CODE, Event::Batch(batch));
    }

    /// Goes on with a batch.
    pub(super) fn fan_out(&mut self, batch: usize) {
        if self.agenda.now() > self.batches.of(batch).began + TIMEOUT {
            return self.end_batch(batch, false);
        }
        match self.batches.of(batch).stage {
            Stage::Rows => self.write_rows(batch),
            Stage::Counts => self.count_ended(batch),
            Stage::ReadSlots => self.read_freed(batch),
            Stage::FreeSlots => self.free_slots(batch),
            Stage::Hints => self.send_hints(batch),
        }
    }

    fn write_rows(&mut self, batch: usize) {
        let (logs, deliveries) = (self.batches.of(batch).logs, self.batches.of(batch).deliveries);
        let logs = self.write_by_day(Limit::LogIndex, logs);
        let deliveries = self.write_by_day(Limit::DeliveryIndex, deliveries);
        let took = self.random.about(WRITE);
        let writer = self.batches.of(batch);
        (writer.logs, writer.deliveries) = (logs, deliveries);
        if logs + deliveries > 0 {
            return self.retry_batch(batch, took);
        }
        self.next_stage(batch, Stage::Counts, took);
    }

    /// Writes rows with an entry in an index by day; returns how many were throttled.
    fn write_by_day(&mut self, limit: Limit, rows: u32) -> u32 {
        let (now, holds) = (self.agenda.now(), self.holds(limit));
        let (cloud, random) = (&mut self.cloud, &mut self.random);
        let index = if limit == Limit::LogIndex { &mut cloud.logs } else { &mut cloud.deliveries };
        let mut left = 0;
        for _ in 0..rows {
            let shard = random.below(index.len());
            if holds && index[shard].is_behind(now) {
                left += 1;
            } else if holds {
                index[shard].write(now, 1.0);
            }
        }
        if left > 0 {
            self.stops.add(limit);
        }
        left
    }

    /// Counts ended jobs, one transaction after the other; each attempt is at another row, if there are several.
    fn count_ended(&mut self, batch: usize) {
        if self.batches.of(batch).uncounted == 0 {
            return self.next_stage(batch, Stage::ReadSlots, 0);
        }
        let (now, took) = (self.agenda.now(), self.random.about(TRANSACTION));
        let row = match self.design.fanout.counters {
            1 => 0,
            several => self.random.below(several),
        };
        if self.holds(Limit::EndedConflicts) && now < self.admission.ended[row].locked_until {
            self.stops.add(Limit::EndedConflicts);
            return self.retry_batch(batch, took);
        }
        if self.holds(Limit::EndedCounts) && !self.admission.ended[row].writes.take(now, 2.0) {
            self.stops.add(Limit::EndedCounts);
            return self.retry_batch(batch, took);
        }
        self.admission.ended[row].locked_until = now + took;
        let together = self.design.fanout.counted_together;
        let batch_of = self.batches.of(batch);
        batch_of.uncounted -= batch_of.uncounted.min(together);
        self.next_stage(batch, Stage::Counts, took);
    }

    /// Reads the item, or the rows that granted the slots of a batch.
    fn read_freed(&mut self, batch: usize) {
        let rows = self.rows_of(batch);
        if rows.is_empty() {
            return self.next_stage(batch, Stage::Hints, 0);
        }
        let now = self.agenda.now();
        let (is_read, version) = match self.design.claims {
            Claims::OneByOne => (self.read_slots(now, true), self.admission.item.version),
            Claims::InBatches => (self.read_rows(rows.into_keys(), now, true), now),
        };
        let took = self.random.about(READ);
        if !is_read {
            return self.retry_batch(batch, took);
        }
        self.batches.of(batch).version = version;
        self.batches.of(batch).stage = Stage::FreeSlots;
        self.agenda.after(took, Event::Batch(batch));
    }

    /// The records of a batch that free slots, by the rows that granted those.
    fn rows_of(&mut self, batch: usize) -> BTreeMap<usize, Vec<Record>> {
        let mut rows: BTreeMap<usize, Vec<Record>> = BTreeMap::new();
        for record in self.records(batch).filter(|record| record.kind.frees()) {
            rows.entry(record.slot.row as usize).or_default().push(*record);
        }
        rows
    }

    /// Reads some rows; false if that is throttled.
    fn read_rows(&mut self, rows: impl Iterator<Item = usize>, now: Micros, is_consistent: bool) -> bool {
        if !self.holds(Limit::AdmissionReads) {
            return true;
        }
        let mut is_read = true;
        for row in rows {
            is_read &= self.admission.rows[row].read(now, is_consistent);
        }
        if !is_read {
            self.stops.add(Limit::AdmissionReads);
        }
        is_read
    }

    fn free_slots(&mut self, batch: usize) {
        let (now, took) = (self.agenda.now(), self.random.about(WRITE));
        let is_free = match self.design.claims {
            Claims::OneByOne => self.free_in_item(batch, now, took),
            Claims::InBatches => self.free_in_rows(batch, now, took),
        };
        if !is_free {
            self.stops.add(Limit::Admission);
            self.batches.of(batch).stage = Stage::ReadSlots;
            return self.retry_batch(batch, took);
        }
        self.next_stage(batch, Stage::Hints, took);
    }

    /// Removes slots from the admission item on condition of its version; false after a conflict or a throttle.
    fn free_in_item(&mut self, batch: usize, now: Micros, took: Micros) -> bool {
        let version = self.batches.of(batch).version;
        let units = Item::units(self.ledger.used);
        let item = &mut self.admission.item;
        let is_late = item.version != version || now < item.locked_until;
        if self.load.limits.hold(Limit::Admission) && (is_late || !item.writes.take(now, units)) {
            return false;
        }
        (item.version, item.locked_until) = (item.version + 1, now + took);
        // Names of slots: those that were removed before stay as they are.
        let freed: Vec<Record> = self.records(batch).filter(|record| record.kind.frees()).copied().collect();
        for record in freed {
            if !self.is_freed(&record) {
                self.freed(&record);
            }
        }
        self.batches.of(batch).hints += self.slots(batch);
        true
    }

    /// Reads the item or all rows; false if that is throttled.
    pub(super) fn read_slots(&mut self, now: Micros, is_consistent: bool) -> bool {
        if !self.holds(Limit::AdmissionReads) {
            return true;
        }
        match self.design.claims {
            Claims::OneByOne => {
                let is_read = self.admission.item.reads.take(now, Item::read_units(self.ledger.used));
                if !is_read {
                    self.stops.add(Limit::AdmissionReads);
                }
                is_read
            }
            Claims::InBatches => self.read_rows(0..self.design.rows, now, is_consistent),
        }
    }

    /// How many slots a batch gives back.
    fn slots(&mut self, batch: usize) -> u32 {
        self.records(batch).filter(|record| record.kind.frees()).count() as u32
    }

    fn is_freed(&self, record: &Record) -> bool {
        self.jobs[record.job as usize].freed & 1 << record.slot.claim != 0
    }

    /// Frees slots in the rows that granted them; false if a row has changed since it was read, or is throttled.
    fn free_in_rows(&mut self, batch: usize, now: Micros, took: Micros) -> bool {
        let read_at = self.batches.of(batch).version;
        let rows = self.rows_of(batch);
        let is_first = rows.keys().eq([&0]);
        let holds = self.holds(Limit::Admission);
        let mut is_free = true;
        for (number, mut records) in rows {
            // A number that is free stays free, whatever is replayed.
            records.retain(|record| !self.is_freed(record));
            if records.is_empty() {
                continue;
            }
            let row = &mut self.admission.rows[number];
            let units = row.units();
            if holds && (row.changed_at > read_at || now < row.locked_until || !row.writes.take(now, units)) {
                is_free = false;
                continue;
            }
            (row.changed_at, row.locked_until) = (now + 1, now + took);
            row.used -= records.len() as i64;
            records.iter().for_each(|record| self.freed(record));
        }
        // The first row says whether jobs wait. It is read after others were written.
        if !is_free || !(is_first || self.read_rows(std::iter::once(0), now, true)) {
            return false;
        }
        if self.left_at.is_some_and(|at| now - at < WAITED_FOR) {
            self.batches.of(batch).hints += self.slots(batch);
        }
        true
    }

    fn freed(&mut self, record: &Record) {
        if self.is_freed(record) {
            self.ledger.violated(|| format!("slot {} of job {} was given back twice", record.slot.claim, record.job));
        }
        self.jobs[record.job as usize].freed |= 1 << record.slot.claim;
        self.fairness.holds(self.jobs[record.job as usize].owner, -1);
        self.ledger.used -= 1;
        self.ledger.unfreed -= 1;
    }

    fn send_hints(&mut self, batch: usize) {
        let hints = self.batches.of(batch).hints;
        (0..hints).for_each(|_| self.hint());
        let notified = self.records(batch).filter(|record| record.kind.notifies()).count() as u32;
        let webhooks = (notified * self.design.fanout.messages).div_ceil(MESSAGES);
        if webhooks > 0 {
            self.agenda.after(SEND, Event::Dispatch(webhooks));
        }
        let is_killed = self.random.chance(self.load.faults.replay);
        self.counts.replays += u64::from(is_killed);
        self.end_batch(batch, !is_killed);
    }

    fn end_batch(&mut self, batch: usize, succeeded: bool) {
        let Batch { lane, count, .. } = *self.batches.of(batch);
        self.batches.remove(batch);
        self.end(Function::Fanout, !succeeded);
        if succeeded {
            let ended = self.cloud.stream.done(lane, count) as u64;
            let is_measured = (self.load.warm_up..self.load.last_submission()).contains(&self.agenda.now());
            self.ledger.done += ended as i64;
            self.counts.finished += if is_measured { ended } else { 0 };
        }
        self.agenda.after(SEND, Event::Poll(lane));
    }

    /// Sends webhooks.
    pub(super) fn dispatch(&mut self, batches: u32) {
        for sent in 0..batches {
            let Some(wait) = self.begin(Function::Dispatcher) else {
                return self.agenda.after(SECOND, Event::Dispatch(batches - sent));
            };
            let took = self.random.about(WEBHOOKS);
            self.agenda.after(wait + took, Event::Dispatched);
        }
    }

    fn records(&mut self, batch: usize) -> impl Iterator<Item = &Record> {
        let Batch { lane, count, .. } = *self.batches.of(batch);
        self.cloud.stream.lanes[lane].records.iter().take(count)
    }

    fn next_stage(&mut self, batch: usize, stage: Stage, took: Micros) {
        let next = self.batches.of(batch);
        (next.stage, next.attempts) = (stage, 0);
        self.agenda.after(took, Event::Batch(batch));
    }

    fn retry_batch(&mut self, batch: usize, took: Micros) {
        let failed = self.batches.of(batch);
        failed.attempts += 1;
        let wait = self.random.backoff(RETRY.0, RETRY.1, failed.attempts - 1);
        self.agenda.after(took + wait, Event::Batch(batch));
    }
}
