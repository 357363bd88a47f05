//! `cargo xtask listen`: a receiver on this machine that prints webhooks and says whether their signatures fit.

use std::collections::HashMap;
use std::io::{BufReader, Read as _, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{io, thread};

use anyhow::Context as _;
use clap::Args;
use reelhook_receiver::Webhook;
use ureq::http::StatusCode;

use crate::instance::{Instance, Run};
use crate::workspace::{Workspace, on_path};
use crate::{interrupt, process, ui};

use block::{Paint, Shown};
use judge::{Judge, Known, Published, Verdict};
use request::{Arrival, Patient, Request};

mod block;
mod judge;
mod request;
#[cfg(test)]
mod tests;

/// Where it listens unless told otherwise; `up` and `demo` let their functions call it.
pub const PORT: u16 = 8090;
/// Connections at once.
const THREADS: usize = 32;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is read on from a sender that was refused: closed at once, it would not see the answer.
const LINGER: Duration = Duration::from_secs(2);
/// Ids of webhooks that are remembered.
const REMEMBERED: usize = 100_000;

/// For --help.
pub const EXAMPLE: &str = "\
Example: a stack, this, and an endpoint with a secret of your choice, which is told webhook.test at once

  cargo xtask up --detach
  SECRET=whsec_$(openssl rand -base64 32)
  REELHOOK_WEBHOOK_SECRETS=$SECRET cargo xtask listen &
  curl http://127.0.0.1:3000/api/webhooks/endpoints -H 'Content-Type: application/json' \\
    -d '{\"url\": \"http://127.0.0.1:8090/\", \"secret\": \"'$SECRET'\"}'

`--answer 503`, `--fail 2` and `--slow 15000` show how a delivery is tried again.";

/// How it listens and answers.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// A secret of the endpoint, `whsec_…`; may be repeated. Others on this machine see a command line: the variable is
    /// for those that matter, by commas
    #[arg(
        long = "secret",
        value_name = "SECRET",
        env = "REELHOOK_WEBHOOK_SECRETS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    secrets: Vec<String>,
    /// A public key of the endpoint, `whpk_…`; may be repeated
    #[arg(long = "public-key", value_name = "KEY")]
    public_keys: Vec<String>,
    /// Where public keys stand, for example http://127.0.0.1:3000/.well-known/webhook-keys.json?endpointId=ep_…
    #[arg(long, value_name = "URL")]
    keys_url: Option<String>,
    /// Status of the answers
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..600))]
    answer: u16,
    /// How many are answered 500 before that
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    fail: u64,
    /// Milliseconds before each answer
    #[arg(long = "slow", value_name = "MS", default_value_t = 0)]
    slow_ms: u64,
    /// Print bodies as they came
    #[arg(long)]
    raw: bool,
}

/// Listens until Ctrl-C.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let published = options.keys_url.clone().map(|url| Published::new(move || fetch(&url))).transpose()?;
    let judge = Judge::new(&options.secrets, &options.public_keys, published)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).with_context(|| {
        format!("port {} can't be had: choose another with `--port PORT` (`--port 0` takes a free one)", options.port)
    })?;
    let port = listener.local_addr().context("ask for the port")?.port();
    introduce(options, port, &judge, running(workspace).as_ref());
    let receiver = Arc::new(Receiver {
        options: options.clone(),
        judge,
        paint: Paint::of_stdout(),
        patience: PATIENCE,
        state: Mutex::new(State::new(options, Box::new(io::stdout()))),
    });
    receiver.start(listener);
    while !receiver.state().is_out_gone {
        if interrupt::pause(Duration::from_millis(200)).is_err() {
            break;
        }
    }
    let State { arrived, verified, .. } = *receiver.state();
    ui::say(format!("\n{arrived} arrived, {verified} of them verified."));
    Ok(())
}

