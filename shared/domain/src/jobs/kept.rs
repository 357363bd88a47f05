//! What a job keeps of its log and its live events, until it is packed into rows.

use std::collections::BTreeMap;

use crate::{Effect, History, HistorySource, Job, JobSnapshot, Live, LiveSnapshot, Recorded};

impl Job {
    /// Its state in this version, as far as these live events show it.
    pub fn live_snapshot(&self, events: &[Live]) -> LiveSnapshot {
        let shows = |one: fn(&Live) -> bool| events.iter().any(one);
        let shows_error = shows(|event| matches!(event, Live::Job | Live::RenderFailed));
        let shows_video = shows(|event| matches!(event, Live::RenderCompleted));
        let shows_render = shows(|event| matches!(event, Live::Step { .. }));
        let steps = self.run.engine.steps();
        let mut step_details = BTreeMap::new();
        for event in events {
            if let Live::Step { number, details: true, .. } = event
                && let Some(details) = steps.and_then(|steps| steps.records.get(number)?.details.as_ref())
            {
                step_details.insert(*number, details.clone());
            }
        }
        LiveSnapshot::Job(JobSnapshot {
            status: self.status,
            progress: self.run.progress,
            current_step: self.run.caption.clone(),
            video_url: self.run.video_url.clone().filter(|_| shows_video),
            error: self.run.error.clone().filter(|_| shows_error),
            render_id: self.render_id().cloned().filter(|_| shows_render),
            step_details,
        })
    }

    /// What the item keeps: its history and what this version logged and showed, the oldest first. Nothing if the job is
    /// deleted, or if each of its lines has a row.
    pub fn kept(&self) -> Vec<Recorded> {
        let Some(history) = self.history.as_ref().filter(|_| self.deleted_at.is_none()) else { return Vec::new() };
        let recorded = Some(self.recorded()).filter(|recorded| !recorded.is_empty());
        history.versions().iter().map(|version| Recorded::clone(version)).chain(recorded).collect()
    }

    /// The last version that the item has left out, since it is in rows; 0 for none.
    pub fn kept_since(&self) -> u64 {
        let history = self.history.as_ref().filter(|_| self.deleted_at.is_none());
        history.map_or(self.version, History::since)
    }

    /// What this version logged and showed.
    fn recorded(&self) -> Recorded {
        self.recorded_of(self.outbox.clone())
    }

    /// What this version logged and showed, of its outbox.
    fn recorded_of(&self, outbox: Vec<Effect>) -> Recorded {
        Recorded::of(self.version, self.updated_at, outbox, |events| self.live_snapshot(events))
    }

    /// Whether what it keeps is to be packed with this version: when it has ended, or keeps as much as it may.
    pub(super) fn packs(&self) -> bool {
        let Some(history) = self.history.as_ref().filter(|_| self.deleted_at.is_none()) else { return false };
        let recorded = self.recorded();
        let keeps = !history.unpacked().is_empty() || !recorded.is_empty();
        keeps && (self.status.is_final() || history.is_full_with(&recorded))
    }

    /// Makes the history that of the next version, which has an outbox of its own: what is recorded of this one moves.
    pub(super) fn advance_history(&mut self) {
        let outbox = std::mem::take(&mut self.outbox);
        let packs = outbox.contains(&Effect::PackHistory);
        self.history = Some(match self.history.take() {
            Some(history) if packs => history.packed_with(self.recorded_of(outbox)),
            Some(history) => history.with(self.recorded_of(outbox)),
            None => History::after(self.version),
        });
    }
}

impl HistorySource for Job {
    fn keeps_history(&self) -> bool {
        self.history.is_some()
    }

    fn unpacked(&self) -> Vec<Recorded> {
        let packed = self.history.as_ref().map_or(0, History::packed);
        self.kept().into_iter().filter(|recorded| recorded.version > packed).collect()
    }

    fn packed(&self) -> Vec<Recorded> {
        let packed = self.history.as_ref().map_or(0, History::packed);
        self.kept().into_iter().filter(|recorded| recorded.version <= packed).collect()
    }

