//! A run of one target: the corpus first, then inputs that follow from the seed. Accepted inputs join those that others are
//! made of, so that later ones come further.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::memory::Meter;
use crate::mutation::mutated;
use crate::random::Random;
use crate::shrink::shrunk;
use crate::target::{Target, Verdict};

/// The inputs that others are made of, at most.
const POOL: usize = 512;
/// How long a check may take. It is far more than any needs, since the machine may be busy.
const LONGEST: Duration = Duration::from_secs(20);

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Inputs that are made, besides those of the corpus.
    pub inputs: u64,
    /// The seed.
    pub seed: u64,
}

/// What a run has counted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// The inputs.
    pub inputs: u64,
    /// Those that a parser read.
    pub accepted: u64,
    /// The most bytes that one check allocated; 0 if they were not counted.
    pub allocated: u64,
    /// The longest check.
    pub slowest: Duration,
    /// The time of the whole run.
    pub time: Duration,
}

/// An input that breaks a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The shortest input that was found.
    pub input: Vec<u8>,
    /// The property, or the panic.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, with {} bytes: {:?}", self.message, self.input.len(), String::from_utf8_lossy(&self.input))
    }
}

impl std::error::Error for Fault {}

/// Runs a target on its corpus and on inputs that are made of it.
///
/// # Errors
/// The first [`Fault`], as short as it gets.
pub fn run(target: &Target, corpus: Vec<Vec<u8>>, plan: Plan, meter: &Meter) -> Result<Tally, Fault> {
    let (began, mut tally) = (Instant::now(), Tally::default());
    let mut pool = corpus;
    pool.extend((target.seeds)());
    pool.push(Vec::new());
    for input in &pool {
        count(target, input, meter, &mut tally)?;
    }
    let mut random = Random::new(plan.seed);
    for _ in 0..plan.inputs {
        let input = made(&pool, &mut random);
        let verdict = count(target, &input, meter, &mut tally)?;
        if verdict == Verdict::Accepted && random.below(8) == 0 {
            if pool.len() < POOL {
                pool.push(input);
            } else {
                let place = random.below(pool.len());
                pool[place] = input;
            }
        }
    }
    tally.time = began.elapsed();
    Ok(tally)
}

/// Checks one input.
///
/// # Errors
/// The message of the property that it breaks.
pub fn check(target: &Target, input: &[u8], meter: &Meter) -> Result<(Verdict, Duration, u64), String> {
    let allowed = target.allowance.of(input.len());
    let (mut verdict, mut time, mut allocated) = measured(target, input, meter)?;
    if allocated > allowed {
        // The first check of a process also sets up what all share, such as the description of the API: a second one tells.
        (verdict, time, allocated) = measured(target, input, meter)?;
    }
    if allocated > allowed {
        return Err(format!("it allocates {allocated} bytes, at most {allowed} are allowed"));
    }
    if time > LONGEST {
        return Err(format!("it takes {} s, at most {} s are allowed", time.as_secs(), LONGEST.as_secs()));
    }
    Ok((verdict, time, allocated))
}

/// Checks one input, and measures how long that takes and how many bytes it allocates.
fn measured(target: &Target, input: &[u8], meter: &Meter) -> Result<(Verdict, Duration, u64), String> {
    let (began, before) = (Instant::now(), meter.bytes());
    let verdict = catch_unwind(AssertUnwindSafe(|| (target.check)(input))).map_err(|panic| message(&*panic))?;
    Ok((verdict, began.elapsed(), meter.bytes().saturating_sub(before)))
}

fn count(target: &Target, input: &[u8], meter: &Meter, tally: &mut Tally) -> Result<Verdict, Fault> {
    match check(target, input, meter) {
        Ok((verdict, time, allocated)) => {
            tally.inputs += 1;
            tally.accepted += u64::from(verdict == Verdict::Accepted);
            tally.slowest = tally.slowest.max(time);
            tally.allocated = tally.allocated.max(allocated);
            Ok(verdict)
        }
        Err(_) => {
            let input = shrunk(input, |input| check(target, input, meter).is_err());
            let message = check(target, &input, meter).err().unwrap_or_else(|| "it fails sometimes".to_owned());
            Err(Fault { input, message })
        }
    }
}

/// An input: a mutated one, or any bytes.
fn made(pool: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    if random.below(4) == 0 {
        let most = if random.below(8) == 0 { 2048 } else { 96 };
        let length = random.below(most);
        return random.bytes(length);
    }
    let (parent, other) = (random.below(pool.len()), random.below(pool.len()));
    mutated(&pool[parent], &pool[other], random)
}

/// The text of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panics").to_owned()
}
