//! Starts a local stack: emulator, mock services, secrets, and template.yaml deployed with freshly built functions.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use reelhook_terminal::arguments::Pair;
use serde_json::{Value, json};

use crate::http::Client;
use crate::instance::{Faults, Instance, Run};
use crate::json::string_members;
use crate::ports::{self, Ports, RequestedPorts};
use crate::process::{Group, MARKER, ProcessId};
use crate::setup::{self, StackTools};
use crate::stack::{Stack, emulator_environment};
use crate::workspace::{Profile, Workspace};
use crate::{interrupt, screen, ui};

/// The movies in the catalogue of a local stack.
const CATALOG: &str = "infra/catalog/movies.json";
/// Name of a local stack, and last part of its settings path.
pub const STACK: &str = "reelhook";
/// Binary of the mock services.
const STUDIO: &str = "studio";
/// Binary of the fault proxy.
const FAULTS: &str = "faults";
/// Keys and secrets that the mock services of scenes and clips know too.
const SERVICE_KEYS: [&str; 8] = [
    "TASK_API_KEY",
    "LAST_FRAME_API_KEY",
    "NOTIFICATION_API_KEY",
    "VIDEO_WEBHOOK_SECRET",
    "LAST_FRAME_WEBHOOK_SECRET",
    "STITCH_WEBHOOK_SECRET",
    "GENESIS_API_KEY",
    "WEBHOOK_SECRET",
];
/// The port of this machine that functions may call besides the mock services: that of `reelhook listen`, and of the
/// receivers and services in examples.
const RECEIVER_PORT: u16 = 8090;
/// How long a program may take until it answers its first request.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Every webhook event.
const EVENTS: &str = "job.completed,job.failed,job.cancelled,job.extraction_completed,job.script_completed,\
job.completed_with_issues,job.failed_no_retry,job.timeout,job.workflow_incomplete,job.render_timeout,job.deleted";

/// Options for starting a stack.
#[derive(Clone, Debug)]
pub struct Options {
    /// Requested ports.
    pub ports: RequestedPorts,
    /// Whether the API requires a key.
    pub auth: bool,
    /// Whether the tables, queues and files of the previous run are kept.
    pub keep_state: bool,
    /// Build profile of the functions.
    pub profile: Profile,
    /// Speed of the mock services, as a multiple of their usual speed.
    pub speed: f64,
    /// Whether all mock renders return one video, made once.
    pub shared_video: bool,
    /// How fast time passes in metrics and alarms, as a multiple of the clock.
    pub metric_speed: u32,
    /// Parameters of template.yaml, in addition to the defaults.
    pub parameters: Vec<Pair>,
    /// Secrets and settings, in addition to the defaults.
    pub secrets: Vec<Pair>,
    /// Whether the stack keeps running after this program ends.
    pub detach: bool,
    /// Whether functions call AWS through the fault proxy.
    pub hostile: bool,
}

/// A started stack; dropping it stops its processes unless it is detached.
pub struct Started {
    /// URLs, ports and processes.
    pub run: Run,
    /// The instance of the stack.
    pub instance: Instance,
    /// Runs commands on the stack.
    pub stack: Stack,
    /// None if the stack ran already.
    processes: Option<Processes>,
}

struct Processes {
    emulator: Group,
    studio: Group,
    faults: Option<Group>,
}

/// Starts the instance, or deploys to it if it runs already.
pub fn start(workspace: &Workspace, instance: Instance, options: &Options) -> anyhow::Result<Started> {
    let tools = setup::stack(workspace)?;
    let running = instance.running();
    // Chosen before the build, so that a port in use is reported at once.
    let ports = match &running {
        Some(run) => run.ports,
        None => {
            if instance.stop() {
                ui::say(format!("Stopped the remaining processes of the instance `{}`.", instance.name));
            }
            choose_ports(workspace, &instance, options)?
        }
    };
    build(workspace, options.profile)?;
    if let Some(run) = running {
        ui::say(format!("The instance `{}` is already running; deploying to it.", instance.name));
        return redeploy(workspace, instance, run, &tools, options);
    }
    instance.clear(options.keep_state)?;
    instance.keep_port(ports.emulator)?;
    let run = new_run(&instance, ports, options)?;
    // From here on, an early return drops `starting`, which stops the processes started so far.
    let mut starting = Starting { instance, run, emulator: None, studio: None, faults: None };
    starting.start_emulator(workspace, &tools, options)?;
    starting.start_faults(workspace)?;
    let stack = Stack::local(workspace, tools.python.clone(), &starting.run);
    put_secrets(&stack, &mut starting.run, options)?;
    starting.start_studio(workspace, &tools, options)?;
    deploy(workspace, &stack, &mut starting.run, &tools, options)?;
    starting.finish(stack, options.detach)
}

