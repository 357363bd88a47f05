//! WebSocket connections in memory: their table, their sockets, and the live events that viewers follow.

mod connections;
mod sockets;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::live::ports::{LivePorts, last_start};
use reelhook_app::live::subjects::{Current, Subjects};
use reelhook_app::outbox::fanout::Viewers;
use reelhook_app::outbox::messages::{LiveMessage, Push};
use reelhook_app::outbox::rows::{LiveRow, StoredLive};
use reelhook_app::store::StoreError;
use reelhook_app::views::Dialect;
use reelhook_app::watch::LiveStore;
use reelhook_domain::{JobSnapshot, Live, LiveSnapshot, OwnerId, Status, Subject, Timestamp};

use crate::faults::Faults;
use crate::queue::MemoryQueue;
use crate::world::World;

pub use connections::MemoryConnections;
pub use sockets::MemorySockets;

/// Whether there are viewers, as the test says.
#[derive(Debug, Default)]
pub struct MemoryViewers(Mutex<bool>);

#[async_trait]
impl Viewers for MemoryViewers {
    async fn note(&self, _: Timestamp) -> Result<(), StoreError> {
        *self.0.lock().unwrap() = true;
        Ok(())
    }

    async fn any(&self, _: Timestamp) -> Result<bool, StoreError> {
        Ok(*self.0.lock().unwrap())
    }
}

/// Jobs with their live events, and those who follow them.
pub struct MemoryLive {
    /// The clock and the random source.
    pub world: Arc<World>,
    /// Connections and what they follow.
    pub connections: MemoryConnections,
    /// The open connections.
    pub sockets: MemorySockets,
    /// Whether there are viewers.
    pub viewers: MemoryViewers,
    /// The Live queue.
    pub hints: MemoryQueue<LiveMessage>,
    /// Failures to come: `live_since`.
    pub faults: Faults,
    last_start: Mutex<Timestamp>,
    jobs: Mutex<BTreeMap<Subject, Current>>,
    rows: Mutex<BTreeMap<(Subject, u64), LiveRow>>,
}

impl Default for MemoryLive {
    fn default() -> Self {
        let world = Arc::new(World::default());
        Self {
            connections: MemoryConnections::default(),
            sockets: MemorySockets::new(Arc::clone(&world)),
            viewers: MemoryViewers::default(),
            hints: MemoryQueue::new(Arc::clone(&world)),
            faults: Faults::default(),
            last_start: Mutex::new(last_start(None)),
            jobs: Mutex::default(),
            rows: Mutex::default(),
            world,
        }
    }
}

impl MemoryLive {
    /// The ports of live updates.
    pub fn ports(&self) -> LivePorts<'_> {
        LivePorts {
            connections: &self.connections,
            following: &self.connections,
            leases: &self.connections,
            slots: &self.connections,
            sockets: &self.sockets,
            subjects: self,
            live: self,
            viewers: &self.viewers,
            hints: &self.hints,
            clock: &*self.world,
            last_start: *self.last_start.lock().unwrap(),
        }
    }

    /// Sets the time after which invocations begin and send nothing.
    pub fn stop_at(&self, last_start: Timestamp) {
        *self.last_start.lock().unwrap() = last_start;
    }

    /// Something happens to a job now: its next version has a live event. Returns what fanout sends then.
    ///
    /// # Panics
    /// When the id or the owner is none.
    pub fn happens(&self, job: &str, owner: Option<&str>, ends: bool) -> LiveMessage {
        let subject = Subject::parse(job).expect("an id");
        let owner = owner.map(|owner| OwnerId::parse(owner).expect("an owner"));
        let now = self.world.now();
        let mut jobs = self.jobs.lock().unwrap();
        let before = jobs.get(&subject).map_or(0, |current| current.live_version);
        let snapshot = LiveSnapshot::Job(JobSnapshot {
            status: if ends { Status::Completed } else { Status::Processing },
            progress: u8::try_from(before).unwrap_or(100),
            current_step: "Rendering".to_owned(),
            video_url: None,
            error: None,
            render_id: None,
            step_details: BTreeMap::new(),
        });
        let row = LiveRow { after: before, at: now, events: vec![Live::Job], snapshot };
        self.rows.lock().unwrap().insert((subject.clone(), before + 1), row);
        let current = Current {
            subject: subject.clone(),
            dialect: Dialect::StreamGank,
            owner: owner.clone(),
            live_version: before + 1,
            has_ended: ends,
            updated_at: now,
        };
        jobs.insert(subject.clone(), current);
        LiveMessage::Push(Push { subject, owner, terminal: ends })
    }

    /// Removes the live events of a job up to a version, as they expire.
    ///
    /// # Panics
    /// When the id is none.
    pub fn expire(&self, job: &str, up_to: u64) {
        let subject = Subject::parse(job).expect("an id");
        self.rows.lock().unwrap().retain(|(of, version), _| *of != subject || *version > up_to);
    }
}

#[async_trait]
impl Subjects for MemoryLive {
    async fn current(&self, subject: &Subject) -> Result<Option<Current>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.jobs.lock().unwrap().get(subject).cloned())
    }
}

#[async_trait]
impl LiveStore for MemoryLive {
    async fn live_since(
        &self,
        subject: &Subject,
        after: u64,
        limit: i32,
    ) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("live_since")?;
        let rows = self.rows.lock().unwrap();
        let found = rows.iter().filter(|((of, version), _)| of == subject && *version > after);
        let found = found.map(|((_, version), row)| (*version, StoredLive::Events(row.clone())));
        done.answer(found.take(usize::try_from(limit).unwrap_or_default()).collect())
    }

    async fn written_at(&self, subject: &Subject, version: u64) -> Result<Option<Timestamp>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.rows.lock().unwrap().get(&(subject.clone(), version)).map(|row| row.at))
    }
}
