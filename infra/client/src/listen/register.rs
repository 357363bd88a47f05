//! The endpoint of a receiver: it is registered with a secret of its own, and deleted at the end.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use reelhook_terminal::ui;
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;

use crate::api::{Api, Call};
use crate::failure::Failure;
use crate::input::Id;

/// The routes of endpoints.
const ENDPOINTS: &str = "/api/webhooks/endpoints";
/// How long deleting may take: the person who pressed Ctrl-C waits for it.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether and how an endpoint is registered.
#[derive(Clone, Debug, Default, Args)]
pub struct RegisterOptions {
    /// Register an endpoint for this receiver, and delete it at the end
    #[arg(long)]
    register: bool,
    /// An event or a group that the endpoint gets, such as `job.*`; may be repeated
    #[arg(long = "event", value_name = "EVENT", requires = "register")]
    events: Vec<String>,
    /// URL that leads to this receiver, such as that of a tunnel; by default its port of this machine
    #[arg(long, value_name = "URL", requires = "register")]
    public_url: Option<Url>,
}

impl RegisterOptions {
    /// Whether an endpoint is registered.
    pub fn is_wanted(&self) -> bool {
        self.register
    }
}

/// An endpoint that is to be registered.
pub struct Registration {
    api: Api,
    options: RegisterOptions,
    secret: String,
    /// It makes a repeat find the endpoint that the first request made.
    key: String,
    /// The request whose answer has not come.
    asked: Mutex<Option<Value>>,
    id: OnceLock<Id>,
}

impl Registration {
    /// Makes its secret, of 244 random bits.
    pub fn new(api: Api, options: &RegisterOptions) -> Self {
        let random = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        let secret = format!("whsec_{}", STANDARD.encode(random));
        let key = Uuid::new_v4().to_string();
        Self { api, options: options.clone(), secret, key, asked: Mutex::default(), id: OnceLock::new() }
    }

    /// The secret that signs.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Registers the endpoint for a port of this machine; returns its id.
    pub async fn add(&self, port: u16) -> Result<&str, Failure> {
        let url = self.options.public_url.as_ref().map_or_else(|| format!("http://127.0.0.1:{port}/"), Url::to_string);
        let mut body = json!({ "url": url, "secret": self.secret, "description": "reelhook listen" });
        if !self.options.events.is_empty() {
            body["events"] = json!(self.options.events);
        }
        self.ask(Some(body.clone()));
        self.send(body).await
    }

    /// Notes what is asked for; returns what was before.
    fn ask(&self, body: Option<Value>) -> Option<Value> {
        std::mem::replace(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner), body)
    }

    async fn send(&self, body: Value) -> Result<&str, Failure> {
        let answer = self.api.send(Call::create(ENDPOINTS, body, &self.key)).await;
        if answer.as_ref().err().is_none_or(|failure| !failure.leaves_open()) {
            self.ask(None);
        }
        let answer = answer?.body;
        let id = answer["endpoint"]["id"].as_str().and_then(|id| id.parse::<Id>().ok());
        let id = id.ok_or_else(|| Failure::Unavailable("the answer has no endpoint".to_owned()))?;
        Ok(self.id.get_or_init(|| id).as_str())
    }

    /// Deletes the endpoint if it was registered. One whose answer has not come is asked for again, under the same key.
    pub async fn remove(&self) {
        let removed = async {
            if let Some(body) = self.ask(None) {
                self.send(body).await?;
            }
            match self.id.get().map(Id::as_str) {
                Some(id) => self.api.send(Call::delete(format!("{ENDPOINTS}/{id}"))).await.map(drop),
                None => Ok(()),
            }
        };
        let problem = match timeout(REMOVE_TIMEOUT, removed).await {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "there was no answer in time".to_owned(),
        };
        ui::say(match self.id.get().map(Id::as_str) {
            Some(id) => {
                format!("The endpoint {id} was not deleted ({problem}): `reelhook endpoints remove {id}` does it.")
            }
            None => format!("An endpoint may have been registered ({problem}): `reelhook endpoints list` shows it."),
        });
    }
}