/// The keys at a URL. By curl: this program has no TLS.
fn fetch(url: &str) -> anyhow::Result<Vec<Known>> {
    anyhow::ensure!(url.starts_with("http://") || url.starts_with("https://"), "`{url}` is no URL of public keys");
    let curl = on_path("curl").context("curl is missing, which reads public keys: install it, or give --public-key")?;
    let limits = ["--max-time", "5", "--max-filesize", "1048576"];
    let mut command = Command::new(curl);
    command.args(["--silent", "--show-error", "--fail"]).args(limits).args(["--url", url]);
    let text = process::output(&mut command, b"", &format!("reading {url}"))?;
    let answer = serde_json::from_str(&text).with_context(|| format!("{url} answered no JSON"))?;
    judge::published_keys(&answer).with_context(|| format!("the public keys of {url}"))
}

/// An instance that runs, rather the usual one.
fn running(workspace: &Workspace) -> Option<Run> {
    let mut all = Instance::all(workspace);
    all.sort_by_key(|instance| instance.name != "dev");
    all.iter().find_map(Instance::running)
}

/// Says where it listens, what it verifies, and how webhooks come here.
fn introduce(options: &Options, port: u16, judge: &Judge, run: Option<&Run>) {
    ui::say(format!("Listening on http://127.0.0.1:{port}/ until Ctrl-C; answers {}.", answers(options)));
    ui::say(match judge.counts() {
        (0, 0) => "Nothing is verified: there is no --secret, REELHOOK_WEBHOOK_SECRETS, --public-key or --keys-url."
            .to_owned(),
        (secrets, keys) => format!("Verifies; secrets: {secrets}, public keys: {keys}."),
    });
    let api = run.map_or("http://127.0.0.1:3000", |run| run.api_url.as_str());
    let parameter = |name: &str| run.and_then(|run| run.parameters.get(name)).map_or("", String::as_str);
    let key = if parameter("Auth") == "required" { " -H \"Authorization: Bearer $KEY\"" } else { "" };
    ui::say(format!(
        "
To have webhooks come here:

  curl {api}/api/webhooks/endpoints{key} -H 'Content-Type: application/json' \\
    -d '{{\"url\": \"http://127.0.0.1:{port}/\"}}'
  curl {api}/api/webhooks/endpoints/ep_…/secret{key}   # its secret, for --secret
"
    ));
    let here = format!("127.0.0.1:{port}");
    let Some(run) = run else {
        ui::say(format!(
            "A stack calls this machine only if it may: `cargo xtask up` sets OutboundAllow to the studio and 127.0.0.1:{PORT}, and
AllowHttpWebhooks to true. For another port: `cargo xtask up --parameter OutboundAllow=127.0.0.1:4600,{here}`.\n"
        ));
        return;
    };
    let allowed = parameter("OutboundAllow").split(',').any(|entry| entry.trim() == here);
    if !allowed || parameter("AllowHttpWebhooks") != "true" {
        ui::say(format!(
            "The instance `{0}` may not call it yet: `cargo xtask up --instance {0} --parameter OutboundAllow=127.0.0.1:{1},{here}`.\n",
            run.instance, run.ports.studio
        ));
    }
}

fn answers(options: &Options) -> String {
    let first = if options.fail > 0 { format!("500 to the first {}, then ", options.fail) } else { String::new() };
    let late = if options.slow_ms > 0 { format!(" after {} ms", options.slow_ms) } else { String::new() };
    format!("{first}{}{late}", options.answer)
}

struct Receiver {
    options: Options,
    judge: Judge,
    paint: Paint,
    patience: Duration,
    state: Mutex<State>,
}

struct State {
    /// How many there were of each `webhook-id`.
    seen: HashMap<String, u64>,
    /// How many are still to fail.
    failing: u64,
    arrived: u64,
    verified: u64,
    out: Box<dyn Write + Send>,
    /// Whether nobody reads any more.
    is_out_gone: bool,
}

impl State {
    fn new(options: &Options, out: Box<dyn Write + Send>) -> Self {
        Self { seen: HashMap::new(), failing: options.fail, arrived: 0, verified: 0, out, is_out_gone: false }
    }

