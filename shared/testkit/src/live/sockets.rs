//! Open connections in memory: they record what was sent, and fail as the test says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::live::ports::{Posted, Sockets};
use serde_json::Value;

use crate::world::World;

/// The open connections.
#[derive(Debug, Default)]
pub struct MemorySockets {
    world: Arc<World>,
    sent: Mutex<Vec<(String, Value)>>,
    gone: Mutex<BTreeSet<String>>,
    stuck: Mutex<BTreeSet<String>>,
    failures: Mutex<BTreeMap<String, usize>>,
    slow: Mutex<BTreeMap<String, Duration>>,
}

impl MemorySockets {
    /// No connections, in the time of `world`.
    pub fn new(world: Arc<World>) -> Self {
        Self { world, ..Self::default() }
    }

    /// Lets each message over a connection take this time.
    pub fn slow_down(&self, connection: &str, time: Duration) {
        self.slow.lock().unwrap().insert(connection.to_owned(), time);
    }

    /// Whether a connection is closed.
    pub fn is_closed(&self, connection: &str) -> bool {
        self.gone.lock().unwrap().contains(connection)
    }

    /// What was sent over a connection, in order.
    pub fn sent_to(&self, connection: &str) -> Vec<Value> {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|(to, _)| to == connection).map(|(_, message)| message.clone()).collect()
    }

    /// Closes a connection.
    pub fn close(&self, connection: &str) {
        self.gone.lock().unwrap().insert(connection.to_owned());
    }

    /// Lets messages over a connection wait until [`Self::go_on`].
    pub fn stick(&self, connection: &str) {
        self.stuck.lock().unwrap().insert(connection.to_owned());
    }

    /// Ends the wait of a connection.
    pub fn go_on(&self, connection: &str) {
        self.stuck.lock().unwrap().remove(connection);
    }

    /// Lets the next messages over a connection fail.
    pub fn fail(&self, connection: &str, times: usize) {
        self.failures.lock().unwrap().insert(connection.to_owned(), times);
    }

    fn is_stuck(&self, connection: &str) -> bool {
        self.stuck.lock().unwrap().contains(connection)
    }

    fn fails(&self, connection: &str) -> bool {
        match self.failures.lock().unwrap().get_mut(connection) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

#[async_trait]
impl Sockets for MemorySockets {
    async fn post(&self, connection: &str, text: &str) -> Posted {
        tokio::task::yield_now().await;
        while self.is_stuck(connection) {
            tokio::task::yield_now().await;
        }
        if self.is_closed(connection) {
            return Posted::Gone;
        }
        let time = self.slow.lock().unwrap().get(connection).copied();
        self.world.advance(time.unwrap_or_default());
        if self.fails(connection) {
            return Posted::Failed("injected by a test".to_owned());
        }
        let message = serde_json::from_str(text).expect("messages are JSON");
        self.sent.lock().unwrap().push((connection.to_owned(), message));
        Posted::Done
    }

    async fn disconnect(&self, connection: &str) {
        tokio::task::yield_now().await;
        self.close(connection);
    }
}
