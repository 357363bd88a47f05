//! `reelhook listen`: a receiver on this machine that prints webhooks, verifies their signatures, and passes them on.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;
use http_body_util::Full;
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::header::ALLOW;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use reelhook_receiver::Webhook;
use reelhook_terminal::ui::{self, Colours};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::signal::ctrl_c;
use tokio::sync::{Notify, Semaphore};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::api::{Api, cause, client};
use crate::failure::Failure;
use crate::output::Output;

use block::Block;
use forward::Forward;
use register::{RegisterOptions, Registration};
use request::Request;
use verifier::{NamedKey, PublishedKeys, Verdict, Verifier};

mod block;
mod forward;
mod register;
mod request;
#[cfg(test)]
mod tests;
mod verifier;

/// Default port; a stack of `cargo xtask up` may call it.
const PORT: u16 = 8090;
/// Maximum of concurrent connections.
const MAX_CONNECTIONS: usize = 32;
/// How long a request may take to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the rest of a request is read after its response.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum of remembered `webhook-id`s.
const MAX_REMEMBERED_IDS: usize = 100_000;
/// Maximum bytes of a remembered `webhook-id`: anyone who reaches the port can send some that nobody signed.
const MAX_REMEMBERED_ID_BYTES: usize = 256;
/// Maximum bytes of the document of public keys.
const MAX_KEYS: usize = 1024 * 1024;

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook listen --register --event 'job.*' --event 'video.*'
  reelhook listen --register --public-url https://abcd.tunnel.example/ --forward-to http://127.0.0.1:8000/hooks
  reelhook listen --keys-url http://127.0.0.1:3000/.well-known/webhook-keys.json
  reelhook listen --answer 503 --fail 2 --slow 15000
  reelhook listen --register --json

With --register the endpoint exists until Ctrl-C, and has a secret of its own, which the receiver knows. A stack on AWS
can only call a public https URL: give that of a tunnel to this port as --public-url. A local stack may call port 8090;
for another one, `cargo xtask up` needs `--parameter OutboundAllow=127.0.0.1:4600,127.0.0.1:PORT`.";

/// Options of the receiver.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Port on 127.0.0.1; 0 for any free port
    #[arg(long, default_value_t = PORT)]
    port: u16,
    #[command(flatten)]
    keys: KeyOptions,
    #[command(flatten)]
    answers: AnswerOptions,
    #[command(flatten)]
    registration: RegisterOptions,
    /// POST each webhook to this URL with the headers and bytes that came, and answer with the status of its answer
    #[arg(long, value_name = "URL", conflicts_with = "answer")]
    forward_to: Option<Url>,
    /// Print bodies unformatted
    #[arg(long)]
    raw: bool,
}

/// What signatures are verified with.
#[derive(Clone, Debug, Default, Args)]
struct KeyOptions {
    /// A secret of the endpoint, `whsec_…`; may be repeated. Other users of this machine can see command lines: pass
    /// secrets that matter in the variable, separated by commas
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
    /// URL of public keys, for example http://127.0.0.1:3000/.well-known/webhook-keys.json?endpointId=ep_…
    #[arg(long, value_name = "URL")]
    keys_url: Option<Url>,
}

/// How webhooks are answered.
#[derive(Clone, Debug, Args)]
struct AnswerOptions {
    /// Status of the responses
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..600))]
    answer: u16,
    /// Number of webhooks that get status 500 first
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    fail: u64,
    /// Delay before each response, in milliseconds
    #[arg(long = "slow", value_name = "MS", default_value_t = 0)]
    slow_ms: u64,
}

/// Receives webhooks until Ctrl-C. `api` is called only if an endpoint is registered.
pub async fn run(
    api: impl FnOnce() -> Result<Api, Failure>,
    output: &Output,
    options: &Options,
) -> Result<(), Failure> {
    let registration = match options.registration.is_wanted() {
        true => Some(Registration::new(api()?, &options.registration)),
        false => None,
    };
    let secrets = options.keys.secrets.iter().cloned();
    let secrets: Vec<String> = secrets.chain(registration.iter().map(|made| made.secret().to_owned())).collect();
    let published = options.keys.keys_url.clone().map(published).transpose()?;
    let verifier = Verifier::new(&secrets, &options.keys.public_keys, published)
        .map_err(|error| Failure::Usage(format!("{error:#}")))?;
    let forward = options.forward_to.clone().map(Forward::new).transpose()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.with_context(|| {
        format!("port {} is in use: choose another with `--port PORT` (`--port 0` for any free port)", options.port)
    })?;
    let port = listener.local_addr().context("read the listener's port")?.port();
    introduce(options, port, &verifier);
    let receiver = Arc::new(Receiver {
        answers: options.answers.clone(),
        form: if output.is_json() {
            Form::Json
        } else {
            Form::Text { colours: Colours::of_stdout(), raw: options.raw }
        },
        verifier,
        forward,
        request_timeout: REQUEST_TIMEOUT,
        closed: Notify::new(),
        state: Mutex::new(State::new(options.answers.fail, Box::new(io::stdout()))),
    });
    // It receives before the endpoint is registered, whose test comes at once.
    let accepting = tokio::spawn(Arc::clone(&receiver).accept(listener));
    let ended = tokio::select! {
        ended = until_stopped(registration.as_ref(), port, &receiver) => ended,
        _ = ctrl_c() => Ok(()),
    };
    if let Some(registration) = &registration {
        registration.remove().await;
    }
    accepting.abort();
    let State { arrived, verified, .. } = *receiver.state();
    ui::say(format!("\nReceived {arrived} webhooks, {verified} of them verified."));
    ended
}