fn choose_ports(workspace: &Workspace, instance: &Instance, options: &Options) -> anyhow::Result<Ports> {
    let owner_of = |port| Instance::on_port(workspace, port).map(|owner| owner.name);
    let kept = instance.kept_port().filter(|_| options.keep_state);
    let Some(port) = kept else {
        return options.ports.choose(owner_of);
    };
    let chosen = options.ports.with_kept_emulator_port(kept).choose(owner_of);
    chosen.with_context(|| {
        format!("the kept state requires the emulator on port {port} (start without --keep-state to drop the state)")
    })
}

/// Builds the functions with this profile. The mock services are never measured or deployed, so they are built without
/// optimisation.
fn build(workspace: &Workspace, profile: Profile) -> anyhow::Result<()> {
    ui::say("Building the functions and the mock services ...");
    let mut binaries = workspace.functions()?;
    if profile == Profile::Release {
        workspace.build(&binaries, profile)?;
        binaries.clear();
    }
    binaries.extend([STUDIO, FAULTS].map(str::to_owned));
    workspace.build(&binaries, Profile::Debug)
}

fn redeploy(
    workspace: &Workspace,
    instance: Instance,
    mut run: Run,
    tools: &StackTools,
    options: &Options,
) -> anyhow::Result<Started> {
    let stack = Stack::local(workspace, tools.python.clone(), &run);
    put_secrets(&stack, &mut run, options)?;
    deploy(workspace, &stack, &mut run, tools, options)?;
    instance.save(&run)?;
    Ok(Started { run, instance, stack, processes: None })
}

fn new_run(instance: &Instance, ports: Ports, options: &Options) -> anyhow::Result<Run> {
    let url = |port| format!("http://127.0.0.1:{port}");
    let free = options.hostile.then(ports::two_free).transpose()?;
    let faults = free.map(|[port, gateway_port]| Faults { url: url(port), port, gateway_port, process: None });
    Ok(Run {
        instance: instance.name.clone(),
        stack: STACK.to_owned(),
        settings_path: format!("/reelhook/{STACK}"),
        // Callers of a hostile stack meet its gateway, too.
        api_url: url(faults.as_ref().map_or(ports.api, |faults| faults.gateway_port)),
        emulator_url: url(ports.emulator),
        studio_url: url(ports.studio),
        ports,
        supervisor: ProcessId::own().filter(|_| !options.detach),
        function_log: instance.path("functions.log"),
        emulator_log: instance.path("emulator.log"),
        studio_log: instance.path("studio.log"),
        faults,
        ..Run::default()
    })
}

/// A stack that is being started.
struct Starting {
    instance: Instance,
    run: Run,
    emulator: Option<Group>,
    studio: Option<Group>,
    faults: Option<Group>,
}

