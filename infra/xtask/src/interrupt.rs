//! Ctrl-C and SIGTERM: a handler sets a flag, and every wait checks it, so that the program can stop its processes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};

static STOP_REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// How often a pause checks the flag.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A signal requested this program to stop.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// From now on the signals set the flag instead of ending the program.
pub fn watch() -> anyhow::Result<()> {
    let requested = STOP_REQUESTED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, requested.clone()).context("watch for signals")?;
    }
    Ok(())
}

/// Fails with [`Interrupted`] after a signal.
pub fn check() -> anyhow::Result<()> {
    match STOP_REQUESTED.get().is_some_and(|requested| requested.load(Ordering::Relaxed)) {
        true => Err(Interrupted.into()),
        false => Ok(()),
    }
}

/// Waits for `time`, or fails with [`Interrupted`] on a signal.
pub fn pause(time: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + time;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(POLL_INTERVAL));
    }
}

/// Polls `ready` at an interval until it returns a value; returns none after `timeout`.
pub fn wait_for<T>(
    timeout: Duration,
    interval: Duration,
    mut ready: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(value) = ready()? {
            return Ok(Some(value));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        pause(interval)?;
    }
}
