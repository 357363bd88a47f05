//! Authenticates callers: operators by API key (Bearer, Basic or X-API-Key) or session cookie, owners by a JWT. Keys are
//! stored as hashes and compared in constant time (docs/contract/access.md, API keys).

mod api_keys;
pub mod audience;
pub mod jwt;
pub mod senders;
pub mod session;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_domain::{CallerLimits, KeyLimits, Origin, OwnerId, Timestamp};
use reelhook_signing::{SessionClaims, SigningKeys, fingerprint, former_fingerprints, hash_key, same_hash};
use secrecy::ExposeSecret;

pub use crate::access::api_keys::AccessError;
use crate::access::jwt::{OwnerTokens, Owners};
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
    owners: Owners,
    limits: KeyLimits,
}

/// Who a valid credential names.
enum Holder {
    /// The operator with the key that has this hash.
    Operator([u8; 32]),
    /// An owner.
    Owner(OwnerId),
}

/// A valid credential, and whether browsers send it automatically, for any page.
struct Credential {
    holder: Holder,
    by_browser: bool,
}

/// An authenticated caller.
#[derive(Clone)]
pub struct Caller {
    /// The fingerprint of the key, or of the owner, for rows and logs. Without SESSION_SECRET the key can't be guessed from
    /// it.
    pub fingerprint: String,
    /// The owner who calls; none for an operator, who sees and changes all.
    pub owner: Option<OwnerId>,
    keys_kept: Option<Duration>,
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
        Self { fingerprint: fingerprint.into(), owner: None, keys_kept: None, former: None }
    }

    /// The same caller as an owner.
    #[must_use]
    pub fn owned_by(self, owner: OwnerId) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// The same caller, whose Idempotency-Keys are known for another time than those of requests, if there is one.
    #[must_use]
    pub fn keeping_keys(self, keys_kept: Option<Duration>) -> Self {
        Self { keys_kept, ..self }
    }

    /// Whether the caller sees and may change what came from this origin: an operator all, an owner their own. What a
    /// caller may not see does not exist for them.
    pub fn may_see(&self, origin: &Origin) -> bool {
        self.owner.is_none() || self.owner == origin.owner
    }

    /// The name under which it is counted what the caller makes in a day: that of the owner, whose requests and messages
    /// of the job inbox have one count, or else the fingerprint.
    pub fn counted_as(&self) -> String {
        match &self.owner {
            Some(owner) => format!("owner:{owner}"),
            None => self.fingerprint.clone(),
        }
    }

    /// The origin of what the caller creates with this request.
    pub fn origin(&self, request: &ApiRequest) -> Origin {
        Origin { caller: Some(self.fingerprint.clone()), traceparent: request.traceparent(), owner: self.owner.clone() }
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
        let key = match self.keys_kept {
            Some(kept) => key.kept_for(kept),
            None => key,
        };
        match self.former.clone() {
            Some(former) => key.formerly_of(move || former()),
            None => key,
        }
    }
}

impl Access {
    /// The settings that [`Self::read`] looks up.
    pub const SETTINGS: &[&str] = &["API_KEYS", "API_USERNAME", "API_PASSWORD", "SESSION_SECRET", "KEY_LIMITS"];

