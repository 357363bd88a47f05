//! Who calls: API keys by Bearer, Basic or X-API-Key, compared in constant time, hashed at rest (contract.md, Who may call).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reelhook_signing::{SigningKeys, fingerprint, hash_key, same_hash};

use crate::api_keys;
pub use crate::api_keys::AccessError;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::site::{Mode, Site};

/// The keys that open the API.
pub struct Access {
    site: Site,
    keys: Vec<[u8; 32]>,
    basic: Option<[u8; 32]>,
    /// SESSION_SECRET; none only where no key is asked for.
    secret: Option<SigningKeys>,
}

/// A valid key, and whether a browser sends it along for any page that asks.
struct Shown {
    key: [u8; 32],
    by_browser: bool,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// A fingerprint of the key, fit for rows and logs: nobody can guess the key from it who has not SESSION_SECRET.
    pub fingerprint: String,
}

impl Access {
    /// The settings that [`Self::read`] looks up.
    pub const SETTINGS: &[&str] = &["API_KEYS", "API_USERNAME", "API_PASSWORD", "SESSION_SECRET"];

    /// Reads API_KEYS (several, by commas; `sha256:<hex>` where only the hash is kept), API_USERNAME, API_PASSWORD and
    /// SESSION_SECRET.
    ///
    /// # Errors
    /// [`AccessError`] where an entry is neither a key nor a hash, or the secret is missing though keys are asked for.
    pub fn read(site: &Site, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, AccessError> {
        let keys = api_keys::read(&lookup("API_KEYS").unwrap_or_default())?;
        let basic = match (lookup("API_USERNAME"), lookup("API_PASSWORD")) {
            (Some(user), Some(password)) => Some(hash_key(&format!("{user}:{password}"))),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                tracing::warn!("API_USERNAME and API_PASSWORD open nothing unless both are set");
                None
            }
        };
        let secret = lookup("SESSION_SECRET").as_deref().and_then(SigningKeys::parse);
        if secret.is_none() && site.mode() == Mode::Required {
            return Err(AccessError::NoSessionSecret);
        }
        Ok(Self { site: site.clone(), keys, basic, secret })
    }

    /// Finds out who calls.
    ///
    /// # Errors
    /// [`Problem::Unauthorized`] without a valid key, where one is asked for; [`Problem::ForeignPage`] where another site's
    /// page may have made a browser send the request; [`Problem::ForeignHost`] where no key is asked for, and the request
    /// names another host than ours.
    pub fn caller(&self, request: &ApiRequest) -> Result<Caller, Problem> {
        match self.find(request) {
            // A key in a header of its own is sent knowingly.
            Some(Shown { key, by_browser: false }) => Ok(self.caller_with(&key)),
            Some(Shown { key, by_browser: true }) => {
                self.site.check_page(request)?;
                Ok(self.caller_with(&key))
            }
            None if self.site.mode() == Mode::Off => {
                self.site.check_keyless(request)?;
                Ok(Caller { fingerprint: format!("local {}", request.source_ip) })
            }
            None => Err(Problem::Unauthorized),
        }
    }

    fn caller_with(&self, key: &[u8; 32]) -> Caller {
        let secret = self.secret.as_ref();
        Caller { fingerprint: secret.map_or_else(|| "local".to_owned(), |secret| fingerprint(key, secret)) }
    }

    /// The valid key that a request shows.
    fn find(&self, request: &ApiRequest) -> Option<Shown> {
        let knowingly = |key: [u8; 32]| Shown { key, by_browser: false };
        if let Some(key) = request.header("x-api-key") {
            return self.key(key).map(knowingly);
        }
        let (scheme, credentials) = request.header("authorization")?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.key(credentials.trim()).map(knowingly);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        self.password(credentials).map(|key| Shown { key, by_browser: true })
    }

    /// The key in credentials of HTTP Basic: the password that is set, or any user with an API key as password.
    fn password(&self, credentials: &str) -> Option<[u8; 32]> {
        let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
        let whole = hash_key(&decoded);
        if self.basic.as_ref().is_some_and(|expected| same_hash(&whole, expected)) {
            return Some(whole);
        }
        self.key(decoded.split_once(':')?.1)
    }

    fn key(&self, key: &str) -> Option<[u8; 32]> {
        let given = hash_key(key);
        // All are compared, so that the time tells nothing.
        self.keys.iter().fold(None, |found, known| if same_hash(&given, known) { Some(given) } else { found })
    }
}
