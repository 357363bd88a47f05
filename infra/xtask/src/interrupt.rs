//! Ctrl-C and SIGTERM: noted when they come, noticed wherever the program waits, so that it can stop what it started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// How long nobody looks.
const GLANCE: Duration = Duration::from_millis(20);

/// Somebody asked this program to stop.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// From here on the signals are noted in place of ending the program.
pub fn watch() -> anyhow::Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, asked.clone()).context("watch for signals")?;
    }
    Ok(())
}

/// Fails with [`Interrupted`] once a signal came.
pub fn check() -> anyhow::Result<()> {
    match ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed)) {
        true => Err(Interrupted.into()),
        false => Ok(()),
    }
}

/// Waits, unless a signal comes.
pub fn pause(time: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + time;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(GLANCE));
    }
}

/// Waits until `ready` gives a value; none after `time`.
pub fn wait_for<T>(
    time: Duration,
    every: Duration,
    mut ready: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let end = Instant::now() + time;
    loop {
        if let Some(value) = ready()? {
            return Ok(Some(value));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        pause(every)?;
    }
}
