//! Values that are measured or counted, or that depend on what else the stack has done: they become fixed ones.

use serde_json::{Map, Value, json};

/// The value that stands for a member; none for a member that is the same in each run.
pub(super) fn fixed(object: &Map<String, Value>, name: &str) -> Option<Value> {
    let value = object.get(name).filter(|value| !value.is_null())?;
    let has = |other: &str| object.contains_key(other);
    opaque(object, name).or_else(|| counted(object, name)).or_else(|| {
        Some(match name {
            // The length of a video or of a render is that of the request.
            "duration" if ["scenes", "file_size", "sceneNumber", "qualityScore", "project_id"].into_iter().any(has) => {
                return None;
            }
            "duration" if value.is_string() => json!("42s"),
            "duration" if has("detailsUrl") => json!(42_000),
            // The length of a clip is that of its range.
            "durationMs" if has("endMs") => return None,
            "duration" | "durationMs" => json!(42),
            "processing_duration_ms" => json!(42_000),
            "firstByteMs" | "latencyMs" => json!(38),
            "retryAfter" if value.is_number() => json!(30),
            "renderTime" => json!("12s"),
            "estimatedTime" => json!("20-30 seconds"),
            "size" if has("s3Key") || has("downloadUrl") => json!(184_320),
            "file_size" | "fileSize" => json!(48_213),
            "byType" => json!({ "generation": 3, "success": 1, "system": 1, "webhook": 4 }),
            "recentSuccessPercent" => json!(100),
            "score" if has("scoreBasis") => json!(0.82),
            "scoreBasis" => json!({ "energy": 0.9, "variety": 0.7, "scenes": 1 }),
            "score" if has("disabledAt") => json!(if object["disabledAt"].is_null() { 100 } else { 0 }),
            "underWay" if has("concurrencyNow") => json!(0),
            "concurrencyNow" => json!(20),
            "examined" if has("matched") => object["matched"].clone(),
            // 100 times the version, plus the place; the sequence of a step is a time.
            "sequence" => json!(2100 + value.as_u64().filter(|sequence| (200..1_000_000).contains(sequence))? % 100),
            _ => return None,
        })
    })
}

/// Names that mean nothing to a reader.
fn opaque(object: &Map<String, Value>, name: &str) -> Option<Value> {
    Some(match name {
        "request_id" => json!("363bd296-812b-4e48-9652-41af1bf3193d"),
        "nextCursor" => json!("MTcwNDExMDQwMDAwMA"),
        "workerId" => json!("worker-7"),
        "clientId" => json!("viewer-1"),
        "peer" => json!("203.0.113.7:443"),
        "user-agent" if object[name].as_str().is_some_and(|agent| agent.starts_with("Reelhook/")) => {
            json!("Reelhook/1.0.0")
        }
        // Of a JSON Web Key.
        "x" if object.contains_key("kty") => json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
        _ => return None,
    })
}

/// Numbers of jobs, of projects, of errors and of lines, to which other tests contribute.
fn counted(object: &Map<String, Value>, name: &str) -> Option<Value> {
    let has = |names: &[&str]| names.iter().all(|name| object.contains_key(*name));
    let number = match name {
        "pending" | "processing" if has(&["completed", "failed"]) => 1,
        "rendering" if has(&["pending", "failed"]) => 0,
        "completed" if has(&["pending", "failed"]) => 128,
        "failed" if has(&["pending", "completed"]) => 3,
        "cancelled" if has(&["pending", "completed"]) => 2,
        "total" if has(&["pending", "completed"]) => 135,
        "activeWorkers" => 1,
        "availableWorkers" => 9,
        "queuePosition" => 3,
        "totalDocs" | "totalPages" => 24,
        "total" if has(&["active", "dismissed"]) => 12,
        "active" if has(&["dismissed", "byType"]) => 9,
        "dismissed" if has(&["active", "byType"]) => 3,
        "critical" if has(&["error", "warning", "info"]) => 1,
        "error" if has(&["critical", "warning", "info"]) => 3,
        "warning" if has(&["critical", "error", "info"]) => 4,
        "info" if has(&["critical", "error", "warning"]) => 1,
        "clearedCount" => 3,
        "message" if has(&["clearedCount"]) => return Some(json!("Cleared 3 failed jobs")),
        "cleanedCount" => 1,
        "active_log_files" => 12,
        "archived_log_files" => 4,
        "total_entries" => 240,
        "total_size_mb" => return Some(json!(0.052)),
        "info" if has(&["success", "warning", "error"]) => 180,
        "success" if has(&["info", "warning", "error"]) => 44,
        "warning" if has(&["info", "success", "error"]) => 9,
        "error" if has(&["info", "success", "warning"]) => 7,
        _ => return None,
    };
    Some(json!(number))
}
