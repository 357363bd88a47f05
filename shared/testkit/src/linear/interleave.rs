//! Interleavings: concurrent futures on one thread, in an order that follows from a seed.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Polls of one run at most: more means that the futures wait for something that no poll brings about.
const MOST_POLLS: usize = 1_000_000;

/// Whose turn it is: SplitMix64, the same numbers for the same seed.
#[derive(Debug)]
pub struct Turns(u64);

impl Turns {
    /// The turns of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * end as u128) >> 64) as usize
    }
}

/// Runs futures to their ends. Each poll is of one that `turns` chooses, so that they interleave at their yields. They
/// wait for nothing but each other: the fakes of the ports yield inside each call, and their clock is virtual.
///
/// # Panics
/// When they do not end.
pub fn interleave<'a>(turns: &mut Turns, futures: Vec<Pin<Box<dyn Future<Output = ()> + 'a>>>) {
    let mut open = futures;
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..MOST_POLLS {
        if open.is_empty() {
            return;
        }
        let next = turns.below(open.len());
        match open[next].as_mut().poll(&mut context) {
            Poll::Ready(()) => drop(open.swap_remove(next)),
            Poll::Pending => {}
        }
    }
    panic!("{} futures have not ended after {MOST_POLLS} polls", open.len());
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The order in which three futures take four steps each.
    fn order(seed: u64) -> Vec<usize> {
        let steps = RefCell::new(Vec::new());
        let mut futures: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
        for name in 0..3 {
            let steps = &steps;
            futures.push(Box::pin(async move {
                for _ in 0..4 {
                    steps.borrow_mut().push(name);
                    tokio::task::yield_now().await;
                }
            }));
        }
        interleave(&mut Turns::new(seed), futures);
        steps.into_inner()
    }

    #[test]
    fn the_order_follows_from_the_seed() {
        assert_eq!(order(7), order(7));
        assert!((1..20).any(|seed| order(seed) != order(0)), "seeds lead to orders of their own");
        for seed in 0..20 {
            let mut all = order(seed);
            all.sort_unstable();
            assert_eq!(all, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
        }
    }
}
