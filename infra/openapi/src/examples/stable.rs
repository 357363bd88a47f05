//! Makes bodies the same in each run: ids, times, tokens, secrets and measured values become fixed ones.

use std::collections::BTreeSet;

use reelhook_domain::Timestamp;
use serde_json::{Map, Value, json};

use super::measured::fixed;
use super::text::{DIGEST, Found, Kind, Unit, rewritten};

/// The first time in every example: 2024-01-01T12:00:00.000Z.
const FIRST: i64 = 1_704_110_400_000;
/// Earlier times are fixed ones already.
const DAY_AFTER: i64 = FIRST + 86_400_000;
/// A longer time between two others is shown, rounded to [`ROUND`]; a shorter one is a second.
const LONG: i64 = 600_000;
/// Five minutes.
const ROUND: i64 = 300_000;

/// The ids, secrets and times of one example.
pub(super) struct Stable<'a> {
    literals: &'a [(String, String)],
    ids: Vec<(Kind, u128)>,
    secrets: Vec<String>,
    times: BTreeSet<i64>,
}

impl<'a> Stable<'a> {
    pub(super) fn new(literals: &'a [(String, String)]) -> Self {
        Self { literals, ids: Vec::new(), secrets: Vec::new(), times: BTreeSet::new() }
    }

    /// Numbers the ids, the secrets and the times of a body that was received.
    pub(super) fn learn(&mut self, body: &Value) {
        self.learn_value(body, true);
    }

    /// Numbers those of a body that was sent. It has no measured values.
    pub(super) fn learn_request(&mut self, body: &Value) {
        self.learn_value(body, false);
    }

    /// A body that was received.
    pub(super) fn body(&self, body: &Value) -> Value {
        self.value(body, true)
    }

    /// A body that was sent.
    pub(super) fn request(&self, body: &Value) -> Value {
        self.value(body, false)
    }

