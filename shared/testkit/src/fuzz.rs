//! Generated bodies of webhooks that come in: any bytes, JSON whose members have the names that senders use and values of
//! any type, and such JSON that is cut off or has one bit flipped.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{TestError, TestRunner};
use serde_json::Value;

/// The number of bodies of one test.
const CASES: u32 = 64;

/// Runs a test on generated bodies: 64, or as many as the variable REELHOOK_FUZZ_CASES says. The test makes requests with a
/// body and returns their number; the sum is printed with `file`, the test's own, beside which failures are kept.
///
/// # Panics
/// When the variable is no number, and with the smallest body for which the test fails.
pub fn fuzz(
    file: &'static str,
    bodies: &BoxedStrategy<Vec<u8>>,
    test: impl Fn(Vec<u8>) -> Result<usize, TestCaseError>,
) {
    let given = std::env::var("REELHOOK_FUZZ_CASES");
    let cases = given.map_or(CASES, |text| text.parse().expect("REELHOOK_FUZZ_CASES is a number"));
    let requests = Cell::new(0_usize);
    let config = ProptestConfig { source_file: Some(file), ..ProptestConfig::with_cases(cases) };
    let outcome = TestRunner::new(config).run(bodies, |body| {
        requests.set(requests.get() + test(body)?);
        Ok(())
    });
    match outcome {
        Ok(()) => println!("{file}: {cases} bodies in {} requests", requests.get()),
        Err(TestError::Fail(reason, body)) => panic!("{reason}, with the body {:?}", String::from_utf8_lossy(&body)),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Bodies of a webhook: JSON objects as [`fuzz_json`] makes them, what is left of damaged ones, and any bytes.
pub fn fuzz_bodies(names: &'static [&'static str], texts: &'static [&'static str]) -> BoxedStrategy<Vec<u8>> {
    let json = fuzz_json(names, names, texts).prop_map(|value| value.to_string().into_bytes()).boxed();
    let cut_off = (json.clone(), any::<Index>()).prop_map(|(mut bytes, at)| {
        bytes.truncate(at.index(bytes.len()));
        bytes
    });
    let flipped = (json.clone(), any::<Index>(), 0..8_u32).prop_map(|(mut bytes, at, bit)| {
        let place = at.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        bytes
    });
    prop_oneof![4 => json, 1 => cut_off, 1 => flipped, 1 => prop::collection::vec(any::<u8>(), 0..200)].boxed()
}

/// JSON objects whose members have some of `names`, and within them some of `nested`, and values of any type, among them
/// `texts`.
pub fn fuzz_json(
    names: &'static [&'static str],
    nested: &'static [&'static str],
    texts: &'static [&'static str],
) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(texts).prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(nested), inner), 0..6).prop_map(object),
        ]
    });
    prop::collection::vec((prop::sample::select(names), value), 0..10).prop_map(object).boxed()
}

fn object(members: Vec<(&'static str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
