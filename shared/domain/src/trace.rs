//! The trace of a subject (W3C Trace Context): one id that its requests, its log lines and its webhooks have in common.

use std::fmt;

use uuid::Uuid;

use crate::{Aggregate, EventId, Subject};

/// The namespace of the traces that follow from an id.
const TRACES: Uuid = Uuid::from_u128(0x6d0f_42c8_1b7e_5f93_a4d5_0c3e_97b1_28fa);
/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;
/// The flags that are passed on: sampled, and that the trace id is random.
const FLAGS: u8 = 0b11;

/// A `traceparent` of version 00 (W3C Trace Context, 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

impl TraceParent {
    /// Reads a header. What a version after 00 adds to it is left out, as W3C Trace Context requires (3.2.4).
    pub fn parse(text: &str) -> Option<Self> {
        let (known, added) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split('-');
        let version = hex(parts.next()?, 2)?;
        let (trace, parent) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?);
        let flags = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
        let is_known = match version {
            "00" => added.is_empty(),
            "ff" => false,
            _ => added.is_empty() || added.starts_with('-'),
        };
        let has_ids = [trace, parent].iter().all(|id| id.bytes().any(|digit| digit != b'0'));
        (is_known && has_ids).then(|| Self(format!("00-{trace}-{parent}-{:02x}", flags & FLAGS)))
    }

    /// The trace of what has this id and was created by a request with this `traceparent`. Without a valid one it follows
    /// from the id, so that nothing has to be stored; it is then not sampled.
    pub fn of(id: &str, given: Option<&str>) -> Self {
        given.and_then(Self::parse).unwrap_or_else(|| {
            let trace = Uuid::new_v5(&TRACES, id.as_bytes());
            // Its lower half begins with the bits of the variant, so neither id is zero.
            let (_, parent) = trace.as_u64_pair();
            Self(format!("00-{}-{parent:016x}-00", trace.simple()))
        })
    }

    /// The trace of an aggregate: that of the request that created it, or else one of its own.
    pub fn of_aggregate(of: &impl Aggregate) -> Self {
        Self::of(of.subject().as_str(), of.traceparent())
    }

    /// The trace of an event: that of its subject. What happens to an endpoint or an error goes on for months, so each event
    /// about one has a trace of its own.
    pub fn of_event(event: &EventId, subject: &Subject, given: Option<&str>) -> Self {
        let id = match subject {
            Subject::Job(_) | Subject::Project(_) | Subject::Clips(_) | Subject::Trigger(_) => subject.as_str(),
            Subject::Endpoint(_) | Subject::Error(_) => event.as_str(),
        };
        Self::of(id, given)
    }

    /// The trace's id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.0[3..35]
    }
}

impl From<TraceParent> for String {
    fn from(trace: TraceParent) -> Self {
        trace.0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text, if it is this number of hexadecimal digits in lower case.
fn hex(text: &str, digits: usize) -> Option<&str> {
    let fits = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fits.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_read_as_w3c_says() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(TraceParent::parse(text).map(String::from).as_deref(), expected, "{text}");
        };
        check(GIVEN, Some(GIVEN));
        let rest = &GIVEN[2..];
        check(&format!("01{rest}"), Some(GIVEN));
        check(&format!("cc{rest}-what-is-added"), Some(GIVEN));
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"),
        );
        let [long, unknown, mixed] = [format!("{GIVEN}-x"), format!("ff{rest}"), format!("cc{rest}x")];
        let upper = GIVEN.to_uppercase();
        for wrong in [
            "",
            "00",
            "00-zz",
            &long,
            &unknown,
            &mixed,
            &upper,
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn without_a_valid_header_the_trace_follows_from_the_id() {
        let made = TraceParent::of("job_1_a", None);
        assert_eq!(TraceParent::parse(&made.to_string()), Some(made.clone()), "{made}");
        assert!(made.to_string().ends_with("-00"), "nobody has sampled it: {made}");
        assert_eq!(made, TraceParent::of("job_1_a", Some("00-zz")));
        assert_ne!(made, TraceParent::of("job_1_b", None));
        let given = TraceParent::of("job_1_a", Some(GIVEN));
        assert_eq!((given.to_string().as_str(), given.trace_id()), (GIVEN, "4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    #[test]
    fn events_share_the_trace_of_their_subject_unless_it_lasts() {
        let trace = |event: &str, subject: &str| {
            TraceParent::of_event(&EventId::parse(event).unwrap(), &Subject::parse(subject).unwrap(), None)
        };
        assert_eq!(trace("job_1_a.3.0", "job_1_a"), TraceParent::of("job_1_a", None));
        assert_eq!(trace("job_1_a.3.0", "job_1_a"), trace("job_1_a.9.1", "job_1_a"));
        assert_ne!(trace("ep_1.1.0", "ep_1"), trace("ep_1.2.0", "ep_1"));
    }

    /// infra/local/test_story.py computes the same.
    #[test]
    fn the_trace_of_an_id_stays_the_same() {
        let expected = "00-358c822e8fa3595583bbf63ed5715a91-83bbf63ed5715a91-00";
        assert_eq!(TraceParent::of("job_1_a", None).to_string(), expected);
    }
}
