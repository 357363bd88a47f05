//! Authenticates callers by API key (Bearer, Basic or X-API-Key) or session cookie. Keys are stored as hashes and
//! compared in constant time (docs/contract/access.md, API keys).

mod api_keys;
pub mod session;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_domain::Timestamp;
use reelhook_signing::{SessionClaims, SigningKeys, fingerprint, former_fingerprints, hash_key, same_hash};
use secrecy::ExposeSecret;

pub use crate::access::api_keys::AccessError;
use crate::access::session::{Session, SignIn};
use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;
use crate::site::{Mode, Site};

/// The API keys and the other credentials of callers.
pub struct Access {
    site: Site,
    keys: Vec<[u8; 32]>,
    basic: Option<[u8; 32]>,
    /// SESSION_SECRET; none only if no key is needed.
    secret: Option<Arc<SigningKeys>>,
}

/// A valid key, and whether browsers send it automatically, for any page.
struct Credential {
    key: [u8; 32],
    by_browser: bool,
}

/// An authenticated caller.
#[derive(Clone)]
pub struct Caller {
    /// The fingerprint of the key for rows and logs. Without SESSION_SECRET the key can't be guessed from it.
    pub fingerprint: String,
    former: Option<Arc<dyn Fn() -> Vec<String> + Send + Sync>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({})", self.fingerprint)
    }
}

/// Callers are equal if their fingerprints are: the former ones follow from the same key.
impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Caller {}

impl Caller {
    /// A caller with a fixed name, independent of secrets.
    pub fn known_as(fingerprint: impl Into<String>) -> Self {
        Self { fingerprint: fingerprint.into(), former: None }
    }

    /// Adds the fingerprints of the same caller under older secrets and in version 0.1.0: for looking up what was stored
    /// then, never written.
    #[must_use]
    pub fn formerly(self, former: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { former: Some(Arc::new(former)), ..self }
    }

    /// An Idempotency-Key of this caller.
    pub(crate) fn key(&self, key: String, body_hash: String) -> IdempotencyKey {
        let key = IdempotencyKey::new(self.fingerprint.as_str(), key, body_hash);
        match self.former.clone() {
            Some(former) => key.formerly_of(move || former()),
            None => key,
        }
    }
}

impl Access {
    /// The settings that [`Self::read`] looks up.
    pub const SETTINGS: &[&str] = &["API_KEYS", "API_USERNAME", "API_PASSWORD", "SESSION_SECRET"];