/// Registers the endpoint if that is wanted, and waits until nobody reads the output any more.
async fn until_stopped(registration: Option<&Registration>, port: u16, receiver: &Receiver) -> Result<(), Failure> {
    if let Some(registration) = registration {
        let id = registration.add(port).await?;
        ui::say(format!("Registered the endpoint {id}, which is deleted at the end.\n"));
    }
    receiver.closed.notified().await;
    Ok(())
}

/// The keys that are published at a URL.
fn published(url: Url) -> Result<PublishedKeys, Failure> {
    let (http, runtime) = (client(&url)?, Handle::current());
    let read = move || block_in_place(|| runtime.block_on(fetch(&http, &url)));
    PublishedKeys::new(read).map_err(|error| Failure::Usage(format!("{error:#}")))
}

/// Reads the keys at a URL.
async fn fetch(http: &reqwest::Client, url: &Url) -> anyhow::Result<Vec<NamedKey>> {
    let failed = |error: reqwest::Error| anyhow::anyhow!("{url} can't be read: {}", cause(&error));
    let mut response = http.get(url.clone()).timeout(Duration::from_secs(5)).send().await.map_err(failed)?;
    anyhow::ensure!(response.status().is_success(), "{url} answered {}", response.status());
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        text.extend_from_slice(&chunk);
        anyhow::ensure!(text.len() <= MAX_KEYS, "the response of {url} has more than 1 MiB");
    }
    let document = serde_json::from_slice(&text).with_context(|| format!("the response of {url} is not JSON"))?;
    verifier::published_keys(&document).with_context(|| format!("the public keys of {url}"))
}

/// Says where it listens, how it answers, and what is verified.
fn introduce(options: &Options, port: u16, verifier: &Verifier) {
    ui::say(format!("Listening on http://127.0.0.1:{port}/ until Ctrl-C; responds with {}.", responses(options)));
    ui::say(match verifier.counts() {
        (0, 0) => "Signatures are not verified: give --register, REELHOOK_WEBHOOK_SECRETS, --public-key or --keys-url."
            .to_owned(),
        (secrets, keys) => format!("Verifying signatures with {secrets} secrets and {keys} public keys."),
    });
}

fn responses(options: &Options) -> String {
    let AnswerOptions { answer, fail, slow_ms } = options.answers;
    let first = if fail > 0 { format!("500 for the first {fail}, then ") } else { String::new() };
    let delay = if slow_ms > 0 { format!(" after {slow_ms} ms") } else { String::new() };
    match &options.forward_to {
        Some(url) => format!("{first}the status of {url}{delay}"),
        None => format!("{first}{answer}{delay}"),
    }
}

struct Receiver {
    answers: AnswerOptions,
    form: Form,
    verifier: Verifier,
    forward: Option<Forward>,
    request_timeout: Duration,
    /// Notified when the reader of the output has closed it.
    closed: Notify,
    state: Mutex<State>,
}

/// How webhooks are printed.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Text { colours: Colours, raw: bool },
}

struct State {
    /// Number of webhooks by `webhook-id`.
    seen: HashMap<String, u64>,
    /// Number of webhooks that still get status 500.
    failures_left: u64,
    arrived: u64,
    verified: u64,
    output: Box<dyn Write + Send>,
}

impl State {
    fn new(failures: u64, output: Box<dyn Write + Send>) -> Self {
        Self { seen: HashMap::new(), failures_left: failures, arrived: 0, verified: 0, output }
    }

    /// Whether the next webhook gets status 500.
    fn fails(&mut self) -> bool {
        let fails = self.failures_left > 0;
        self.failures_left = self.failures_left.saturating_sub(1);
        fails
    }

