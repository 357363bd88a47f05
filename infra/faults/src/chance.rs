//! Which calls meet a fault: a hash of the seed, the function, the operation and the number of the call decides, so
//! that calls at the same time change no decision. `infra/local/chance.py` decides so about messages and records.

use sha2::{Digest as _, Sha256};

/// The longest sequence of calls of one function and operation that meet the same fault: longer than the attempts of an
/// SDK.
const LONGEST: u64 = 6;
/// Calls among which a rate is counted.
const MILLION: u64 = 1_000_000;
/// The mean length of a sequence is this fraction: three of four have one call, the others two to six.
const MEAN: (u64, u64) = (7, 4);

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Chooses the kind of fault.
    pub kind: u64,
    /// Chooses the fault's details, such as a delay.
    pub detail: u64,
}

/// What the call with this number, from 0 on, of a function's operation meets.
pub fn draw(seed: u64, percent: u8, function: &str, operation: &str, number: u64) -> Option<Draw> {
    let begins_below = u64::from(percent) * (MILLION / 100) * MEAN.1 / MEAN.0;
    (0..LONGEST.min(number + 1)).find_map(|back| {
        let [begins, length, kind, detail] = words(seed, function, operation, number - back);
        let is_met = begins % MILLION < begins_below && back < length_of(length);
        is_met.then_some(Draw { kind, detail: detail.rotate_left(back as u32) })
    })
}

fn length_of(word: u64) -> u64 {
    if word.is_multiple_of(4) { 2 + (word / 4) % (LONGEST - 1) } else { 1 }
}

fn words(seed: u64, function: &str, operation: &str, number: u64) -> [u64; 4] {
    let digest: [u8; 32] = Sha256::digest(format!("{seed}/{function}/{operation}/{number}")).into();
    std::array::from_fn(|word| {
        let bytes = &digest[word * 8..word * 8 + 8];
        bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(seed: u64, percent: u8, calls: u64) -> Vec<Option<Draw>> {
        (0..calls).map(|number| draw(seed, percent, "generate", "DynamoDb.PutItem", number)).collect()
    }

    #[test]
    fn the_same_seed_decides_in_the_same_way() {
        assert_eq!(met(7, 20, 500), met(7, 20, 500));
        assert_ne!(met(7, 20, 500), met(8, 20, 500));
        assert!(met(7, 0, 500).iter().all(Option::is_none));
    }

    #[test]
    fn the_rate_is_that_of_calls() {
        for percent in [1, 5, 20] {
            let hit = met(1, percent, 100_000).iter().flatten().count() as f64 / 1000.0;
            let wanted = f64::from(percent);
            assert!((hit - wanted).abs() < wanted / 5.0, "{hit} of 100 calls met a fault, not {percent}");
        }
    }

    #[test]
    fn some_faults_last_longer_than_the_attempts_of_an_sdk() {
        let all = met(1, 5, 20_000);
        let longest = all.split(Option::is_none).map(<[_]>::len).max();
        assert!(longest >= Some(5), "{longest:?}");
    }

    /// `infra/local/test_chance.py` has the same numbers.
    #[test]
    fn the_emulator_decides_in_the_same_way() {
        let [first, ..] = words(42, "fanout", "stream", 3);
        assert_eq!(first, 10_294_188_168_364_325_789);
        let hits: Vec<u64> = (0..60).filter(|number| draw(42, 20, "fanout", "stream", *number).is_some()).collect();
        assert_eq!(hits, [19, 21, 22, 23, 24, 25, 51, 52, 53, 54, 55, 56]);
    }
}
