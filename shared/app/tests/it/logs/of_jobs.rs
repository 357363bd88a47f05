//! Searches among the items of running jobs and the packed rows of ended ones.

use reelhook_domain::Effect;

use super::*;

/// Jobs of which some have ended, and each of their lines in order of time, as a message with its place.
///
/// A job has reports at intervals of seconds to minutes; of every third one fanout has written the row of its end, but its
/// item is still in the index of active jobs.
fn lived_jobs(count: u32, reports: i64) -> (Lines, Vec<String>) {
    let (policy, mut lines, mut all) = (policy(), Lines::default(), BTreeMap::new());
    for n in 0..count {
        let mut now = Timestamp(NOON.millis() - 20 * HOUR + i64::from(n) * 1_000);
        let mut job = make_job(n, now, &policy);
        for report in 0..reports {
            now = now.after(Duration::from_secs(u64::from(n * 7 % 50) + report as u64 % 4));
            let number = u8::try_from(report % 6 + 1).unwrap();
            let mut event = step(1, number, StepStatus::Completed, None);
            let Event::Step { update, .. } = &mut event else { unreachable!() };
            update.sequence = report;
            job = lived(job, &[event], now, &policy);
            lines.fan_out(&job);
        }
        let running = job.clone();
        if n % 2 == 0 {
            job = lived(job, &[Event::Cancel], now, &policy);
            lines.fan_out(&job);
        }
        let rows = lines.of_jobs.iter().filter(|((of, _), _)| *of == job.id).flat_map(|(_, row)| row.clone());
        for (seq, line) in rows.chain(kept_lines(&job)) {
            all.insert(day_place(line.at, &line.subject, &seq), format!("{seq} {}", line.entry.message));
        }
        lines.jobs.push(if n % 3 == 0 { running } else { job });
    }
    (lines, all.into_values().collect())
}

/// Every line that a search finds, page by page, as its message.
async fn messages(lines: &Lines, mut wanted: Search) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let part = search(lines.sources(), &wanted, NOON).await.unwrap();
        assert!(part.lines.len() <= wanted.limit && !part.partial);
        let messages = part.lines.iter().map(|line| line["message"].as_str().unwrap().to_owned());
        found.splice(0..0, messages);
        wanted.before = part.next;
        if wanted.before.is_none() {
            return found;
        }
    }
}

fn without_seq(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

#[tokio::test]
async fn packed_rows_and_items_together_have_each_line_once_and_in_order_for_any_page_size() {
    let (lines, all) = lived_jobs(40, 12);
    assert!(lines.of_days.len() < all.len() / 4, "{} rows of {} lines", lines.of_days.len(), all.len());
    for limit in [1, 7, 100, 1000] {
        assert_eq!(messages(&lines, everywhere(limit)).await, without_seq(&all), "{limit} at a time");
    }
}

#[tokio::test]
async fn the_log_of_a_long_job_is_found_in_its_spilled_rows_and_on_its_item() {
    let (lines, all) = lived_jobs(2, 300);
    assert!(lines.of_jobs.len() > 8, "{} rows", lines.of_jobs.len());
    for job in &lines.jobs {
        let wanted = messages(&lines, Search::newest(&job.id, 7)).await;
        assert!(wanted.len() >= 300, "{}", wanted.len());
        assert_eq!(wanted, messages(&lines, Search::newest(&job.id, 1000)).await);
    }
    assert_eq!(messages(&lines, everywhere(1000)).await, without_seq(&all));
}

#[tokio::test]
async fn a_log_is_whole_while_fanout_has_not_written_what_was_packed_last() {
    let (policy, mut lines, mut packed, mut written) = (policy(), Lines::default(), None, 0);
    let mut now = Timestamp(NOON.millis() - HOUR);
    let mut job = make_job(1, now, &policy);
    for report in 0..200 {
        written += job.outbox.iter().filter(|effect| matches!(effect, Effect::Log { .. })).count();
        if job.outbox.contains(&Effect::PackHistory)
            && let Some(before) = packed.replace(job.clone())
        {
            lines.fan_out(&before);
        }
        lines.jobs = vec![job.clone()];
        if report % 9 == 0 {
            for search in [Search::newest(&job.id, 1_000), Search::newest(&job.id, 7), everywhere(7)] {
                assert_eq!(messages(&lines, search).await.len(), written, "after {report} reports");
            }
        }
        now = now.after(Duration::from_secs(2));
        let mut event = step(1, 1, StepStatus::Completed, None);
        let Event::Step { update, .. } = &mut event else { unreachable!() };
        update.sequence = report;
        job = lived(job, &[event], now, &policy);
    }
    assert!(!lines.of_jobs.is_empty(), "more than one pack");
}

#[tokio::test]
async fn a_search_says_that_it_has_not_read_all_jobs_and_finds_nothing_of_a_deleted_one() {
    let policy = policy();
    let mut lines = Lines::default();
    let made = |n: u32| make_job(n, Timestamp(NOON.millis() - HOUR), &policy);
    lines.jobs = (0..2_001).map(made).collect();
    let found = search(lines.sources(), &everywhere(1_000), NOON).await.unwrap();
    assert_eq!((found.lines.len(), found.partial, found.next.is_some()), (1_000, false, true));
    let rest = Search { before: found.next, ..everywhere(1_001) };
    let rest = search(lines.sources(), &rest, NOON).await.unwrap();
    assert_eq!((rest.lines.len(), rest.partial, rest.next), (1_000, true, None));
    let deleted = lived(made(1), &[Event::Cancel, Event::Delete], NOON, &policy);
    lines.jobs = vec![deleted.clone()];
    assert!(search(lines.sources(), &Search::newest(&deleted.id, 10), NOON).await.unwrap().lines.is_empty());
}

#[tokio::test]
async fn a_cursor_among_many_jobs_at_once_comes_to_an_end() {
    // 20,000 rows within five minutes, more than 64 pages: those after the cursor are read again beside the bound.
    let mut lines = Lines::default();
    for n in 0..20_000 {
        let at = |offset: i64| Timestamp(NOON.millis() - 20 * HOUR + i64::from(n) * 10 + offset);
        let line = |at: Timestamp, index: usize, message: &str| {
            let entry = LogEntry {
                event_type: "job_log".to_owned(),
                level: LogLevel::Info,
                message: message.to_owned(),
                details: json!({ "n": n }),
            };
            let subject = Subject::from(job(n as usize));
            (sort_key(1, index), LogLine { subject, dialect: Dialect::StreamGank, at, entry })
        };
        let first = line(at(0), 0, if n == 3 { "the needle" } else { "hay" });
        lines.add_row(&job(n as usize), &sort_key(1, 1), vec![first, line(at(60_000), 1, "hay")]);
    }
    let mut needle = Search { contains: Some("needle".to_owned()), ..everywhere(1000) };
    for _ in 0..10 {
        let found = search(lines.sources(), &needle, NOON).await.unwrap();
        if !found.lines.is_empty() {
            assert_eq!(numbers(&found.lines), [3]);
            return;
        }
        assert!(found.partial && found.next < needle.before.clone().or(Some("~".to_owned())), "it gets on");
        needle.before = found.next;
    }
    panic!("the line was not found");
}