impl Starting {
    fn start_emulator(&mut self, workspace: &Workspace, tools: &StackTools, options: &Options) -> anyhow::Result<()> {
        let directory = &self.instance.directory;
        let temporary = self.instance.path("tmp");
        fs::create_dir_all(&temporary).context("create the instance's tmp directory")?;
        let run = &self.run;
        let mut command = background(workspace, &tools.python, &run.emulator_log, directory)?;
        command
            .arg("infra/local/launcher.py")
            .envs(emulator_environment(&run.emulator_url))
            .env("GATEWAY_PORT", run.ports.emulator.to_string())
            .env("FRONT", format!("{0}=Api,{0}=LiveApi", run.ports.api))
            .env("FUNCTION_LOG", &run.function_log)
            .env("METRIC_SPEED", options.metric_speed.to_string())
            .env("BIND_HOST", "127.0.0.1")
            // Roles are enforced: a call that the role does not allow fails as it would on AWS.
            .env("AUTH", "true")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("TMPDIR", &temporary)
            .env("STATE_DIR", self.instance.path("state"))
            .env("S3_DATA_DIR", self.instance.path("s3"));
        if let Some(faults) = &run.faults {
            command.env("FUNCTIONS_ENDPOINT", &faults.url);
        }
        if options.keep_state {
            command.env("PERSIST_STATE", "1").env("S3_PERSIST", "1");
        }
        let mut group = Group::spawn(&mut command)?;
        self.run.emulator = group.id();
        self.instance.save(&self.run)?;
        wait_until_up(&mut group, &self.run.emulator_url, "/_ministack/health", "the emulator", &self.instance)?;
        self.emulator = Some(group);
        Ok(())
    }

    /// Starts the fault proxy of a hostile stack.
    fn start_faults(&mut self, workspace: &Workspace) -> anyhow::Result<()> {
        let Some(faults) = &mut self.run.faults else { return Ok(()) };
        let program = workspace.binaries(Profile::Debug).join(FAULTS);
        let mut command = background(workspace, &program, &self.instance.path("faults.log"), &self.instance.directory)?;
        let address = |port| format!("127.0.0.1:{port}");
        command.args(["--port", &faults.port.to_string(), "--gateway-port", &faults.gateway_port.to_string()]);
        command.args(["--emulator", &address(self.run.ports.emulator), "--api", &address(self.run.ports.api)]);
        let mut group = Group::spawn(&mut command)?;
        faults.process = group.id();
        let url = faults.url.clone();
        self.instance.save(&self.run)?;
        wait_until_up(&mut group, &url, "/_faults", "the fault proxy", &self.instance)?;
        self.faults = Some(group);
        Ok(())
    }

    fn start_studio(&mut self, workspace: &Workspace, tools: &StackTools, options: &Options) -> anyhow::Result<()> {
        let run = &self.run;
        let program = workspace.binaries(Profile::Debug).join(STUDIO);
        let mut command = background(workspace, &program, &run.studio_log, &self.instance.directory)?;
        let secret = |name: &str| run.secrets.get(name).map_or("", String::as_str);
        command
            .args(["--port", &run.ports.studio.to_string(), "--speed", &options.speed.to_string()])
            .arg("--data")
            .arg(self.instance.path("studio"))
            .arg("--verify-with")
            .arg(format!("node={},python={}", tools.node.display(), tools.python.display()))
            .arg("--verify-scripts")
            .arg(&tools.verify)
            .env("STUDIO_FFMPEG", &tools.ffmpeg)
            .env("WEBHOOK_SECRET_KEY", secret("WEBHOOK_SECRET_KEY"))
            .env("CREATOMATE_API_KEY", secret("CREATOMATE_API_KEY"))
            .envs(SERVICE_KEYS.map(|name| (name, secret(name))));
        if options.shared_video {
            command.arg("--shared-video");
        }
        let mut group = Group::spawn(&mut command)?;
        self.run.studio = group.id();
        self.instance.save(&self.run)?;
        wait_until_up(&mut group, &self.run.studio_url, "/health", "the mock services", &self.instance)?;
        self.studio = Some(group);
        Ok(())
    }

    fn finish(mut self, stack: Stack, detach: bool) -> anyhow::Result<Started> {
        self.instance.save(&self.run)?;
        let emulator = self.emulator.take().context("the emulator was started")?;
        let studio = self.studio.take().context("the mock services were started")?;
        let processes = if detach {
            emulator.detach();
            studio.detach();
            if let Some(faults) = self.faults.take() {
                faults.detach();
            }
            None
        } else {
            Some(Processes { emulator, studio, faults: self.faults.take() })
        };
        let (run, instance) = (std::mem::take(&mut self.run), self.instance.clone());
        Ok(Started { run, instance, stack, processes })
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if self.emulator.is_some() || self.studio.is_some() {
            self.instance.stop();
        }
    }
}