    /// Reads API_KEYS (separated by commas; `sha256:<hex>` for an entry that is the hash of a key), API_USERNAME,
    /// API_PASSWORD, SESSION_SECRET and KEY_LIMITS.
    ///
    /// # Errors
    /// [`AccessError`] if an entry is neither a key nor a hash, if the secret is missing although callers need keys, or if
    /// the limits of callers are invalid.
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
        let limits = KeyLimits::parse(&lookup("KEY_LIMITS").unwrap_or_default())?;
        Ok(Self { site: site.clone(), keys, basic, secret: secret.map(Arc::new), owners: Owners::Unknown, limits })
    }

    /// Accepts the tokens of owners, too; `secret` is JWT_SECRET (several secrets separated by commas, newest first).
    ///
    /// # Errors
    /// [`AccessError::ShortJwtSecret`].
    pub fn with_owners(self, tokens: Arc<OwnerTokens>, secret: Option<&str>) -> Result<Self, AccessError> {
        Ok(Self { owners: Owners::read(tokens, secret)?, ..self })
    }

    /// Refuses owners, for a function whose routes are all the operator's.
    #[must_use]
    pub fn without_owners(self) -> Self {
        Self { owners: Owners::Refused, ..self }
    }

    /// Fetches the published keys of owners' tokens if this request needs that ([`OwnerTokens::fetch_keys`]).
    pub async fn fetch_keys(&self, request: &ApiRequest, now: Timestamp) {
        if let Owners::Known(tokens, _) = &self.owners {
            tokens.fetch_keys(request, now).await;
        }
    }

    /// Authenticates the caller.
    ///
    /// # Errors
    /// [`RequestProblem::Unauthorized`] without a valid key or token, if callers need one; [`RequestProblem::ForeignPage`] if
    /// another site's page may have made a browser send the request; [`RequestProblem::ForeignHost`] if callers need no key
    /// and the request names a host that is not the API's own; [`RequestProblem::OperatorOnly`] if an owner calls a route of
    /// operators.
    pub fn caller(&self, request: &ApiRequest, now: Timestamp) -> Result<Caller, Problem> {
        match self.find(request, now) {
            Some(Credential { holder, by_browser }) => {
                // Browsers never send the other credentials automatically.
                if by_browser {
                    self.site.check_browser(request)?;
                }
                if let Holder::Owner(_) = holder {
                    audience::check_owner(request)?;
                }
                Ok(self.caller_with(holder))
            }
            // An owner's token that is not valid must not make its owner an operator where no key is needed.
            None if self.owners.are_presented(request) => Err(Problem::Request(if self.owners.are_refused() {
                RequestProblem::OperatorOnly
            } else {
                RequestProblem::Unauthorized
            })),
            None if self.site.mode() == Mode::Off => {
                self.site.check_browser(request)?;
                Ok(Caller::known_as(format!("local {}", request.source_ip)))
            }
            None => Err(Problem::Request(RequestProblem::Unauthorized)),
        }
    }

    fn caller_with(&self, holder: Holder) -> Caller {
        let (key, owner) = match holder {
            Holder::Operator(key) => (key, None),
            // No key and no user name with its password contains a line break at this place.
            Holder::Owner(owner) => (hash_key(&format!("owner:\n{owner}")), Some(owner)),
        };
        let caller = match (&self.secret, &owner) {
            (Some(secret), _) => {
                let former = Arc::clone(secret);
                Caller::known_as(fingerprint(&key, secret)).formerly(move || former_fingerprints(&key, &former))
            }
            (None, Some(owner)) => Caller::known_as(format!("local owner:{owner}")),
            (None, None) => Caller::known_as("local"),
        };
        Caller { owner, ..caller }
    }

    /// The limits of a caller, as far as they differ from those of all callers.
    pub fn limits_of(&self, caller: &Caller) -> CallerLimits {
        // A key keeps its limits while a new SESSION_SECRET gives it another fingerprint.
        let former = match &caller.former {
            Some(former) if self.limits.name_keys() => former(),
            Some(_) | None => Vec::new(),
        };
        let fingerprints = [caller.fingerprint.as_str()].into_iter().chain(former.iter().map(String::as_str));
        self.limits.of(caller.owner.as_ref(), fingerprints)
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

    /// The valid credential of a request, if it has one.
    fn find(&self, request: &ApiRequest, now: Timestamp) -> Option<Credential> {
        let explicit = |holder: Holder| Credential { holder, by_browser: false };
        let sent_along = |holder: Holder| Credential { holder, by_browser: true };
        if let Some(key) = request.header("x-api-key") {
            return self.key(key).map(Holder::Operator).map(explicit);
        }
        if let Some(text) = request.header("authorization") {
            let (scheme, credentials) = text.split_once(' ').unwrap_or((text, ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let operator = self.key(credentials.trim()).map(Holder::Operator);
                let owner = || self.owners.by_header(request, now).map(Holder::Owner);
                return operator.or_else(owner).map(explicit);
            }
            if scheme.eq_ignore_ascii_case("basic")
                && let Some(key) = self.basic(credentials)
            {
                return Some(sent_along(Holder::Operator(key)));
            }
        }
        // The cookies count even beside an invalid Authorization header, which may hold credentials for a proxy.
        let session = self.session(request, now).map(Holder::Operator);
        session.or_else(|| self.owners.by_cookie(request, now).map(Holder::Owner)).map(sent_along)
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