    fn restore_history(&mut self, before: &Self) {
        let mut before = before.clone();
        before.advance_history();
        let keeps = before.history.as_ref().is_some_and(|history| !history.unpacked().is_empty());
        if self.history.is_none() && keeps {
            self.history = before.history;
            self.outbox.push(Effect::PackHistory);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::jobs::decide::{NewJob, create};
    use crate::{Aggregate, Decision, Event, JobId, JobKind, Metadata, Origin, Policy, Request, StepStatus, Timestamp};
    use serde_json::{Value, json};

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn job() -> Job {
        let request = Request {
            input: Value::Null,
            pause_after_extraction: false,
            callback: None,
            metadata: Metadata::default(),
            priority: Default::default(),
        };
        let id = JobId::parse("job_1").unwrap();
        let new = NewJob { id, kind: JobKind::Workflow, request, plan: None, origin: Origin::default(), usage: false };
        create(new, NOON, &Policy::default())
    }

    fn after(job: &Job, event: &Event, seconds: u64) -> Job {
        match job.decide(event, NOON.after(Duration::from_secs(seconds)), &Policy::default()) {
            Decision::Apply(next) => *next,
            other => panic!("{event:?}: {other:?}"),
        }
    }

    fn report(sequence: i64, details: Option<Value>) -> Event {
        let update = crate::StepUpdate {
            number: 1,
            name: "Database Extraction".to_owned(),
            status: StepStatus::Started,
            key: None,
            sequence,
            stage: None,
            details,
            duration: None,
            extracted: None,
            render_id: None,
            video_url: None,
            error: None,
            workflow_failed: false,
        };
        Event::Step { attempt: Some(1), update }
    }

    fn versions(kept: &[Recorded]) -> Vec<u64> {
        kept.iter().map(|recorded| recorded.version).collect()
    }

    #[test]
    fn a_running_job_keeps_each_version_once_and_its_end_packs_all_of_them() {
        let first = job();
        assert_eq!(versions(&first.kept()), [1]);
        let running = after(&first, &report(1, None), 1);
        assert_eq!(versions(&running.kept()), [1, 2]);
        let ended = after(&running, &Event::Cancel, 2);
        assert_eq!((versions(&ended.kept()), ended.kept_since()), (vec![1, 2, 3], 0));
        assert_eq!(ended.outbox.last(), Some(&Effect::PackHistory));
        assert_eq!(ended.kept()[0], first.kept()[0], "what was kept stays as it was");
        assert_eq!(ended.kept()[1], running.kept()[1]);
    }

    #[test]
    fn a_packed_history_stays_until_the_next_one_is_packed_and_late_lines_are_packed_alone() {
        let ended = after(&job(), &Event::Cancel, 1);
        let archived = after(&ended, &Event::LogArchived, 2);
        assert_eq!((archived.kept(), archived.kept_since()), (ended.kept(), 0), "fanout may be behind");
        assert_eq!((archived.packed(), ended.packed()), (ended.unpacked(), Vec::new()), "it makes the same rows");
        assert!(!archived.outbox.contains(&Effect::PackHistory), "there is nothing to pack");
        let stored = serde_json::to_value(&archived.history).unwrap();
        assert_eq!((&stored["since"], &stored["packed"], stored.get("bytes")), (&json!(0), &json!(2), None));
        let deleted = after(&archived, &Event::Delete, 3);
        assert_eq!((deleted.kept(), deleted.outbox.contains(&Effect::PackHistory)), (Vec::new(), false));
        let mut failed = after(&job(), &Event::RunFailed { attempt: 1, error: "Insufficient credits".to_owned() }, 1);
        assert_eq!(failed.outbox.last(), Some(&Effect::PackHistory), "{failed:?}");
        failed = after(&failed, &Event::Retry, 60);
        assert_eq!((versions(&failed.kept()), failed.kept_since()), (vec![1, 2, 3], 0));
        failed = after(&failed, &Event::Cancel, 61);
        assert_eq!((versions(&failed.kept()), versions(&failed.unpacked())), (vec![1, 2, 3, 4], vec![3, 4]));
        assert_eq!(failed.outbox.last(), Some(&Effect::PackHistory));
        failed = after(&failed, &Event::LogArchived, 62);
        assert_eq!((versions(&failed.kept()), failed.kept_since()), (vec![3, 4], 2), "the first ones are in rows");
        assert_eq!(versions(&failed.packed()), [3, 4]);
    }

    #[test]
    fn a_long_history_and_one_of_large_details_are_packed_while_the_job_runs() {
        let mut running = job();
        let (mut packed, mut last): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
        for n in 1..200 {
            running = after(&running, &report(n, None), n as u64);
            let kept = versions(&running.kept());
            assert!(kept.len() <= 128 && running.unpacked().len() <= 64, "{}", kept.len());
            assert!(kept.starts_with(&last), "readers need the last pack until the next one: {last:?}, {kept:?}");
            assert_eq!(kept.first(), Some(&(running.kept_since() + 1)), "what is not kept was packed before that");
            if running.outbox.contains(&Effect::PackHistory) {
                last = versions(&running.unpacked());
                packed.extend(last.clone());
            }
        }
        assert!(!running.outbox.contains(&Effect::PackHistory), "the last version keeps what is not packed");
        packed.extend(versions(&running.unpacked()));
        assert_eq!(packed, (1..=200).collect::<Vec<_>>(), "each version is packed or kept, once");
        let details = json!({ "text": "x".repeat(15_900) });
        let mut large = vec![job()];
        for n in 1..=3 {
            large.push(after(&large[large.len() - 1], &report(n, Some(details.clone())), n as u64));
        }
        assert!(large.iter().any(|job| job.outbox.contains(&Effect::PackHistory)));
    }

    #[test]
    fn a_history_that_an_older_function_left_out_is_packed_from_the_version_before() {
        let before = after(&job(), &report(1, None), 1);
        let by_older = Job { history: None, ..after(&before, &report(2, None), 2) };
        let mut restored = by_older.clone();
        restored.restore_history(&before);
        assert_eq!(versions(&restored.kept()), [1, 2, 3]);
        assert_eq!(restored.outbox.last(), Some(&Effect::PackHistory));
        let next = after(&by_older, &report(3, None), 3);
        assert_eq!((versions(&next.kept()), next.kept_since()), (vec![4], 3), "the older versions are in rows");
        let mut whole = before.clone();
        whole.restore_history(&job());
        assert_eq!(whole, before, "nothing was left out");
        let ended = after(&before, &Event::Cancel, 2);
        let mut late = Job { history: None, ..after(&ended, &Event::LogArchived, 3) };
        late.restore_history(&ended);
        assert_eq!(late.history, None, "what was packed needs no rescue");
    }

    #[test]
    fn a_history_with_a_type_that_only_a_newer_version_knows_is_read_and_written_as_it_is() {
        let running = after(&job(), &report(1, None), 1);
        let mut stored = serde_json::to_value(&running.history).unwrap();
        stored["versions"][0]["lines"][0]["event_type"] = json!("job_paused");
        let read: Option<History> = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(read.as_ref().map(|history| &*history.versions()[0].lines[0].event), Some("job_paused"));
        assert_eq!(serde_json::to_value(read).unwrap(), stored);
    }
}
