//! `cargo xtask listen`: a receiver on this machine that prints webhooks and verifies their signatures.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::process::Command;
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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep, timeout};

use crate::instance::{Instance, Run};
use crate::ui::Colours;
use crate::workspace::{Workspace, on_path};
use crate::{interrupt, process, ui};

use block::Block;
use request::Request;
use verifier::{NamedKey, PublishedKeys, Verdict, Verifier};

mod block;
mod request;
#[cfg(test)]
mod tests;
mod verifier;

/// Default port; `up` and `demo` allow their functions to call it.
pub const PORT: u16 = 8090;
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

/// Additional help for --help.
pub const EXAMPLE: &str = "\
Example: start a stack and this receiver, and register an endpoint, which receives webhook.test immediately

  cargo xtask up --detach
  SECRET=whsec_$(openssl rand -base64 32)
  REELHOOK_WEBHOOK_SECRETS=$SECRET cargo xtask listen &
  curl http://127.0.0.1:3000/api/webhooks/endpoints -H 'Content-Type: application/json' \\
    -d '{\"url\": \"http://127.0.0.1:8090/\", \"secret\": \"'$SECRET'\"}'

Use `--answer 503`, `--fail 2` and `--slow 15000` to see how a delivery is retried.";

/// Options of the receiver.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Port on 127.0.0.1; 0 for any free port
    #[arg(long, default_value_t = PORT)]
    port: u16,
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
    keys_url: Option<String>,
    /// Status of the responses
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..600))]
    answer: u16,
    /// Number of webhooks that get status 500 first
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    fail: u64,
    /// Delay before each response, in milliseconds
    #[arg(long = "slow", value_name = "MS", default_value_t = 0)]
    slow_ms: u64,
    /// Print bodies unformatted
    #[arg(long)]
    raw: bool,
}

/// Receives webhooks until Ctrl-C.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let published = options.keys_url.clone().map(|url| PublishedKeys::new(move || fetch(&url))).transpose()?;
    let verifier = Verifier::new(&options.secrets, &options.public_keys, published)?;
    let runtime = Runtime::new().context("start the HTTP server")?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))).with_context(|| {
        format!("port {} is in use: choose another with `--port PORT` (`--port 0` for any free port)", options.port)
    })?;
    let port = listener.local_addr().context("read the listener's port")?.port();
    print_introduction(options, port, &verifier, running(workspace).as_ref());
    let receiver = Arc::new(Receiver {
        options: options.clone(),
        verifier,
        colours: Colours::of_stdout(),
        request_timeout: REQUEST_TIMEOUT,
        state: Mutex::new(State::new(options, Box::new(io::stdout()))),
    });
    runtime.spawn(Arc::clone(&receiver).accept(listener));
    while !receiver.state().is_output_closed {
        if interrupt::pause(Duration::from_millis(200)).is_err() {
            break;
        }
    }
    runtime.shutdown_background();
    let State { arrived, verified, .. } = *receiver.state();
    ui::say(format!("\nReceived {arrived} webhooks, {verified} of them verified."));
    Ok(())
}

/// Reads the keys at a URL with curl, since this program has no TLS.
fn fetch(url: &str) -> anyhow::Result<Vec<NamedKey>> {
    anyhow::ensure!(
        url.starts_with("http://") || url.starts_with("https://"),
        "--keys-url must begin with http:// or https:// (got `{url}`)"
    );
    let curl =
        on_path("curl").context("curl is missing, which --keys-url requires: install it, or use --public-key")?;
    let limits = ["--max-time", "5", "--max-filesize", "1048576"];
    let mut command = Command::new(curl);
    command.args(["--silent", "--show-error", "--fail"]).args(limits).args(["--url", url]);
    let text = process::output(&mut command, b"", &format!("reading {url}"))?;
    let document = serde_json::from_str(&text).with_context(|| format!("the response of {url} is not JSON"))?;
    verifier::published_keys(&document).with_context(|| format!("the public keys of {url}"))
}

/// A running instance, preferably `dev`.
fn running(workspace: &Workspace) -> Option<Run> {
    let mut all = Instance::all(workspace);
    all.sort_by_key(|instance| instance.name != "dev");
    all.iter().find_map(Instance::running)
}

