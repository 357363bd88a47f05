//! Reads the state of a job, which the worker answers to polls, as a report.

use reelhook_domain::ClipJobId;
use reelhook_domain::clips::event::WorkerReport;
use serde_json::{Map, Value};

use crate::clips::reports::files::WorkerFiles;
use crate::clips::reports::read;

/// What a job made, by its names in a report.
const OUTPUT: [&str; 4] = ["clips", "transcript_url", "plan_url", "source_video_duration_seconds"];

/// Reads the state of a job: a report without an event. What it made may be in `output` as in a report, in `result`, or
/// among its own members. None if its status is not known.
pub(super) fn read(files: &WorkerFiles, job: &ClipJobId, body: Value) -> Option<WorkerReport> {
    let Value::Object(mut state) = body else { return None };
    state.insert("event".to_owned(), Value::Null);
    if !state.get("output").is_some_and(Value::is_object) {
        let own = OUTPUT.iter().filter_map(|name| Some(((*name).to_owned(), state.get(*name)?.clone())));
        let result = state.get("result").and_then(Value::as_object).cloned();
        let output: Map<String, Value> = result.unwrap_or_else(|| own.collect());
        if has_clips(&output) {
            state.insert("output".to_owned(), Value::Object(output));
        }
    }
    read::read(files, job, &Value::Object(state))
}

fn has_clips(output: &Map<String, Value>) -> bool {
    output.get("clips").is_some_and(Value::is_array)
}

#[cfg(test)]
mod tests {
    use reelhook_domain::clips::event::ReportKind;
    use serde_json::json;

    use super::*;

    fn report(body: Value) -> Option<WorkerReport> {
        let worker = Some(url::Url::parse("https://worker.example").unwrap());
        let files = WorkerFiles { worker, bucket: "our-bucket".to_owned() };
        read(&files, &ClipJobId::parse("0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11").unwrap(), body)
    }

    #[test]
    fn the_status_of_a_job_decides_whatever_words_it_has() {
        for (status, expected) in [
            ("pending", ReportKind::Queued),
            ("downloading", ReportKind::Running),
            ("transcribing", ReportKind::Running),
            ("planning", ReportKind::Running),
            ("detecting", ReportKind::Running),
            ("rendering", ReportKind::Running),
            ("uploading", ReportKind::Running),
            ("completed", ReportKind::Completed),
            ("failed", ReportKind::Failed),
        ] {
            let state = json!({ "status": status, "event": "job.started", "progress_percent": 40 });
            let report = report(state).unwrap();
            assert_eq!((report.kind, report.progress, report.output), (expected, Some(40), None), "{status}");
        }
        for body in [json!({}), json!({ "status": "sleeping" }), json!({ "status": 7 }), json!("completed"), json!([])]
        {
            assert_eq!(report(body.clone()), None, "{body}");
        }
    }

    #[test]
    fn what_a_job_made_is_found_where_workers_put_it() {
        let made = json!({ "clips": [{ "clip_index": 0, "s3_url": "/app/output/j/clip_00.mp4" }], "plan_url": null });
        let mut flat = made.clone();
        flat["status"] = json!("completed");
        for state in [
            json!({ "status": "completed", "output": made }),
            json!({ "status": "completed", "output": null, "result": made }),
            flat,
        ] {
            let output = report(state.clone()).unwrap().output.unwrap();
            let file = output.clips[0].file.as_ref().unwrap();
            let url = file.source.as_ref().unwrap().as_written();
            assert_eq!(url, "https://worker.example/outputs/j/clip_00.mp4", "{state}");
        }
        let nothing = json!({ "status": "completed", "result": "ok", "clips": 3 });
        assert_eq!(report(nothing).unwrap().output, None);
    }
}