impl Started {
    /// Whether this program started the stack and will stop it.
    pub fn is_ours(&self) -> bool {
        self.processes.is_some()
    }

    /// Fails if one of the stack's processes has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let Some(Processes { emulator, studio, faults }) = &mut self.processes else {
            anyhow::ensure!(self.instance.running().is_some(), "the instance `{}` was stopped", self.instance.name);
            return Ok(());
        };
        let started = [(emulator, "emulator", "emulator.log"), (studio, "mock services' process", "studio.log")];
        let faults = faults.iter_mut().map(|group| (group, "fault proxy", "faults.log"));
        for (group, what, log) in started.into_iter().chain(faults) {
            if let Some(status) = group.ended()? {
                let tail = self.instance.tail(log, 15);
                anyhow::bail!("the {what} ended ({status}); last lines of {log}:\n{tail}");
            }
        }
        Ok(())
    }

    /// Keeps the stack running after this program ends.
    pub fn detach(mut self) -> anyhow::Result<()> {
        if let Some(Processes { emulator, studio, faults }) = self.processes.take() {
            emulator.detach();
            studio.detach();
            if let Some(faults) = faults {
                faults.detach();
            }
            self.run.supervisor = None;
            self.instance.save(&self.run)?;
        }
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.processes.is_some() {
            self.instance.stop();
        }
    }
}

/// Stops an instance.
pub fn down(instance: &Instance) {
    let stopped = instance.stop();
    let what = if stopped { "stopped" } else { "was not running" };
    ui::say(format!("The instance `{}` {what}.", instance.name));
}

/// `cargo xtask up`: starts a stack and follows its log until Ctrl-C.
pub fn up(workspace: &Workspace, instance: Instance, options: &Options) -> anyhow::Result<()> {
    let mut started = start(workspace, instance, options)?;
    screen::up(&started.run, &started.instance.directory, options.auth);
    if options.detach {
        return started.detach();
    }
    ui::say(match started.is_ours() {
        true => "Following the function logs; Ctrl-C stops the stack.",
        false => "Following the function logs until Ctrl-C; the instance keeps running.",
    });
    let log = started.run.function_log.clone();
    let followed = crate::logs::follow(&log, &crate::logs::Filter::default(), || started.check());
    match followed {
        Err(error) if error.is::<interrupt::Interrupted>() => {
            if started.is_ours() {
                ui::say("\nStopping ...");
            }
            Ok(())
        }
        other => other,
    }
}

