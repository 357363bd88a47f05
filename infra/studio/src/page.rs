//! GET /: a page with the latest jobs, renders and webhooks, for people who watch a demo.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use serde_json::Value;

use crate::creatomate::Creatomate;
use crate::receiver::Receiver;
use crate::worker::{Phase, Worker};

const ROWS: usize = 50;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>Mock services</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin: 0; } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; } p { margin: .2rem 0; opacity: .75; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; opacity: .7; } td.mono { font-family: ui-monospace, monospace; font-size: .85rem; }
.tag { padding: .05rem .5rem; border-radius: 1rem; border: 1px solid var(--line); white-space: nowrap; }
.good { background: #1a7f3722; } .bad { background: #cf222e22; } .open { background: #9a670022; }
</style></head><body><h1>Mock services</h1>
<p>The external worker, Creatomate and webhook receivers.</p>
"#;

/// The sources of the page.
pub(crate) struct Page {
    worker: Arc<Worker>,
    creatomate: Arc<Creatomate>,
    receiver: Arc<Receiver>,
}

impl Page {
    pub(crate) fn new(worker: Arc<Worker>, creatomate: Arc<Creatomate>, receiver: Arc<Receiver>) -> Arc<Self> {
        Arc::new(Self { worker, creatomate, receiver })
    }

    fn to_html(&self) -> String {
        let runs = self.worker.latest(ROWS).into_iter().map(|run| {
            let (phase, sent, accepted) = run.summary();
            let job = format!("{} · attempt {}", run.job.job_id, run.job.attempt);
            let callbacks = format!("{accepted} of {sent} answered with 200");
            row(&[mono(&job), phase_tag(phase), plain(&callbacks), plain(&run.worker_id)])
        });
        let renders = self.creatomate.latest(ROWS).into_iter().map(|render| {
            let shown = render.summary();
            let file = match shown["url"].as_str() {
                Some(url) => format!(r#"<td><a href="{0}">video</a></td>"#, escaped(url)),
                None => plain(shown["error_message"].as_str().unwrap_or("")),
            };
            let webhook = match shown["webhook"]["http_status"].as_u64() {
                Some(status) => plain(&status.to_string()),
                None => plain(shown["webhook"]["error"].as_str().unwrap_or("")),
            };
            row(&[mono(&render.id), status_tag(&shown), plain(&render.request.title), file, webhook])
        });
        let hooks = self.receiver.summaries().into_iter().map(|hook| {
            let events = hook["by_event"].as_object().into_iter().flatten();
            let events: Vec<String> = events.map(|(name, count)| format!("{name} {count}")).collect();
            let verified = hook["verified"].as_object().into_iter().flatten();
            let verified: Vec<String> = verified
                .map(|(name, tally)| format!("{name}: {} valid, {} invalid", tally["passed"], tally["failed"]))
                .collect();
            row(&[
                mono(hook["name"].as_str().unwrap_or("")),
                plain(&hook["received"].to_string()),
                plain(&events.join(", ")),
                plain(&hook["repeats"].to_string()),
                plain(&verified.join("; ")),
            ])
        });
        let mut html = HEAD.to_owned();
        table(&mut html, "Jobs at the external worker", &["job", "run", "callbacks", "worker"], runs);
        table(&mut html, "Renders at Creatomate", &["render", "status", "title", "result", "webhook"], renders);
        table(&mut html, "Webhooks received", &["receiver", "deliveries", "events", "repeats", "verification"], hooks);
        html.push_str("</body></html>\n");
        html
    }
}

fn table(html: &mut String, title: &str, columns: &[&str], rows: impl Iterator<Item = String>) {
    let rows: String = rows.collect();
    if rows.is_empty() {
        let _ = write!(html, "<h2>{title}</h2><p>None yet.</p>");
        return;
    }
    let head: String = columns.iter().map(|name| format!("<th>{name}</th>")).collect();
    let _ = write!(html, r#"<h2>{title}</h2><div class="wide"><table><tr>{head}</tr>{rows}</table></div>"#);
}

fn row(cells: &[String]) -> String {
    format!("<tr>{}</tr>", cells.concat())
}

fn plain(text: &str) -> String {
    format!("<td>{}</td>", escaped(text))
}

fn mono(text: &str) -> String {
    format!(r#"<td class="mono">{}</td>"#, escaped(text))
}

fn tag(class: &str, text: &str) -> String {
    format!(r#"<td><span class="tag {class}">{}</span></td>"#, escaped(text))
}

fn phase_tag(phase: Phase) -> String {
    match phase {
        Phase::Running => tag("open", "running"),
        Phase::Completed => tag("good", "completed"),
        Phase::Paused => tag("good", "ended after extraction"),
        Phase::Failed => tag("bad", "failed"),
        Phase::Stalled => tag("bad", "stalled"),
        Phase::Vanished => tag("bad", "vanished"),
        Phase::Cancelled => tag("bad", "cancelled"),
    }
}

fn status_tag(render: &Value) -> String {
    let status = render["status"].as_str().unwrap_or_default();
    let class = match status {
        "succeeded" => "good",
        "failed" => "bad",
        _ => "open",
    };
    tag(class, status)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(crate) fn routes(page: Arc<Page>) -> Router {
    Router::new().route("/", get(show)).with_state(page)
}

async fn show(State(page): State<Arc<Page>>) -> Html<String> {
    Html(page.to_html())
}
