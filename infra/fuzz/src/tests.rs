//! Each target on its corpus and on some inputs of a fixed seed, and the parts of the fuzzer itself.

use std::collections::BTreeSet;
use std::fs;

use crate::input::Input;
use crate::memory::Meter;
use crate::mutation::mutated;
use crate::random::Random;
use crate::run::{Plan, run};
use crate::target::{Allowance, Target, Verdict};
use crate::targets::ALL;
use crate::{corpus, shrink};

/// Inputs of each target. Pictures take longer.
const INPUTS: u64 = 1500;
const PICTURES: u64 = 150;

#[test]
fn every_target_has_its_properties_on_the_corpus_and_on_some_inputs() {
    for target in &ALL {
        let inputs = if target.allowance == Allowance::PICTURE { PICTURES } else { INPUTS };
        let corpus = corpus::of(&corpus::folder(), target.name).unwrap();
        let tally = run(target, corpus, Plan { inputs, seed: 20 }, &Meter::default());
        let tally = tally.unwrap_or_else(|fault| panic!("{}: {fault}", target.name));
        assert!(tally.accepted > 0, "{}: no input is read", target.name);
        // A damaged colour profile may be ignored.
        let has_refused = tally.accepted < tally.inputs || target.name == "profiles";
        assert!(has_refused, "{}: no input is refused", target.name);
    }
}

#[test]
fn each_folder_of_the_corpus_is_a_target_s() {
    let names: BTreeSet<&str> = ALL.iter().map(|target| target.name).collect();
    assert_eq!(names.len(), ALL.len(), "each target has a name of its own");
    for entry in fs::read_dir(corpus::folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(name.as_str()), "no target reads the folder `{name}`");
    }
}

/// Finds a fault in texts with an `x` after a `y`.
fn broken(bytes: &[u8]) -> Verdict {
    let place = bytes.iter().position(|byte| *byte == b'y');
    let after = place.map_or(&[][..], |place| &bytes[place..]);
    assert!(!after.contains(&b'x'), "an x after a y");
    Verdict::Refused
}

#[test]
fn a_fault_is_found_and_shrunk() {
    let target = Target::text("broken", "texts", broken);
    let corpus = vec![b"a y and an x".to_vec()];
    let fault = run(&target, corpus, Plan { inputs: 0, seed: 1 }, &Meter::default()).unwrap_err();
    assert_eq!((fault.input.as_slice(), fault.message.as_str()), (&b"yx"[..], "an x after a y"));
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let made = |seed: u64| {
        let mut random = Random::new(seed);
        (0..50).map(|_| mutated(b"one input", b"another", &mut random)).collect::<Vec<_>>()
    };
    assert_eq!(made(7), made(7));
    assert_ne!(made(7), made(8));
}

#[test]
fn choices_beyond_the_end_are_the_first_ones() {
    let mut input = Input::new(&[]);
    assert_eq!((input.byte(), input.below(9), input.flag(), input.rarely(2)), (0, 0, false, false));
    assert_eq!((input.text().as_str(), input.json(3).is_null(), input.rest().len()), ("", true, 0));
}

#[test]
fn an_input_is_shrunk_to_what_matters() {
    let fails = |input: &[u8]| input.windows(2).any(|pair| pair == b"ab");
    assert_eq!(shrink::shrunk(b"xxxxxxxxabyyyyyyy", fails), b"ab");
}
