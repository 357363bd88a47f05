//! The steps of the external worker with their documented names, and their callbacks.

use serde_json::{Value, json};

/// One step of the workflow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub number: u8,
    pub name: &'static str,
    pub key: &'static str,
    pub stage: &'static str,
}

pub(crate) const STARTED: Step =
    Step { number: 0, name: "Workflow Started", key: "step_0_workflow_started", stage: "initialization" };

pub(crate) const COMPLETED: Step =
    Step { number: 8, name: "Workflow Completed", key: "step_8_workflow_completed", stage: "completed" };

pub(crate) const FAILED: Step =
    Step { number: 8, name: "Workflow Failed", key: "step_8_workflow_failed", stage: "failed" };

/// Steps 1 to 7.
pub(crate) const WORK: [Step; 7] = [
    working(1, "Database Extraction", "step_1_database_extraction"),
    working(2, "Script Generation", "step_2_script_generation"),
    working(3, "Asset Preparation", "step_3_asset_prep"),
    working(4, "HeyGen Video Creation", "step_4_heygen_creation"),
    working(5, "HeyGen Processing", "step_5_heygen_processing"),
    working(6, "Scroll Video Generation", "step_6_scroll_video"),
    working(7, "Creatomate Assembly", "step_7_creatomate_assembly"),
];

const fn working(number: u8, name: &'static str, key: &'static str) -> Step {
    Step { number, name, key, stage: "processing" }
}

/// Invented titles, so that no catalogue is needed.
const TITLES: [(&str, u16, &str); 9] = [
    ("The Salt Orchard", 2019, "7.9/10 (48210 votes)"),
    ("Harbour of Glass", 2021, "7.4/10 (31877 votes)"),
    ("Night Train to Oreval", 2017, "8.1/10 (90154 votes)"),
    ("Ninety Lanterns", 2022, "7.2/10 (15402 votes)"),
    ("A Quiet Meridian", 2020, "7.6/10 (22930 votes)"),
    ("Les Jardins de Cendre", 2018, "7.7/10 (12984 votes)"),
    ("Paper Astronauts", 2023, "7.1/10 (9871 votes)"),
    ("The Cartographer's Debt", 2016, "8.0/10 (64012 votes)"),
    ("Low Tide at Marrow Bay", 2024, "7.3/10 (18345 votes)"),
];

/// The details in a step's callback `completed`.
pub(crate) fn details(step: u8, job_id: &str, creatomate_id: Option<&str>) -> Value {
    match step {
        1 => {
            let movies = movies(job_id);
            let names: Vec<String> = movies.iter().map(|(title, year, _)| format!("{title} ({year})")).collect();
            let movies: Vec<Value> = movies
                .iter()
                .map(|(title, year, imdb)| json!({ "title": title, "year": year.to_string(), "imdb": imdb }))
                .collect();
            json!({
                "extracted_movies": names.join(", "),
                "movies_count": movies.len(),
                "movies": movies,
            })
        }
        2 => json!({ "scripts": 3, "words": 214 }),
        3 => json!({ "posters": 3, "clips": 3 }),
        4 => json!({ "heygen_videos": 3 }),
        5 => json!({ "heygen_ready": 3 }),
        6 => json!({ "scroll_seconds": 4.0 }),
        7 | 8 => match creatomate_id {
            Some(id) => json!({ "creatomate_id": id }),
            None => json!({}),
        },
        _ => json!({}),
    }
}

fn movies(job_id: &str) -> [(&'static str, u16, &'static str); 3] {
    let sum: usize = job_id.bytes().map(usize::from).sum();
    [0, 2, 5].map(|offset| TITLES[(sum + offset) % TITLES.len()])
}

/// A callback with its body.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub step: u8,
    pub status: &'static str,
    pub sequence: u64,
    pub body: Vec<u8>,
}

/// The times of a callback.
pub(crate) struct Timing {
    /// Unix milliseconds.
    pub now_ms: u64,
    /// Unix milliseconds, unique within a run.
    pub sequence: u64,
    /// Seconds since the step started; none in its callback `started`.
    pub duration: Option<f64>,
}

/// The callback of a step: unsigned, and with a float timestamp, like those of real workers.
pub(crate) fn callback(job_id: &str, step: Step, status: &'static str, details: Value, timing: &Timing) -> Callback {
    let body = json!({
        "job_id": job_id,
        "step_number": step.number,
        "step_name": step.name,
        "status": status,
        "duration": timing.duration,
        "details": details,
        "timestamp": timing.now_ms as f64 / 1000.0,
        "step_key": step.key,
        "sequence": timing.sequence,
        "workflow_stage": if status == "failed" { "failed" } else { step.stage },
    });
    Callback { step: step.number, status, sequence: timing.sequence, body: body.to_string().into_bytes() }
}

/// One of nine malformed callbacks.
pub(crate) fn garbage(number: usize, job_id: &str) -> Vec<u8> {
    let bodies: [Vec<u8>; 9] = [
        format!(r#"{{"job_id": "{job_id}", "step_nu"#).into(),
        Vec::new(),
        b"[]".to_vec(),
        b"null".to_vec(),
        json!({ "job_id": job_id, "status": "completed" }).to_string().into(),
        json!({ "job_id": job_id, "step_number": 3, "status": "exploded" }).to_string().into(),
        json!({ "job_id": job_id, "step_number": "three", "status": "started" }).to_string().into(),
        json!({ "step_number": 3, "step_name": "Asset Preparation", "status": "started" }).to_string().into(),
        b"{\"job_id\": \"\xff\xfe\"}".to_vec(),
    ];
    bodies[number % bodies.len()].clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_looks_like_a_real_one() {
        let timing = Timing { now_ms: 1_704_110_400_000, sequence: 1_704_110_400_001, duration: None };
        let sent = callback("job_1", WORK[2], "started", json!({}), &timing);
        assert_eq!(
            String::from_utf8(sent.body).unwrap(),
            r#"{"job_id":"job_1","step_number":3,"step_name":"Asset Preparation","status":"started","duration":null,"details":{},"timestamp":1704110400.0,"step_key":"step_3_asset_prep","sequence":1704110400001,"workflow_stage":"processing"}"#
        );
    }

    #[test]
    fn three_different_movies_are_extracted() {
        let details = details(1, "job_1704123456789_abc123", None);
        let titles: std::collections::BTreeSet<&str> =
            details["movies"].as_array().unwrap().iter().map(|movie| movie["title"].as_str().unwrap()).collect();
        assert_eq!(titles.len(), 3);
        assert!(details["extracted_movies"].is_string());
    }
}