/// A background command with a minimal environment, so that a local stack does not depend on the shell.
fn background(workspace: &Workspace, program: &Path, log: &Path, marker: &Path) -> anyhow::Result<Command> {
    let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
    let mut command = workspace.command(program);
    command.env_clear();
    for name in ["PATH", "HOME", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env(MARKER, marker).env("PYTHONUNBUFFERED", "1");
    command.stdin(Stdio::null()).stdout(file.try_clone().context("open the log a second time")?).stderr(file);
    Ok(command)
}

fn wait_until_up(group: &mut Group, url: &str, path: &str, what: &str, instance: &Instance) -> anyhow::Result<()> {
    let client = Client::new(url, "");
    let log = match path {
        "/health" => "studio.log",
        "/_faults" => "faults.log",
        _ => "emulator.log",
    };
    let up = interrupt::wait_for(START_TIMEOUT, Duration::from_millis(50), || {
        if let Some(status) = group.ended()? {
            anyhow::bail!("{what} failed to start ({status}):\n{}", instance.tail(log, 15));
        }
        Ok(client.is_up(path).then_some(()))
    })?;
    up.with_context(|| format!("no answer from {what} at {url} within {START_TIMEOUT:?}:\n{}", instance.tail(log, 15)))
}

fn put_secrets(stack: &Stack, run: &mut Run, options: &Options) -> anyhow::Result<()> {
    let mut secrets = generated_secrets();
    let hook = format!("{}/hooks/demo", run.studio_url);
    secrets.extend([("WEBHOOK_URLS".to_owned(), json!(hook)), ("WEBHOOK_EVENTS".to_owned(), json!(EVENTS))]);
    secrets.extend(with_studio(&options.secrets, &run.studio_url).map(|(name, value)| (name, json!(value))));
    let input = Value::from_iter(secrets).to_string();
    let stored = stack.call("storing the secrets", &["secrets", "--path", &run.settings_path, "--show"], &input)?;
    let values = stored.as_object().into_iter().flatten();
    run.secrets =
        values.filter_map(|(name, done)| Some((name.clone(), done.get("value")?.as_str()?.to_owned()))).collect();
    let keys = run.secrets.get("API_KEYS").map_or("", String::as_str);
    run.api_key = keys.split(',').next().unwrap_or_default().to_owned();
    Ok(())
}

/// Options that may refer to the mock services' URL before their port is known.
fn with_studio(options: &[Pair], url: &str) -> impl Iterator<Item = (String, String)> {
    options.iter().map(move |Pair(name, value)| (name.clone(), value.replace("{studio}", url)))
}

/// The secrets that are generated if they do not exist.
pub fn generated_secrets() -> BTreeMap<String, Value> {
    let names = [
        "API_KEYS",
        "SESSION_SECRET",
        "CALLBACK_TOKEN_SECRET",
        "OPERATOR_CALLBACK_TOKEN",
        "WEBHOOK_SECRET_KEY",
        "ENDPOINT_SECRETS_KEY",
        "EDGE_SECRET",
        "CREATOMATE_API_KEY",
    ];
    names.into_iter().map(|name| (name.to_owned(), Value::Null)).collect()
}

fn deploy(
    workspace: &Workspace,
    stack: &Stack,
    run: &mut Run,
    tools: &StackTools,
    options: &Options,
) -> anyhow::Result<()> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("the checkout's path is not UTF-8");
    let studio = format!("127.0.0.1:{}", run.ports.studio);
    let defaults = [
        ("Architecture", std::env::consts::ARCH.replace("aarch64", "arm64")),
        ("Auth", if options.auth { "required" } else { "none" }.to_owned()),
        ("PublicBaseUrl", run.api_url.clone()),
        // Without a key, pages of other origins must not be able to read the API's responses.
        ("CorsOrigins", if options.auth { "*".to_owned() } else { run.api_url.clone() }),
        ("SettingsPath", run.settings_path.clone()),
        ("WorkerUrl", format!("http://{studio}/worker/jobs")),
        ("CreatomateBaseUrl", format!("http://{studio}/creatomate")),
        ("OutboundAllow", format!("{studio},127.0.0.1:{RECEIVER_PORT}")),
        ("FontsDirectory", text(&tools.fonts)?),
        ("Ffmpeg", text(&tools.ffmpeg)?),
        ("RenderConcurrency", "2".to_owned()),
        ("AllowHttpWebhooks", "true".to_owned()),
        ("LiveOverApi", "true".to_owned()),
        // The emulator serves the WebSocket API at the same port, below its stage.
        ("LiveBaseUrl", format!("http://127.0.0.1:{}/live", run.ports.api)),
        // The emulator serves Function URLs at the same port, by the logical id of their function.
        ("CallbacksBaseUrl", format!("{}/_fn/Callbacks", run.api_url)),
        // All tools on this machine count as one caller.
        ("ApiCallsPerMinute", "100000".to_owned()),
        ("StreamRecordAgeSeconds", "60".to_owned()),
    ];
    let mut parameters: BTreeMap<String, String> =
        defaults.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    parameters.extend(with_studio(&options.parameters, &run.studio_url));
    let input = json!(parameters).to_string();
    let binaries = workspace.binaries(options.profile);
    let binaries = binaries.to_str().context("the checkout's path is not UTF-8")?;
    let _lock = setup::lock(workspace)?;
    let deployed = stack.call("the deployment of template.yaml", &["deploy", "--binaries", binaries], &input)?;
    run.parameters = parameters;
    run.outputs = string_members(&deployed["outputs"]);
    run.functions = string_members(&deployed["functions"]);
    stack.call("the import of the catalogue", &["catalog", CATALOG], "")?;
    Ok(())
}
