//! JWTs of owners: where a request carries one, what it must say, and the keys of a JWK Set, which are cached
//! (docs/contract/access.md, Owners).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reelhook_app::Url;
use reelhook_app::outbound::{HttpSender, Method, OutboundRequest, OutboundResponse};
use reelhook_domain::{OwnerId, Timestamp};
use reelhook_signing::SigningKeys;
use reelhook_signing::jwt::{JwtAlgorithm, JwtKeys, JwtRules, verify};
use url::Host;

use crate::access::api_keys::AccessError;
use crate::request::ApiRequest;

/// The setting with the secret of tokens.
pub const SETTINGS: &[&str] = &["JWT_SECRET"];

/// The cookie with a token that another application of the operator may set.
const COOKIE: &str = "vc_access_token";
/// How long a JWK Set is used before it is fetched again.
const FRESH: Duration = Duration::from_secs(600);
/// How long a JWK Set is used at most while it can't be fetched again.
const STALE: Duration = Duration::from_secs(3600);
/// The minimum time between two fetches, however many tokens name unknown keys.
const REFETCH: Duration = Duration::from_secs(60);
/// The minimum time between two fetches if the first one failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// The time limit of one fetch.
const FETCH_DEADLINE: Duration = Duration::from_secs(3);
/// The maximum size of a JWK Set, in bytes.
const SET_LIMIT: usize = 256 * 1024;

/// What tokens of owners must say, and the published keys that verify them. It lives as long as the function: the
/// settings that are read again share its cache.
#[derive(Default)]
pub struct OwnerTokens {
    rules: JwtRules,
    set: Option<KeySet>,
}

/// A JWK Set at a URL.
struct KeySet {
    url: Url,
    http: Arc<dyn HttpSender>,
    fetched: Mutex<Fetched>,
}

/// What was fetched last.
#[derive(Default)]
struct Fetched {
    keys: Option<(Timestamp, Arc<JwtKeys>)>,
    /// When the set may be fetched again.
    next_at: Option<Timestamp>,
}

impl OwnerTokens {
    /// Takes JWT_ALGORITHM, JWT_ISSUER and JWT_AUDIENCE (`rules`), and JWT_JWKS_URL with what fetches it.
    ///
    /// # Errors
    /// A sentence that says which of them do not fit together.
    pub fn new(rules: JwtRules, set: Option<(Url, Arc<dyn HttpSender>)>) -> Result<Self, String> {
        let algorithm = rules.algorithm;
        let Some((url, http)) = set else {
            if algorithm.is_asymmetric() {
                return Err(format!("JWT_JWKS_URL is missing: JWT_ALGORITHM is {algorithm}"));
            }
            return Ok(Self { rules, set: None });
        };
        if !algorithm.is_asymmetric() {
            return Err(format!("JWT_ALGORITHM must be `RS256` or `ES256` with a JWT_JWKS_URL (got `{algorithm}`)"));
        }
        if url.scheme() != "https" && !is_this_machine(&url) {
            return Err(format!(
                "JWT_JWKS_URL must be an https URL (got `{}`): the keys decide who is an owner",
                url.scheme()
            ));
        }
        Ok(Self { rules, set: Some(KeySet { url, http, fetched: Mutex::default() }) })
    }

    /// Fetches the JWK Set if the request's token needs that: if the set is unknown, older than ten minutes, or lacks the
    /// token's key. While that fails, the keys that are known stay in use.
    pub async fn fetch_keys(&self, request: &ApiRequest, now: Timestamp) {
        let Some(set) = &self.set else { return };
        let tokens = [bearer(request), cookie(request)];
        if tokens.into_iter().flatten().any(|token| set.begin_fetch(token, now)) {
            set.fetch(self.rules.algorithm, now).await;
        }
    }
}

impl KeySet {
    fn fetched(&self) -> MutexGuard<'_, Fetched> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys that are in use.
    fn keys(&self, now: Timestamp) -> Option<Arc<JwtKeys>> {
        let fetched = self.fetched();
        let (at, keys) = fetched.keys.as_ref()?;
        (now.since(*at) < STALE).then(|| Arc::clone(keys))
    }

