//! Logs: the lines of a job, their search and archive, and their counts.

use std::io::Read;

use serde_json::{Value, json};

use crate::stack::Stack;

async fn lines(stack: &Stack, path: &str) -> Vec<Value> {
    let (status, answer) = stack.get(path).await;
    assert_eq!(status, 200, "{answer}");
    let lines = answer["data"]["logs"].as_array().expect("logs").clone();
    assert_eq!(answer["data"]["count"], lines.len());
    lines
}

async fn stats(stack: &Stack) -> (i64, i64, i64) {
    let (status, answer) = stack.get("/api/logs/stats").await;
    assert_eq!(status, 200, "{answer}");
    let number = |name: &str| answer["data"][name].as_i64().expect("a number");
    let levels = answer["data"]["by_level"].as_object().expect("levels");
    assert_eq!(levels.values().filter_map(Value::as_i64).sum::<i64>(), number("total_entries"), "{answer}");
    (number("active_log_files"), number("archived_log_files"), number("total_entries"))
}

#[tokio::test]
async fn log_lines_of_a_job_are_listed_searched_archived_counted_and_removed_with_it() {
    let stack = Stack::open().await;
    let before = stats(&stack).await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    let all = stack
        .eventually("the last line", || async {
            let all = lines(&stack, &format!("/api/queue/job/{job}/logs")).await;
            (all.last()?["event_type"] == "job_completed").then_some(all)
        })
        .await;
    assert_eq!(all[0]["event_type"], "job_queued", "oldest first");
    assert!(all.iter().all(|line| line["job_id"] == json!(job) && line["type"] == line["level"]));
    let kept = format!("/api/queue/job/{job}/logs/persistent");
    assert_eq!(lines(&stack, &kept).await, all);
    assert_eq!(lines(&stack, &format!("{kept}?limit=2")).await, all[all.len() - 2..]);

    let found = lines(&stack, &format!("/api/logs/search?jobId={job}&eventType=webhook_received&limit=1000")).await;
    assert!(found.len() >= 14 && found.iter().all(|line| line["details"]["step_number"].is_number()), "{found:?}");
    // A search over all jobs, page by page, finds every line of this job once and in order.
    let mut parts: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    stack
        .eventually("the index has the last line", || async {
            let newest = lines(&stack, "/api/logs/search?eventType=job_completed&limit=5").await;
            newest.iter().any(|line| line["job_id"] == json!(job)).then_some(())
        })
        .await;
    loop {
        let (status, answer) = stack.get(&format!("/api/logs/search?limit=9{cursor}")).await;
        assert_eq!(status, 200, "{answer}");
        let data = &answer["data"];
        parts.splice(0..0, data["logs"].as_array().expect("logs").iter().cloned());
        if parts[0]["timestamp"].as_str() < all[0]["timestamp"].as_str() {
            break;
        }
        let Some(next) = data["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let of_job: Vec<&Value> = parts.iter().filter(|line| line["job_id"] == json!(job)).collect();
    assert_eq!(of_job, all.iter().collect::<Vec<_>>());

    let (status, answer) = stack.post(&format!("/api/queue/job/{job}/logs/archive"), &json!({})).await;
    assert_eq!((status, &answer["jobId"]), (200, &json!(job)), "{answer}");
    assert_eq!(answer["message"], format!("Logs for job {job} archived successfully"));
    let file = stack.aws.object(&format!("logs/{job}/log.ndjson.gz")).await.expect("the archive");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&file[..]).read_to_string(&mut text).expect("gzip");
    let archived: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(archived, all);
    let counted = (before.0 + 1, before.1 + 1, before.2 + all.len() as i64);
    stack.eventually("the counters follow", || async { (stats(&stack).await == counted).then_some(()) }).await;

    let (status, answer) = crate::stack::read(
        stack
            .request(reqwest::Method::DELETE, &format!("/api/queue/job/{job}/delete"))
            .send()
            .await
            .expect("an answer"),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    stack.eventually("the counters follow", || async { (stats(&stack).await == before).then_some(()) }).await;
    let key = format!("logs/{job}/log.ndjson.gz");
    stack.eventually("the archive is gone", || async { (!stack.aws.has_object(&key).await).then_some(()) }).await;
    assert!(lines(&stack, &kept).await.is_empty());
}

#[tokio::test]
async fn the_archive_has_the_log_after_the_table_lost_it() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    stack
        .eventually("the last line", || async {
            let all = lines(&stack, &format!("/api/queue/job/{job}/logs")).await;
            (all.last()?["event_type"] == "job_completed").then_some(())
        })
        .await;
    let all = lines(&stack, &format!("/api/queue/job/{job}/logs")).await;
    let (status, _) = stack.post(&format!("/api/queue/job/{job}/logs/archive"), &json!({})).await;
    assert_eq!(status, 200);
    stack
        .eventually("fanout has packed the log", || async { (stack.aws.log_rows(&job).await > 0).then_some(()) })
        .await;
    stack.aws.forget_lines(&job).await;
    // The item keeps what was packed last.
    let mut stored = stack.stored(&job).await;
    stored.version += 1;
    stored.outbox.clear();
    stored.history = None;
    stack.aws.save_job(&stored).await;
    let (_, answer) = stack.get(&format!("/api/queue/job/{job}/logs/persistent")).await;
    assert_eq!((&answer["data"]["source"], &answer["data"]["logs"]), (&json!("archive"), &json!(all)));
}

#[tokio::test]
async fn a_search_over_all_jobs_finds_lines_of_a_running_job_and_its_end_is_one_row() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=3").await;
    stack.until(&job, "in step 3", |job| job["currentStepNumber"] == 3).await;
    let of_job = async || {
        let mut found = lines(&stack, "/api/logs/search?eventType=webhook_received&limit=1000").await;
        found.retain(|line| line["job_id"] == json!(job));
        found
    };
    let running = stack.eventually("its lines", || async { Some(of_job().await).filter(|of| of.len() >= 3) }).await;
    assert_eq!(stack.aws.log_rows(&job).await, 0, "they are on its item");
    let (status, answer) = stack.post(&format!("/api/job/{job}/cancel"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let ended = stack.eventually("its row", || async { Some(of_job().await).filter(|of| !of.is_empty()) }).await;
    assert_eq!(ended[..running.len()], running[..]);
    assert_eq!(stack.aws.log_rows(&job).await, 1);
}

#[tokio::test]
async fn invalid_parameters_are_named() {
    let stack = Stack::open().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("level=loud", "level"),
        ("from=then", "from"),
        ("from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z", "from"),
        ("cursor=x", "cursor"),
        ("jobId=a%20b", "jobId"),
    ] {
        let (status, answer) = stack.get(&format!("/api/logs/search?{query}")).await;
        assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{query}: {answer}");
        assert!(answer["error"].as_str().expect("a sentence").starts_with(&format!("`{field}` must be")), "{answer}");
    }
    let (status, answer) = stack.get("/api/queue/job/job_1_a/logs/persistent?limit=1001").await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_field")));
    let (status, answer) = stack.post("/api/queue/job/job_1_a/logs/archive", &json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &json!("job_not_found")));
    assert!(lines(&stack, "/api/queue/job/job_1_a/logs/persistent").await.is_empty());
}
