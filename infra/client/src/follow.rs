//! Following one job, video, project or clip job until it ends: by its live events, which continue after a connection
//! is cut off, or by polling where there is no stream.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish};
use reelhook_terminal::arguments::parse_duration;
use reelhook_terminal::{ui, visible};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use crate::api::events::{Event, Parser};
use crate::api::{Api, Call, backoff, cause, client};
use crate::failure::Failure;
use crate::families::family::{Family, Outcome, State};
use crate::families::read;
use crate::output::Output;

/// How often a state is read where there is no stream.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// A stream that fails this often in a row is given up.
const MAX_FAILURES: u32 = 3;
/// When a stream is opened again if it says nothing about that.
const RETRY: Duration = Duration::from_secs(1);
/// How long a receiver of live events may take.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(10);

/// How something is followed.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FollowOptions {
    /// Read the state every two seconds instead of following live events
    #[arg(long)]
    poll: bool,
    /// Stop waiting after this time, such as 30m, with exit code 6; the work goes on
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// POST each live event as JSON to this URL, such as http://127.0.0.1:8000/events
    #[arg(long, value_name = "URL", conflicts_with = "poll")]
    forward_to: Option<Url>,
}

/// Follows until the end.
///
/// # Errors
/// [`Failure::Unfinished`] after the timeout. How the work ended is no failure here.
pub async fn follow(
    api: &Api,
    output: &Output,
    family: &'static dyn Family,
    state: State,
    options: &FollowOptions,
) -> Result<State, Failure> {
    let id = state.id.clone();
    output.when_interrupted(format!(
        "{id} goes on. Follow it with `reelhook watch {id}`, cancel it with `reelhook cancel {id}`."
    ));
    let forward = options.forward_to.clone().map(Forward::new).transpose()?;
    let mut viewer = Viewer { api, family, view: View::new(output), state, etag: None, forward };
    let ended = match options.timeout {
        None => viewer.until_ended(options.poll).await,
        Some(time) => tokio::time::timeout(time, viewer.until_ended(options.poll)).await.unwrap_or_else(|_| {
            let time = ui::seconds(time);
            Err(Failure::Unfinished(format!("{id} has not ended within {time}; it goes on")))
        }),
    };
    viewer.view.close();
    ended?;
    Ok(viewer.state)
}

/// How work ended, as the result of a command.
pub fn verdict(state: &State) -> Result<(), Failure> {
    let (id, status) = (&state.id, visible::line(&state.status));
    match state.outcome {
        Some(Outcome::Succeeded) => Ok(()),
        Some(Outcome::Failed | Outcome::Cancelled) => {
            let reason = state.error.as_ref().map_or_else(String::new, |error| format!(": {}", visible::line(error)));
            Err(Failure::Ended(format!("{id} is {status}{reason}")))
        }
        None => Err(Failure::Unfinished(format!("{id} is {status}: `reelhook watch {id}` waits for its end"))),
    }
}

/// Who follows one.
struct Viewer<'a> {
    api: &'a Api,
    family: &'static dyn Family,
    view: View<'a>,
    state: State,
    etag: Option<HeaderValue>,
    forward: Option<Forward>,
}

/// How a stream ended.
enum Streamed {
    /// With the last event.
    Over,
    /// It can't be used.
    Unusable(String),
}