    /// Whether the set must be fetched before this token is verified; then no other request fetches it meanwhile.
    fn begin_fetch(&self, token: &str, now: Timestamp) -> bool {
        let mut fetched = self.fetched();
        if fetched.next_at.is_some_and(|next| now < next) {
            return false;
        }
        let usable = fetched.keys.as_ref().is_some_and(|(at, keys)| now.since(*at) < FRESH && keys.has_key_of(token));
        if usable {
            return false;
        }
        fetched.next_at = Some(now.after(AFTER_FAILURE));
        true
    }

    async fn fetch(&self, algorithm: JwtAlgorithm, now: Timestamp) {
        let request = OutboundRequest {
            method: Method::Get,
            url: self.url.clone(),
            headers: vec![("accept".to_owned(), "application/json".to_owned())],
            body: Bytes::new(),
            deadline: FETCH_DEADLINE,
            response_limit: SET_LIMIT,
        };
        let response = match self.http.send(request).await.and_then(OutboundResponse::whole) {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(%error, "failed to fetch the JWK Set of owners");
                return;
            }
        };
        let (status, truncated) = (response.status, response.truncated);
        let read = if status == 200 && !truncated { JwtKeys::of_set(&response.body, algorithm) } else { None };
        match read {
            Some(keys) => {
                let mut fetched = self.fetched();
                *fetched = Fetched { keys: Some((now, Arc::new(keys))), next_at: Some(now.after(REFETCH)) };
            }
            None => tracing::error!(status, truncated, "the answer to JWT_JWKS_URL is no JWK Set"),
        }
    }
}

/// Who may call besides operators.
pub(crate) enum Owners {
    /// There are none: a token of an owner is an invalid key.
    Unknown,
    /// Owners may not use the function at all: their tokens are refused unread.
    Refused,
    /// Owners with tokens of this kind; with HS256, under these secrets.
    Known(Arc<OwnerTokens>, Option<JwtKeys>),
}

impl Owners {
    /// Owners with tokens of this kind; `secret` is JWT_SECRET.
    ///
    /// # Errors
    /// [`AccessError::ShortJwtSecret`].
    pub(crate) fn read(tokens: Arc<OwnerTokens>, secret: Option<&str>) -> Result<Self, AccessError> {
        let secrets = match secret.and_then(SigningKeys::parse) {
            Some(_) if tokens.set.is_some() => {
                tracing::warn!("JWT_SECRET has no effect beside JWT_JWKS_URL");
                None
            }
            Some(secrets) => Some(JwtKeys::of_secrets(&secrets).ok_or(AccessError::ShortJwtSecret)?),
            None => None,
        };
        Ok(Self::Known(tokens, secrets))
    }

    /// Whether a request has a text in the form of a token that this function verifies, or refuses because it is an
    /// owner's.
    pub(crate) fn are_presented(&self, request: &ApiRequest) -> bool {
        let is_used = match self {
            Self::Unknown => false,
            Self::Refused => true,
            Self::Known(tokens, secrets) => tokens.set.is_some() || secrets.is_some(),
        };
        is_used && (bearer(request).is_some() || cookie(request).is_some())
    }

    /// Whether owners may not use the function at all.
    pub(crate) fn are_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }

    /// The owner that the token in the `Authorization` header names.
    pub(crate) fn by_header(&self, request: &ApiRequest, now: Timestamp) -> Option<OwnerId> {
        self.owner(bearer(request)?, now)
    }

    /// The owner that the token in the cookie names. A browser sends it for any page.
    pub(crate) fn by_cookie(&self, request: &ApiRequest, now: Timestamp) -> Option<OwnerId> {
        self.owner(cookie(request)?, now)
    }

    fn owner(&self, token: &str, now: Timestamp) -> Option<OwnerId> {
        let Self::Known(tokens, secrets) = self else { return None };
        let published = tokens.set.as_ref().and_then(|set| set.keys(now));
        let keys = published.as_deref().or(secrets.as_ref())?;
        let verified = verify(token, keys, &tokens.rules, now.seconds());
        OwnerId::parse(&verified.ok()?.into_inner().subject)
    }
}

/// The token in the `Authorization` header.
fn bearer(request: &ApiRequest) -> Option<&str> {
    let (scheme, credentials) = request.header("authorization")?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { token(credentials.trim()) } else { None }
}

fn cookie(request: &ApiRequest) -> Option<&str> {
    token(request.cookie(COOKIE)?)
}

/// A text in the form of a token: three parts that are joined by dots.
fn token(text: &str) -> Option<&str> {
    (text.split('.').count() == 3).then_some(text)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
