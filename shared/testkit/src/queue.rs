//! A queue of hints in memory: delays in the world's time, entries that fail one by one, and purging.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::messages::{Delayed, Hints};
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

use crate::faults::Faults;
use crate::world::World;

/// A message and when it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued<M> {
    /// What.
    pub message: M,
    /// Not before.
    pub at: Timestamp,
}

/// A queue; the operation `send` fails for each entry.
#[derive(Debug)]
pub struct MemoryQueue<M> {
    world: Arc<World>,
    waiting: Mutex<Vec<Queued<M>>>,
    sent: Mutex<Vec<Delayed<M>>>,
    /// Failures in the order of entries.
    pub faults: Faults,
}

impl<M: Clone> MemoryQueue<M> {
    /// An empty queue in the time of `world`.
    pub fn new(world: Arc<World>) -> Self {
        Self { world, waiting: Mutex::default(), sent: Mutex::default(), faults: Faults::default() }
    }

    /// Takes the messages that show now, in the order in which they show.
    pub fn receive(&self) -> Vec<M> {
        let now = self.world.now();
        let mut waiting = self.waiting.lock().unwrap();
        let (mut due, later): (Vec<_>, Vec<_>) = waiting.drain(..).partition(|queued| queued.at <= now);
        *waiting = later;
        due.sort_by_key(|queued| queued.at);
        due.into_iter().map(|queued| queued.message).collect()
    }

    /// What is in the queue, shown or not.
    pub fn waiting(&self) -> Vec<Queued<M>> {
        self.waiting.lock().unwrap().clone()
    }

    /// Everything that was ever taken in.
    pub fn sent(&self) -> Vec<Delayed<M>> {
        self.sent.lock().unwrap().clone()
    }

    /// Drops all messages.
    pub fn purge(&self) {
        self.waiting.lock().unwrap().clear();
    }

    /// Keeps the messages that `keep` says, in order.
    pub fn retain(&self, mut keep: impl FnMut(&M) -> bool) {
        self.waiting.lock().unwrap().retain(|queued| keep(&queued.message));
    }
}

#[async_trait]
impl<M: Clone + Send + Sync + 'static> Hints<M> for MemoryQueue<M> {
    async fn send(&self, messages: Vec<Delayed<M>>) -> Vec<Result<(), StoreError>> {
        tokio::task::yield_now().await;
        let now = self.world.now();
        let send = |delayed: Delayed<M>| {
            let done = self.faults.check("send")?;
            assert!(delayed.delay_s <= 900, "SQS takes no delay of {} s", delayed.delay_s);
            let at = now.after(Duration::from_secs(u64::from(delayed.delay_s)));
            self.waiting.lock().unwrap().push(Queued { message: delayed.message.clone(), at });
            self.sent.lock().unwrap().push(delayed);
            done.answer(())
        };
        messages.into_iter().map(send).collect()
    }
}
