//! The agenda: what happens next in virtual time, as a radix heap, since time never goes back.

/// A time or a span, in microseconds of virtual time.
pub type Micros = u64;

/// A millisecond.
pub const MILLISECOND: Micros = 1_000;
/// A second.
pub const SECOND: Micros = 1_000_000;

/// Events with their times. An event moves to a lower bucket each time that the clock reaches its own, so pushing and
/// popping take a time that does not depend on the number of events.
pub struct Agenda<E> {
    now: Micros,
    buckets: Vec<Vec<(Micros, E)>>,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self { now: 0, buckets: std::iter::repeat_with(Vec::new).take(65).collect() }
    }
}

impl<E> Agenda<E> {
    /// The present time.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Adds an event; one in the past happens now.
    pub fn at(&mut self, at: Micros, event: E) {
        let at = at.max(self.now);
        self.buckets[bucket(self.now, at)].push((at, event));
    }

    /// Adds an event that happens after a while.
    pub fn after(&mut self, wait: Micros, event: E) {
        self.at(self.now + wait, event);
    }

    /// Removes the next event, and sets the clock to its time.
    pub fn pop(&mut self) -> Option<E> {
        if self.buckets[0].is_empty() {
            let first = self.buckets.iter().position(|bucket| !bucket.is_empty())?;
            let mut moved = std::mem::take(&mut self.buckets[first]);
            self.now = moved.iter().map(|(at, _)| *at).min()?;
            for (at, event) in moved.drain(..) {
                self.buckets[bucket(self.now, at)].push((at, event));
            }
            // Kept for its memory.
            self.buckets[first] = moved;
        }
        self.buckets[0].pop().map(|(_, event)| event)
    }
}

/// The position of the highest bit in which a time differs from the present.
fn bucket(now: Micros, at: Micros) -> usize {
    (64 - (now ^ at).leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn events_come_in_the_order_of_their_times() {
        let (mut agenda, mut random) = (Agenda::default(), Random::new(7));
        for _ in 0..1_000 {
            let at = random.below(50_000) as Micros;
            agenda.at(at, at);
        }
        let (mut last, mut count) = (0, 0);
        while let Some(at) = agenda.pop() {
            assert!(at >= last && agenda.now() == at, "{at} after {last}");
            (last, count) = (at, count + 1);
            if count % 3 == 0 && count < 3_000 {
                let later = at + random.below(90_000) as Micros;
                agenda.at(later, later);
            }
        }
        assert!(count > 1_400, "{count}");
    }
}
