//! Answers of outside services to our own requests: bodies in any content coding, and what is read of them.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reelhook_app::jobs::renders::Callback;
use reelhook_app::outbound::OutboundResponse;
use reelhook_app::outbound::submission::Submission;
use reelhook_app::projects::services::{Answer, TaskList};
use reelhook_domain::{RenderId, WebUrl, retry_after};
use serde_json::Value;

use crate::input::Input;
use crate::target::Verdict;
use crate::targets::callbacks::{STAGES, check_task, named};
use crate::targets::requests::{NOON, depth};

/// The most that is decoded.
const LIMIT: usize = 64 * 1024;
/// The longest reason that is kept of a refusal, in bytes.
const REASON: usize = 4096;

/// Answers to submissions, polls and look-ups.
pub fn of_services(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let status = *input.pick(&[200, 201, 204, 302, 400, 401, 404, 408, 409, 425, 429, 500, 502, 503, 504, 999]);
    let mut headers = vec![("Retry-After".to_owned(), input.text())];
    let plain = if input.flag() { named(&mut input).to_string().into_bytes() } else { Vec::new() };
    let coding = input.below(5);
    let plain = if plain.is_empty() { input.rest().to_vec() } else { plain };
    let body = match coding {
        0 => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&plain).expect("it is written to memory");
            headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
            packed.finish().expect("it is written to memory")
        }
        1 => {
            let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&plain).expect("it is written to memory");
            headers.push(("content-encoding".to_owned(), "deflate".to_owned()));
            packed.finish().expect("it is written to memory")
        }
        2 => {
            headers.push(("content-encoding".to_owned(), "gzip, deflate".to_owned()));
            plain.clone()
        }
        _ => plain.clone(),
    };
    let response = OutboundResponse {
        status,
        headers,
        body: Bytes::from(body),
        truncated: false,
        cut_short: None,
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
        peer: None,
    };
    if let Ok(decoded) = response.decoded(LIMIT) {
        assert!(decoded.len() <= LIMIT, "{} bytes are decoded", decoded.len());
        assert!(coding > 1 || *decoded == plain[..], "what was compressed comes back");
    }
    if let Ok(start) = response.decoded_start(LIMIT) {
        assert!(start.len() <= LIMIT, "{} bytes are decoded", start.len());
    }
    let json = response.json();
    if let Some(body) = &json {
        assert!(depth(body) <= 100, "a body of {} levels", depth(body));
        check_body(body);
    }
    let _ = retry_after(response.header("retry-after").unwrap_or_default(), NOON);
    let answer = Answer::read(Ok(response), NOON);
    match &answer.submission {
        Submission::Accepted(id) => assert!(id.as_str().len() <= 128, "an id of {} bytes", id.as_str().len()),
        Submission::Refused { error, .. } => assert!(error.len() <= REASON, "a reason of {} bytes", error.len()),
        Submission::Lost(reason) => assert!(reason.len() <= REASON, "a reason of {} bytes", reason.len()),
    }
    let is_short = answer.status_url.as_ref().is_none_or(|url| url.len() <= WebUrl::LIMIT);
    assert!(is_short, "a status URL is short");
    Verdict::of(json.is_some())
}

/// Reads a body as each service may mean it.
fn check_body(body: &Value) {
    for stage in STAGES {
        check_task(stage, body);
    }
    if let Some(render) = Callback::read(body) {
        let stored = serde_json::to_string(&render).expect("our own types are JSON");
        let read: Callback = serde_json::from_str(&stored).expect("a stored callback is read");
        assert_eq!(read, render, "a callback is read as it was stored");
        let _ = (render.state(), render.is_final());
    }
    if let Some(list) = TaskList::read(body.clone()) {
        let id = RenderId::parse("task-1").expect("an id");
        if let Some(entry) = list.into_entry(&id) {
            assert_eq!(entry["task_id"], "task-1", "an entry is about the task");
        }
    }
}