/// Prints the address, what is verified, and how to register an endpoint for this receiver.
fn print_introduction(options: &Options, port: u16, verifier: &Verifier, run: Option<&Run>) {
    ui::say(format!("Listening on http://127.0.0.1:{port}/ until Ctrl-C; responds with {}.", responses(options)));
    ui::say(match verifier.counts() {
        (0, 0) => "Signatures are not verified: give --secret, REELHOOK_WEBHOOK_SECRETS, --public-key or --keys-url."
            .to_owned(),
        (secrets, keys) => format!("Verifying signatures with {secrets} secrets and {keys} public keys."),
    });
    let api = run.map_or("http://127.0.0.1:3000", |run| run.api_url.as_str());
    let parameter = |name: &str| run.and_then(|run| run.parameters.get(name)).map_or("", String::as_str);
    let key = if parameter("Auth") == "required" { " -H \"Authorization: Bearer $KEY\"" } else { "" };
    ui::say(format!(
        "
To receive webhooks here, register an endpoint:

  curl {api}/api/webhooks/endpoints{key} -H 'Content-Type: application/json' \\
    -d '{{\"url\": \"http://127.0.0.1:{port}/\"}}'
  curl {api}/api/webhooks/endpoints/ep_…/secret{key}   # its secret, for --secret
"
    ));
    let here = format!("127.0.0.1:{port}");
    let Some(run) = run else {
        ui::say(format!(
            "A stack calls only allowed addresses of this machine. `cargo xtask up` sets AllowHttpWebhooks to true and
OutboundAllow to the mock services and 127.0.0.1:{PORT}. For another port, run
`cargo xtask up --parameter OutboundAllow=127.0.0.1:4600,{here}`.\n"
        ));
        return;
    };
    let allowed = parameter("OutboundAllow").split(',').any(|entry| entry.trim() == here);
    if !allowed || parameter("AllowHttpWebhooks") != "true" {
        ui::say(format!(
            "The instance `{0}` is not allowed to call this port yet. Run
`cargo xtask up --instance {0} --parameter OutboundAllow=127.0.0.1:{1},{here}`.\n",
            run.instance, run.ports.studio
        ));
    }
}

fn responses(options: &Options) -> String {
    let first = if options.fail > 0 { format!("500 for the first {}, then ", options.fail) } else { String::new() };
    let delay = if options.slow_ms > 0 { format!(" after {} ms", options.slow_ms) } else { String::new() };
    format!("{first}{}{delay}", options.answer)
}

struct Receiver {
    options: Options,
    verifier: Verifier,
    colours: Colours,
    request_timeout: Duration,
    state: Mutex<State>,
}

struct State {
    /// Number of webhooks by `webhook-id`.
    seen: HashMap<String, u64>,
    /// Number of webhooks that still get status 500.
    failures_left: u64,
    arrived: u64,
    verified: u64,
    output: Box<dyn Write + Send>,
    /// Whether the reader of the output has closed it.
    is_output_closed: bool,
}

impl State {
    fn new(options: &Options, output: Box<dyn Write + Send>) -> Self {
        Self {
            seen: HashMap::new(),
            failures_left: options.fail,
            arrived: 0,
            verified: 0,
            output,
            is_output_closed: false,
        }
    }

    fn print(&mut self, text: &str) {
        let printed = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        self.is_output_closed |= printed.is_err();
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
            self.print_problem(&problem);
        }
        drain(&mut stream).await;
    }

    async fn answer(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        deadline: Instant,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (status, text) = match request::read(request, deadline).await {
            Ok(None) => (200, "cargo xtask listen: POST webhooks to this URL\n"),
            Ok(Some(request)) => {
                let status = block_in_place(|| self.receive(&request));
                sleep(Duration::from_millis(self.options.slow_ms)).await;
                (status, "")
            }
            Err(rejection) => {
                self.print_problem(&format!("rejected with {}: {}", rejection.status, rejection.reason));
                (rejection.status, "")
            }
        };
        let mut response = Response::builder().status(status);
        if status == 405 {
            response = response.header(ALLOW, "POST");
        }
        Ok(response.body(Full::from(text)).expect("statuses are from 200 to 599"))
    }

    fn print_problem(&self, text: &str) {
        self.state().print(&block::problem(text, SystemTime::now(), self.colours));
    }

    /// Prints a webhook, and returns the status of its response.
    fn receive(&self, request: &Request) -> u16 {
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
        let status = if state.failures_left > 0 { 500 } else { self.options.answer };
        state.failures_left = state.failures_left.saturating_sub(1);
        let repeat = state.count(webhook.id);
        let (verdict, raw) = (&verdict, self.options.raw);
        let block = Block { request, now, repeat, verdict, streamgank, status, raw }.text(self.colours);
        state.print(&block);
        status
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