    fn learn_value(&mut self, value: &Value, measured: bool) {
        match value {
            Value::String(text) => self.learn_text(text),
            Value::Number(number) => self.times.extend(number.as_i64().filter(|number| is_clock(*number))),
            Value::Array(entries) => entries.iter().for_each(|entry| self.learn_value(entry, measured)),
            Value::Object(members) => {
                for (name, member) in members {
                    self.learn_text(name);
                    if !(measured && fixed(members, name).is_some()) {
                        self.learn_value(member, measured);
                    }
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn learn_text(&mut self, text: &str) {
        let Self { literals, ids, secrets, times } = self;
        rewritten(text, literals, &mut |found| {
            match found {
                Found::Id { kind, bits, .. } if !ids.contains(&(kind, bits)) => ids.push((kind, bits)),
                Found::Secret(secret) if !secrets.iter().any(|known| known == secret) => {
                    secrets.push(secret.to_owned())
                }
                Found::Time(at, _) => times.extend(Some(at).filter(|at| is_clock(*at))),
                Found::Id { .. } | Found::Secret(_) | Found::Fixed(_) => {}
            }
            String::new()
        });
    }

    fn value(&self, value: &Value, measured: bool) -> Value {
        match value {
            Value::String(text) if text.contains("data: {") => json!(self.events(text)),
            Value::String(text) => json!(self.text(text)),
            Value::Number(number) => {
                number.as_i64().filter(|at| is_clock(*at)).map_or_else(|| value.clone(), |at| json!(self.time(at)))
            }
            Value::Array(entries) => entries.iter().map(|entry| self.value(entry, measured)).collect(),
            Value::Object(members) => {
                members.keys().map(|name| (self.text(name), self.member(members, name, measured))).collect()
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn member(&self, members: &Map<String, Value>, name: &str, measured: bool) -> Value {
        match (name, &members[name]) {
            ("rate_limits", Value::Object(used)) => used.keys().map(|name| (self.text(name), json!(2))).collect(),
            ("uploadUrl", Value::String(url)) => {
                let path = self.text(url.split('?').next().unwrap_or_default());
                json!(format!("{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900&X-Amz-Signature={DIGEST}"))
            }
            ("traceparent", Value::String(trace)) => json!(of_span(&self.text(trace))),
            (_, value) => match fixed(members, name).filter(|_| measured) {
                Some(stands) => stands,
                None => self.value(value, measured),
            },
        }
    }

    fn text(&self, text: &str) -> String {
        let mut shown = rewritten(text, self.literals, &mut |found| match found {
            Found::Id { kind, bits, dashed, event } => self.id(kind, bits, dashed) + &of_event(event),
            Found::Time(at, Unit::Rfc3339) => Timestamp(self.time(at)).to_string(),
            Found::Time(at, Unit::Millis) => self.time(at).to_string(),
            Found::Secret(secret) => self.secret(secret),
            Found::Fixed(stands) => stands,
        });
        // Some sentences name a job by the end of its id.
        for (kind, bits) in self.ids.iter().filter(|(kind, _)| *kind == Kind::Job) {
            let end = |bits: u128| format!("{:08x}", bits & 0xffff_ffff);
            shown = shown.replace(&end(*bits), &end(self.bits(*kind, *bits)));
        }
        shown
    }

    /// Server-sent events.
    fn events(&self, text: &str) -> String {
        let mut number = 0;
        let lines = text.lines().map(|line| match line.split_once(": ") {
            Some(("data", data)) => {
                let data = serde_json::from_str::<Value>(data).map(|data| self.value(&data, true));
                data.map_or_else(|_| line.to_owned(), |data| format!("data: {data}"))
            }
            Some(("id", id)) => {
                number += 1;
                let is_place = id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                if is_place { format!("id: {number}.0") } else { "id: 4c1e8a90d2b7f635".to_owned() }
            }
            _ => line.to_owned(),
        });
        lines.map(|line| line + "\n").collect()
    }

    fn id(&self, kind: Kind, bits: u128, dashed: bool) -> String {
        let digits = format!("{:032x}", self.bits(kind, bits));
        if !dashed {
            return digits;
        }
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }

    /// The bits that stand for those of an id.
    fn bits(&self, kind: Kind, bits: u128) -> u128 {
        let first: u128 = match kind {
            Kind::Job => 0x5f0c_2b7e_9d13_4a66_88e1_c07a_b2d9_4f31,
            Kind::Endpoint => 0x3b9a_61c0_4e2d_4f7a_9c58_d10b_e6f2_a743,
            Kind::Recovery => 0x8d24_e7f1_a05b_4c39_b6e0_7f91_32c8_d5a6,
            Kind::Secret => 0xc61f_08b9_3d7e_4a52_a194_0e5b_d83f_7260,
            Kind::Other => 0x0f7c_3a52_9a1e_4b7e_8a55_6f1d_e0f5_c111,
        };
        let of_kind = self.ids.iter().filter(|(known, _)| *known == kind);
        let number = of_kind.zip(0_u128..).find(|((_, known), _)| *known == bits).map_or(0, |(_, number)| number);
        first + number
    }

    /// A secret of 24 bytes.
    fn secret(&self, secret: &str) -> String {
        let number = self.secrets.iter().position(|known| known == secret).unwrap_or_default();
        let last = char::from(b'w' - u8::try_from(number % 20).unwrap_or_default());
        format!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS{last}")
    }

    /// The time that stands for one in Unix milliseconds: they keep their order.
    fn time(&self, at: i64) -> i64 {
        if !is_clock(at) {
            return at;
        }
        let (mut shown, mut before): (i64, Option<i64>) = (FIRST, None);
        for time in &self.times {
            let gap = before.map_or(0, |before| time - before);
            shown += match gap {
                0 => 0,
                _ if gap >= LONG => (gap + ROUND / 2) / ROUND * ROUND,
                _ => 1000,
            };
            if *time == at {
                break;
            }
            before = Some(*time);
        }
        shown
    }
}

/// Whether a number is a time of this run in Unix milliseconds.
fn is_clock(number: i64) -> bool {
    (DAY_AFTER..4_000_000_000_000).contains(&number)
}

/// How the id of an event ends. The version of a job depends on how its reports come together.
fn of_event(event: Option<(&str, &str)>) -> String {
    match event {
        None => String::new(),
        Some(("1", place)) => format!(".1.{place}"),
        Some((_, place)) => format!(".21.{place}"),
    }
}

/// A traceparent of a fixed span: its own follows from the id of the event.
fn of_span(trace: &str) -> String {
    match trace.split('-').collect::<Vec<_>>()[..] {
        [version, trace, _, flags] => format!("{version}-{trace}-8658c0d218ebd02b-{flags}"),
        _ => trace.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "job_1790000000000_00112233445566778899aabbccddeeff";

    fn check(given: Value, expected: &Value) {
        let literals = [
            ("http://127.0.0.1:300".to_owned(), "https://api.example".to_owned()),
            ("rk_test".into(), "rk_example".into()),
        ];
        let mut stable = Stable::new(&literals);
        stable.learn(&given);
        assert_eq!(stable.body(&given), *expected, "{given}");
    }

    #[test]
    fn ids_are_numbered_by_kind_and_stay_the_same_within_an_example() {
        let other = "job_1790000000007_ffeeddccbbaa99887766554433221100";
        check(
            json!({ "job": JOB, "event": format!("{JOB}.17.1"), "other": other, "text": "Job ccddeeff deleted" }),
            &json!({
                "job": "job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31",
                "event": "job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31.21.1",
                "other": "job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f32",
                "text": "Job b2d94f31 deleted",
            }),
        );
        let uuid = "6f1d3d0a-6c1e-4b0e-9a53-0f7a6c2b4d11";
        check(
            json!({
                "id": uuid,
                "message": "msg_6f1d3d0a6c1e4b0e9a530f7a6c2b4d11",
                "ep_6f1d3d0a6c1e4b0e9a530f7a6c2b4d11": 0,
            }),
            &json!({
                "id": "0f7c3a52-9a1e-4b7e-8a55-6f1de0f5c111",
                "message": "msg_0f7c3a529a1e4b7e8a556f1de0f5c111",
                "ep_3b9a61c04e2d4f7a9c58d10be6f2a743": 0,
            }),
        );
    }

    #[test]
    fn times_keep_their_order_and_long_waits() {
        check(
            json!([
                "2026-10-05T08:00:01.250Z",
                "2026-10-05T08:00:00Z",
                1_791_187_201_250_i64,
                "2026-10-12T08:00:00.900Z",
                "2024-01-01T12:00:00.000Z",
                1_704_110_401_000_i64,
                "videos/2026-10-05/standard/a.mp4",
            ]),
            &json!([
                "2024-01-01T12:00:01.000Z",
                "2024-01-01T12:00:00.000Z",
                1_704_110_401_000_i64,
                "2024-01-08T12:00:01.000Z",
                "2024-01-01T12:00:00.000Z",
                1_704_110_401_000_i64,
                "videos/2024-01-01/standard/a.mp4",
            ]),
        );
    }

    #[test]
    fn secrets_tokens_and_signatures_are_replaced() {
        check(
            json!({
                "secrets": [format!("whsec_{}", "Aa0+".repeat(8)), format!("whsec_{}", "Bb1/".repeat(11))],
                "link": "http://127.0.0.1:300/api/download/a?token=s1.1790600000.AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
                "other": "http://127.0.0.1:3001/x", "password": "rk_test",
                "webhook-timestamp": "1790000000",
                "webhook-signature": "v1,1TVC/TL1vZfqI+tDUYQsw8VZXrsIcWNn86zwsCajSSw=",
            }),
            &json!({
                "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSv"],
                "link": "https://api.example/api/download/a?token=s1.1704715200.c2lnbmF0dXJlLW9mLWFuLWV4YW1wbGUh",
                "other": "https://service.example/x", "password": "rk_example",
                "webhook-timestamp": "1704110400",
                "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
            }),
        );
    }

    #[test]
    fn ids_of_projects_scenes_and_errors_are_the_same_in_each_run() {
        check(
            json!({
                "id": "proj_1790000000000_00112233445566778899aabbccddeeff",
                "scene": "scene_6f1d3d0a6c1e4b0e9a530f7a6c2b4d11", "duration": 1.5, "sceneNumber": "1",
                "error": "err_1790000000000_0z9y8x7", "path": "/errors/err_1790000000000_0z9y8x7?x",
            }),
            &json!({
                "id": "proj_1704110400000_0f7c3a529a1e4b7e8a556f1de0f5c111",
                "scene": "scene_0f7c3a529a1e4b7e8a556f1de0f5c112", "duration": 1.5, "sceneNumber": "1",
                "error": "err_1704110400000_0a1b2c3", "path": "/errors/err_1704110400000_0a1b2c3?x",
            }),
        );
    }

    #[test]
    fn measured_values_are_fixed_and_others_are_kept() {
        check(
            json!({ "durationMs": 7, "progress": 36, "retryAfter": "2026-10-05T08:00:00Z", "latencyMs": null }),
            &json!({ "durationMs": 42, "progress": 36, "retryAfter": "2024-01-01T12:00:00.000Z", "latencyMs": null }),
        );
        check(json!({ "duration": 3, "scenes": 3 }), &json!({ "duration": 3, "scenes": 3 }));
    }

    #[test]
    fn the_span_of_a_traceparent_is_fixed() {
        check(
            json!({ "traceparent": "00-6f1d3d0a6c1e4b0e9a530f7a6c2b4d11-bd5c412e068aa875-01" }),
            &json!({ "traceparent": "00-0f7c3a529a1e4b7e8a556f1de0f5c111-8658c0d218ebd02b-01" }),
        );
    }

    #[test]
    fn events_of_a_stream_are_numbered() {
        check(
            json!(format!("retry: 1000\n\nid: 17.1\ndata: {{\"job_id\":\"{JOB}\",\"clientId\":\"x\"}}\n\n")),
            &json!(
                "retry: 1000\n\nid: 1.0\ndata: {\"job_id\":\"job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31\",\
                 \"clientId\":\"viewer-1\"}\n\n"
            ),
        );
    }
}