    /// Counts a webhook, and returns how many had its id so far; 1 if the id is too long to remember.
    fn count(&mut self, id: &str) -> u64 {
        if id.is_empty() || id.len() > MAX_REMEMBERED_ID_BYTES {
            return 1;
        }
        if self.seen.len() >= MAX_REMEMBERED_IDS {
            self.seen.clear();
        }
        let count = self.seen.entry(id.to_owned()).or_default();
        *count += 1;
        *count
    }
}

impl Receiver {
    /// Accepts connections; a limited number at a time.
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let permit = Arc::clone(&connections).acquire_owned().await.expect("the semaphore stays open");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let receiver = Arc::clone(&self);
                    tokio::spawn(async move {
                        receiver.serve(stream).await;
                        drop(permit);
                    });
                }
                // Possibly a temporary error, such as too many open files.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a connection, which has one request.
    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let deadline = Instant::now() + self.request_timeout;
        let receiver = Arc::clone(&self);
        let service = service_fn(move |request| Arc::clone(&receiver).answer(request, deadline));
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.request_timeout)
            .max_header_size(request::HEAD_LIMIT)
            .half_close(true)
            .keep_alive(false)
            .title_case_headers(true)
            .serve_connection(TokioIo::new(&mut stream), service)
            .await;
        if let Some(problem) = served.err().as_ref().and_then(request::head_problem) {
            self.report(&problem);
        }
        drain(&mut stream).await;
    }

    async fn answer(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        deadline: Instant,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (status, text) = match request::read(request, deadline).await {
            Ok(None) => (200, "reelhook listen: POST webhooks to this URL\n"),
            Ok(Some(request)) => {
                let status = self.status(&request).await;
                block_in_place(|| self.receive(&request, status));
                sleep(Duration::from_millis(self.answers.slow_ms)).await;
                (status, "")
            }
            Err(rejection) => {
                self.report(&format!("rejected with {}: {}", rejection.status, rejection.reason));
                (rejection.status, "")
            }
        };
        let mut response = Response::builder().status(status);
        if status == 405 {
            response = response.header(ALLOW, "POST");
        }
        Ok(response.body(Full::from(text)).expect("statuses are from 200 to 599"))
    }

    /// The status of the response to a webhook. One that is to fail is not passed on.
    async fn status(&self, request: &Request) -> u16 {
        if self.state().fails() {
            return 500;
        }
        match &self.forward {
            None => self.answers.answer,
            Some(forward) => match forward.send(request).await {
                Ok(status) if (200..600).contains(&status) => status,
                Ok(_) => 502,
                Err(problem) => {
                    self.report(&problem);
                    502
                }
            },
        }
    }

    /// Says what is wrong with something that is no webhook.
    fn report(&self, text: &str) {
        match self.form {
            Form::Json => ui::say(text),
            Form::Text { colours, .. } => {
                self.print(&mut self.state(), &block::problem(text, SystemTime::now(), colours));
            }
        }
    }

    fn print(&self, state: &mut State, text: &str) {
        let printed = state.output.write_all(text.as_bytes()).and_then(|()| state.output.flush());
        if printed.is_err() {
            self.closed.notify_one();
        }
    }

    /// Verifies and prints a webhook.
    fn receive(&self, request: &Request, status: u16) {
        let now = SystemTime::now();
        let webhook = Webhook {
            id: request.header("webhook-id"),
            timestamp: request.header("webhook-timestamp"),
            signature: request.header("webhook-signature"),
            body: &request.body,
        };
        let verdict = self.verifier.verify(webhook, now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
        let legacy = request.header("x-streamgank-signature");
        let checks_legacy = !legacy.is_empty() && self.verifier.counts().0 > 0;
        let streamgank = checks_legacy.then(|| self.verifier.streamgank_secret(legacy, &request.body));
        // Locked until the block is printed, so that blocks stay whole and in the order of their repeat numbers.
        let mut state = self.state();
        state.arrived += 1;
        state.verified += u64::from(matches!(verdict, Verdict::SignedBy(_)));
        let repeat = state.count(webhook.id);
        let verdict = &verdict;
        let block = Block { request, now, repeat, verdict, streamgank, status };
        let text = match self.form {
            Form::Json => block.json(),
            Form::Text { colours, raw } => block.text(colours, raw),
        };
        self.print(&mut state, &text);
    }
}

/// Ends the response, and drops what the sender still sends, within limits of size and time: after an immediate close,
/// the sender would not see the response.
async fn drain(stream: &mut TcpStream) {
    // An error means that the sender has closed the connection.
    let _ = stream.shutdown().await;
    let mut rest = stream.take(8 * request::BODY_LIMIT as u64);
    let _ = timeout(DRAIN_TIMEOUT, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}