    /// Reads API_KEYS (separated by commas; `sha256:<hex>` for an entry that is the hash of a key), API_USERNAME,
    /// API_PASSWORD and SESSION_SECRET.
    ///
    /// # Errors
    /// [`AccessError`] if an entry is neither a key nor a hash, or if the secret is missing although callers need keys.
    pub fn read(site: &Site, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, AccessError> {
        let keys = api_keys::read(&lookup("API_KEYS").unwrap_or_default())?;
        let basic = match (lookup("API_USERNAME"), lookup("API_PASSWORD")) {
            (Some(user), Some(password)) => {
                // Every route accepts the password, and only the gateway's global rate limit bounds guesses.
                if api_keys::is_short(&password) {
                    tracing::warn!("API_PASSWORD is short and may be guessed");
                }
                Some(hash_key(&format!("{user}:{password}")))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                tracing::warn!("API_USERNAME and API_PASSWORD have no effect unless both are set");
                None
            }
        };
        let secret = lookup("SESSION_SECRET").as_deref().and_then(SigningKeys::parse);
        if secret.is_none() && site.mode() == Mode::Required {
            return Err(AccessError::NoSessionSecret);
        }
        Ok(Self { site: site.clone(), keys, basic, secret: secret.map(Arc::new) })
    }

    /// Authenticates the caller.
    ///
    /// # Errors
    /// [`RequestProblem::Unauthorized`] without a valid key, if callers need one; [`RequestProblem::ForeignPage`] if another site's
    /// page may have made a browser send the request; [`RequestProblem::ForeignHost`] if callers need no key and the request
    /// names a host that is not the API's own.
    pub fn caller(&self, request: &ApiRequest, now: Timestamp) -> Result<Caller, Problem> {
        match self.find(request, now) {
            // Browsers never send these headers automatically.
            Some(Credential { key, by_browser: false }) => Ok(self.caller_with(&key)),
            Some(Credential { key, by_browser: true }) => {
                self.site.check_browser(request)?;
                Ok(self.caller_with(&key))
            }
            None if self.site.mode() == Mode::Off => {
                self.site.check_browser(request)?;
                Ok(Caller::known_as(format!("local {}", request.source_ip)))
            }
            None => Err(Problem::Request(RequestProblem::Unauthorized)),
        }
    }

    fn caller_with(&self, key: &[u8; 32]) -> Caller {
        match &self.secret {
            Some(secret) => {
                let (key, former) = (*key, Arc::clone(secret));
                Caller::known_as(fingerprint(&key, secret)).formerly(move || former_fingerprints(&key, &former))
            }
            None => Caller::known_as("local"),
        }
    }

    /// Starts a session for a valid API key or the configured password.
    ///
    /// # Errors
    /// [`RequestProblem::SignInFailed`].
    pub fn sign_in(&self, sign_in: &SignIn, now: Timestamp) -> Result<Session, Problem> {
        let secret = self.secret.as_ref().ok_or(Problem::Request(RequestProblem::SignInFailed))?;
        let key = self
            .password(&sign_in.username, sign_in.password.expose_secret())
            .ok_or(Problem::Request(RequestProblem::SignInFailed))?;
        Ok(Session::begin(&key, secret, now))
    }

    /// The valid key of a request, if it has one.
    fn find(&self, request: &ApiRequest, now: Timestamp) -> Option<Credential> {
        let explicit = |key: [u8; 32]| Credential { key, by_browser: false };
        if let Some(key) = request.header("x-api-key") {
            return self.key(key).map(explicit);
        }
        if let Some(text) = request.header("authorization") {
            let (scheme, credentials) = text.split_once(' ').unwrap_or((text, ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                return self.key(credentials.trim()).map(explicit);
            }
            if scheme.eq_ignore_ascii_case("basic")
                && let Some(key) = self.basic(credentials)
            {
                return Some(Credential { key, by_browser: true });
            }
        }
        // The cookie counts even beside an invalid Authorization header, which may hold credentials for a proxy.
        self.session(request, now).map(|key| Credential { key, by_browser: true })
    }

    fn basic(&self, credentials: &str) -> Option<[u8; 32]> {
        let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        self.password(user, password)
    }

    /// The key of the configured user and password, or of any user name with an API key as password.
    fn password(&self, user: &str, password: &str) -> Option<[u8; 32]> {
        let whole = hash_key(&format!("{user}:{password}"));
        if self.basic.as_ref().is_some_and(|expected| same_hash(&whole, expected)) {
            return Some(whole);
        }
        self.key(password)
    }

    /// The key of a session that is still valid.
    fn session(&self, request: &ApiRequest, now: Timestamp) -> Option<[u8; 32]> {
        let secret = self.secret.as_ref()?;
        let known: Vec<[u8; 32]> = self.keys.iter().chain(&self.basic).copied().collect();
        let secure = self.site.is_secure(request);
        session::tokens(request, secure)
            .find_map(|token| SessionClaims::verify(token, &known, now.seconds(), secret).ok())
            .map(|session| session.into_inner().key)
    }

    fn key(&self, key: &str) -> Option<[u8; 32]> {
        let given = hash_key(key);
        // Comparing with every key makes the time independent of which one matches.
        self.keys.iter().fold(None, |found, known| if same_hash(&given, known) { Some(given) } else { found })
    }
}