impl Viewer<'_> {
    async fn until_ended(&mut self, poll: bool) -> Result<(), Failure> {
        self.view.show(&self.state)?;
        let mut polls = poll;
        while self.state.outcome.is_none() {
            if polls {
                tokio::time::sleep(POLL_INTERVAL).await;
            } else {
                // Whatever comes next, the state is read: an event may have been missed, and it has the result.
                polls = true;
                if let Streamed::Unusable(reason) = self.stream().await? {
                    self.view.say(&format!("{reason}; reading the state every {} instead", ui::seconds(POLL_INTERVAL)));
                }
            }
            self.read().await?;
        }
        Ok(())
    }

    /// Reads the state.
    async fn read(&mut self) -> Result<(), Failure> {
        let path = self.family.paths(&self.state.id).state;
        let answer = self.api.send(Call::get(path).since(self.etag.clone())).await?;
        if answer.status != 304 {
            self.etag = answer.etag;
            self.state = read(self.family, &self.state.id, &answer.body)?;
        }
        self.view.show(&self.state)
    }

    /// Follows the live events. A stream that ends early continues after the last event that came.
    async fn stream(&mut self) -> Result<Streamed, Failure> {
        let path = self.family.paths(&self.state.id).stream;
        let (mut position, mut failures): (Option<String>, u32) = (None, 0);
        loop {
            let mut retry = RETRY;
            let failed = match self.api.open_stream(&path, position.as_deref()).await {
                // It has ended, and all its events have been read.
                Ok(response) if response.status().as_u16() == 204 => return Ok(Streamed::Over),
                Ok(response) if is_stream(&response) => {
                    let (before, reading) = (position.clone(), Reading { position: &mut position, retry: &mut retry });
                    let ended = self.events(response, reading).await?;
                    if ended.is_over {
                        return Ok(Streamed::Over);
                    }
                    if position != before {
                        failures = 0;
                    }
                    ended.failed
                }
                Ok(response) if response.status().as_u16() >= 500 && response.status().as_u16() != 503 => {
                    Some(format!("the stream answered {}", response.status()))
                }
                // For example: no place is free for a viewer.
                Ok(response) => {
                    return Ok(Streamed::Unusable(format!("the stream answered {}", response.status())));
                }
                Err(error) => Some(format!("the stream can't be opened: {}", cause(&error))),
            };
            if let Some(reason) = failed {
                failures += 1;
                if failures == MAX_FAILURES {
                    return Ok(Streamed::Unusable(reason));
                }
                retry = retry.max(backoff(failures));
            }
            tokio::time::sleep(retry).await;
        }
    }

    /// Reads the events of one answer.
    async fn events(&mut self, mut response: reqwest::Response, reading: Reading<'_>) -> Result<StreamEnd, Failure> {
        let mut parser = Parser::default();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(StreamEnd { is_over: false, failed: None }),
                Err(error) => {
                    let failed = Some(format!("the stream broke off: {}", cause(&error)));
                    return Ok(StreamEnd { is_over: false, failed });
                }
            };
            if parser.feed(&chunk).is_err() {
                let failed = Some("an event of the stream has more than 1 MiB".to_owned());
                return Ok(StreamEnd { is_over: false, failed });
            }
            while let Some(event) = parser.pop() {
                let Event { id, data, retry } = event;
                *reading.retry = retry.unwrap_or(*reading.retry);
                if let Some(data) = data {
                    self.apply(&serde_json::from_str(&data).unwrap_or(Value::Null), &data).await?;
                }
                // After the event was shown and forwarded: what is interrupted before comes again.
                if let Some(id) = id.filter(|id| !id.is_empty()) {
                    *reading.position = Some(id);
                }
                if self.state.outcome.is_some() {
                    return Ok(StreamEnd { is_over: true, failed: None });
                }
            }
        }
    }

    async fn apply(&mut self, event: &Value, text: &str) -> Result<(), Failure> {
        if matches!(event["type"].as_str(), None | Some("connected" | "heartbeat")) {
            return Ok(());
        }
        if let Some(forward) = &self.forward
            && let Some(problem) = forward.send(text).await
        {
            self.view.say(&problem);
        }
        self.family.update(&mut self.state, event);
        match self.state.outcome {
            // The state that is read then has the result, and is shown.
            Some(_) => Ok(()),
            None => self.view.show(&self.state),
        }
    }
}

/// What an answer changes about the next one.
struct Reading<'a> {
    position: &'a mut Option<String>,
    retry: &'a mut Duration,
}

/// How an answer ended.
struct StreamEnd {
    is_over: bool,
    failed: Option<String>,
}

fn is_stream(response: &reqwest::Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    response.status().as_u16() == 200 && content_type.starts_with("text/event-stream")
}

/// A receiver of live events.
struct Forward {
    http: Client,
    url: Url,
}

impl Forward {
    fn new(url: Url) -> Result<Self, Failure> {
        match url.scheme() {
            "http" | "https" => Ok(Self { http: client(&url)?, url }),
            _ => Err(Failure::Usage("--forward-to must be an http or https URL".to_owned())),
        }
    }

    /// Sends an event once; the problem if it did not arrive.
    async fn send(&self, event: &str) -> Option<String> {
        let request = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        match request.timeout(FORWARD_TIMEOUT).body(event.to_owned()).send().await {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the receiver of the event answered {}", response.status())),
            Err(error) => Some(format!("the receiver of the event can't be reached: {}", cause(&error))),
        }
    }
}

/// How states are shown: as JSON Lines, as a bar on a terminal, or as lines.
struct View<'a> {
    output: &'a Output,
    bar: ProgressBar,
    shown: Value,
}

impl<'a> View<'a> {
    fn new(output: &'a Output) -> Self {
        let bar = if output.is_json() { ProgressBar::hidden() } else { ui::percent_bar() };
        Self { output, bar: bar.with_finish(ProgressFinish::Abandon), shown: Value::Null }
    }

    /// Shows a state, unless nothing has changed.
    fn show(&mut self, state: &State) -> Result<(), Failure> {
        let value = json!(state);
        if self.shown == value {
            return Ok(());
        }
        let what = state.step.as_deref().unwrap_or(&state.status);
        self.bar.set_position(state.progress);
        self.bar.set_message(visible::line(what));
        if self.output.is_json() {
            self.output.result(&value, Vec::new)?;
        } else if self.bar.is_hidden() {
            let status = visible::line(&state.status);
            self.output.say(format!("  {:>3} %  {status:<10}  {}", state.progress, visible::line(what)));
        }
        self.shown = value;
        Ok(())
    }

    fn say(&self, sentence: &str) {
        self.bar.suspend(|| self.output.say(sentence));
    }

    fn close(&self) {
        self.bar.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(outcome: Option<Outcome>, error: Option<&str>) -> State {
        State {
            id: "job_1".to_owned(),
            family: "job",
            status: "failed".to_owned(),
            progress: 0,
            step: None,
            error: error.map(str::to_owned),
            outcome,
            files: Vec::new(),
        }
    }

    #[test]
    fn how_work_ended_is_the_result() {
        assert!(verdict(&state(Some(Outcome::Succeeded), None)).is_ok());
        let failed = verdict(&state(Some(Outcome::Failed), Some("No movies\u{1b}"))).unwrap_err();
        assert_eq!((failed.code(), failed.to_string().as_str()), (5, "job_1 is failed: No movies\\u{1b}"));
        assert_eq!(verdict(&state(None, None)).unwrap_err().code(), 6);
    }
}
