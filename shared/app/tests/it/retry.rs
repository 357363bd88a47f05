//! Retries: waits grow exponentially, with jitter and a bound; after a conflict a caller waits before the next attempt.

use std::time::Duration;

use reelhook_app::change::change;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::toggle;
use reelhook_app::retry::Retry;
use reelhook_domain::{Event, Status};
use reelhook_testkit::{NOON, Stack, World};

/// Makes all attempts at something that never works; each takes so long. How many there were.
async fn exhaust(world: &World, attempts: u32, each: Duration) -> u32 {
    let mut retry = Retry::new(world, attempts);
    while retry.attempt().await {
        world.advance(each);
    }
    retry.made()
}

fn microseconds(waits: &[Duration]) -> Vec<u128> {
    waits.iter().map(Duration::as_micros).collect()
}

#[tokio::test]
async fn waits_double_up_to_half_a_second() {
    let check = async |fraction: f64, expected: [u128; 7]| {
        let world = World::default();
        world.set_fraction(fraction);
        assert_eq!(exhaust(&world, 8, Duration::ZERO).await, 8);
        assert_eq!(microseconds(&world.waits()), expected, "{fraction}");
    };
    check(0.5, [12_500, 25_000, 50_000, 100_000, 200_000, 250_000, 250_000]).await;
    check(0.25, [6_250, 12_500, 25_000, 50_000, 100_000, 125_000, 125_000]).await;
    check(0.0, [0; 7]).await;
}

#[tokio::test]
async fn the_first_attempt_starts_immediately_and_uses_no_randomness() {
    let world = World::default();
    for attempts in [1, 2, 20] {
        let mut retry = Retry::new(&world, attempts);
        assert!(retry.attempt().await);
        assert_eq!((retry.made(), world.waits().len(), world.drawn()), (1, 0, 0));
    }
}

#[tokio::test]
async fn attempts_are_limited() {
    for attempts in [0, 1, 5, 12] {
        assert_eq!(exhaust(&World::default(), attempts, Duration::ZERO).await, attempts);
    }
    let world = World::default();
    let mut retry = Retry::new(&world, 1);
    assert!(retry.attempt().await && !retry.attempt().await && !retry.attempt().await, "and stay ended");
}

#[tokio::test]
async fn no_attempt_starts_after_five_seconds() {
    let spent = async |fraction: f64, each: Duration| {
        let world = World::default();
        world.set_fraction(fraction);
        let made = exhaust(&world, 1000, each).await;
        (made, world.now().millis_since(NOON))
    };
    let (made, ms) = spent(0.999, Duration::ZERO).await;
    assert!((12..20).contains(&made) && (4_400..=5_000).contains(&ms), "{made} attempts in {ms} ms");
    // Attempts that take long count too.
    let (made, ms) = spent(0.0, Duration::from_secs(2)).await;
    assert_eq!((made, ms), (3, 6_000));
    let (made, _) = spent(0.0, Duration::from_secs(6)).await;
    assert_eq!(made, 1);
    // Thousands of doublings are no overflow.
    let (made, _) = spent(0.0, Duration::ZERO).await;
    assert_eq!(made, 1000);
}

#[tokio::test]
async fn a_conflict_at_a_job_waits_and_reads_it_again() {
    for conflicts in [0, 1, 2, 5] {
        let stack = Stack::default();
        stack.world.set_fraction(0.5);
        let id = stack.submit(1);
        stack.jobs.conflict(&id, conflicts);
        change(&*stack.jobs, &*stack.world, &stack.policy, &id, &Event::Claim).await.unwrap();
        assert_eq!(stack.world.waits().len(), conflicts);
        // The first conflict brings what the other one wrote; after a longer wait that may be old.
        assert_eq!(stack.jobs.faults.calls("load"), 1 + conflicts.saturating_sub(1), "{conflicts}");
    }
}

#[tokio::test]
async fn a_conflict_at_the_slots_waits() {
    let cross = |stack: &Stack, operation: &'static str, times: usize| {
        for _ in 0..times {
            stack.jobs.before(operation, |jobs| jobs.change_admission(|_| {}));
        }
    };
    let stack = Stack::with(&[], 3);
    let id = stack.submit(1);
    stack.follow_stream().await.unwrap();
    cross(&stack, "claim", 3);
    assert_eq!(stack.work().await, 1);
    assert_eq!((stack.world.waits().len(), stack.jobs.get(&id).status), (3, Status::Processing));

    // Its end gives the slot back.
    assert!(stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy));
    cross(&stack, "save_admission", 2);
    stack.follow_stream().await.unwrap();
    assert_eq!((stack.world.waits().len(), stack.jobs.admission_item().active.len()), (5, 0));

    cross(&stack, "save_admission", 4);
    assert_eq!(toggle(&*stack.jobs, &stack.work, &*stack.world, None).await.unwrap(), (true, false));
    assert_eq!(stack.world.waits().len(), 9);
}