    fn print(&mut self, text: &str) {
        let printed = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.is_out_gone |= printed.is_err();
    }

    /// How many came with this id, now that one more did.
    fn count(&mut self, id: &str) -> u64 {
        if id.is_empty() {
            return 1;
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        let count = self.seen.entry(id.to_owned()).or_default();
        *count += 1;
        *count
    }
}

impl Receiver {
    /// Answers from now on. The threads take turns in accepting, so that there are never more connections than threads.
    fn start(self: &Arc<Self>, listener: TcpListener) {
        let listener = Arc::new(listener);
        for _ in 0..THREADS {
            let (receiver, listener) = (Arc::clone(self), Arc::clone(&listener));
            thread::spawn(move || {
                loop {
                    match listener.accept() {
                        Ok((stream, _)) => receiver.serve(&stream),
                        // For example too many open files: it may get better.
                        Err(_) => thread::sleep(Duration::from_millis(100)),
                    }
                }
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) {
        let until = Instant::now() + self.patience;
        let mut reader = BufReader::new(Patient { stream, until });
        let mut writer = stream;
        let arrival = request::read(&mut reader, || writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n"));
        // Who is gone can't be answered.
        let _ = match arrival {
            Ok(Arrival::Nothing) => return,
            Ok(Arrival::Visit) => answer(stream, 200, "cargo xtask listen: webhooks are POSTed here\n"),
            Ok(Arrival::Webhook(request)) => {
                let status = self.receive(&request);
                thread::sleep(Duration::from_millis(self.options.slow_ms));
                answer(stream, status, "")
            }
            Err(refusal) => {
                let line = block::refusal(refusal.status, &refusal.why, SystemTime::now(), self.paint);
                self.state().print(&line);
                answer(stream, refusal.status, "").and_then(|()| linger(stream))
            }
        };
    }

    /// Prints a webhook; returns the status of its answer.
    fn receive(&self, request: &Request) -> u16 {
        let now = SystemTime::now();
        let webhook = Webhook {
            id: request.header("webhook-id"),
            timestamp: request.header("webhook-timestamp"),
            signature: request.header("webhook-signature"),
            body: &request.body,
        };
        let verdict = self.judge.verify(webhook, now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
        let older = request.header("x-streamgank-signature");
        let checks_older = !older.is_empty() && self.judge.counts().0 > 0;
        let streamgank = checks_older.then(|| self.judge.streamgank(older, &request.body));
        // Held until it is printed: blocks stay whole, and in the order of their repeats.
        let mut state = self.state();
        state.arrived += 1;
        state.verified += u64::from(matches!(verdict, Verdict::By(_)));
        let answer = if state.failing > 0 { 500 } else { self.options.answer };
        state.failing = state.failing.saturating_sub(1);
        let repeat = state.count(webhook.id);
        let (verdict, raw) = (&verdict, self.options.raw);
        let text = Shown { request, now, repeat, verdict, streamgank, answer, raw }.text(self.paint);
        state.print(&text);
        answer
    }
}

fn answer(mut stream: &TcpStream, status: u16, text: &str) -> io::Result<()> {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let length = match status {
        204 | 304 => String::new(),
        _ => format!("Content-Length: {}\r\n", text.len()),
    };
    let allow = if status == 405 { "Allow: POST\r\n" } else { "" };
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!("HTTP/1.1 {status} {reason}\r\n{length}{allow}Connection: close\r\n\r\n");
    stream.write_all(format!("{head}{text}").as_bytes())
}

/// Reads what a refused sender still says, a little of it and for a moment.
fn linger(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let until = Instant::now() + LINGER;
    let mut rest = Patient { stream, until }.take(8 * request::BODY_LIMIT as u64);
    let mut buffer = [0; 16 * 1024];
    while Instant::now() < until && rest.read(&mut buffer)? > 0 {}
    Ok(())
}
