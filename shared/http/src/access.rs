//! Who calls: API keys by Bearer, Basic or X-API-Key, compared in constant time, hashed at rest (contract.md, Who may call).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reelhook_signing::{SigningKeys, fingerprint, hash_key, same_hash};

use crate::api_keys;
pub use crate::api_keys::AccessError;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// Whether keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A key is required.
    Required,
    /// Nothing is asked: only beside a base URL on this machine.
    Off,
}

impl Mode {
    /// Reads AUTH: `required` (the default) or `none`, which is refused beside a public base URL.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read(text: Option<&str>, base: Option<&reelhook_app::Url>) -> Result<Self, String> {
        match text.unwrap_or("required") {
            "required" => Ok(Self::Required),
            "none" if base.is_some_and(is_this_machine) => Ok(Self::Off),
            "none" => Err("AUTH=none is only for a PUBLIC_BASE_URL on this machine (localhost)".to_owned()),
            _ => Err("AUTH is `required` or `none`".to_owned()),
        }
    }
}

fn is_this_machine(base: &reelhook_app::Url) -> bool {
    matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// The keys that open the API.
pub struct Access {
    mode: Mode,
    keys: Vec<[u8; 32]>,
    basic: Option<[u8; 32]>,
    /// SESSION_SECRET; none only where no key is asked for.
    secret: Option<SigningKeys>,
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
    pub fn read(mode: Mode, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, AccessError> {
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
        if secret.is_none() && mode == Mode::Required {
            return Err(AccessError::NoSessionSecret);
        }
        Ok(Self { mode, keys, basic, secret })
    }

    /// Finds out who calls.
    ///
    /// # Errors
    /// [`Problem::Unauthorized`] without a valid key, where one is asked for; [`Problem::ForeignPage`] where another site's
    /// page may have made a browser send the request.
    pub fn caller(&self, request: &ApiRequest) -> Result<Caller, Problem> {
        let caller = match self.find(request) {
            Some(key) => Caller { fingerprint: self.fingerprint(&key) },
            None if self.mode == Mode::Off => Caller { fingerprint: format!("local {}", request.source_ip) },
            None => return Err(Problem::Unauthorized),
        };
        // A browser sends Basic credentials, and none at all, for any page that asks; a key in a header is sent knowingly.
        let unasked = request.header("x-api-key").is_none()
            && request.header("authorization").is_none_or(|text| !starts_with_word(text, "bearer"));
        if unasked && request.changes_state() && !request.is_json() && !request.is_from_own_page() {
            return Err(Problem::ForeignPage);
        }
        Ok(caller)
    }

    fn fingerprint(&self, key: &[u8; 32]) -> String {
        self.secret.as_ref().map_or_else(|| "local".to_owned(), |secret| fingerprint(key, secret))
    }

    fn find(&self, request: &ApiRequest) -> Option<[u8; 32]> {
        if let Some(key) = request.header("x-api-key") {
            return self.key(key);
        }
        let (scheme, credentials) = request.header("authorization")?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.key(credentials.trim());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
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

fn starts_with_word(text: &str, word: &str) -> bool {
    text.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::{Body, Request};

    fn call(header: &str, value: &str) -> ApiRequest {
        let request = Request::new(Body::Empty);
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(http::HeaderName::from_bytes(header.as_bytes()).unwrap(), value.parse().unwrap());
        ApiRequest::of(Request::from_parts(parts, body))
    }

    fn access() -> Access {
        let hashed = format!("sha256:{}", hash_key("second").iter().map(|b| format!("{b:02x}")).collect::<String>());
        Access::read(Mode::Required, &|name| match name {
            "API_KEYS" => Some(format!("first, {hashed}")),
            "API_USERNAME" => Some("ann".to_owned()),
            "API_PASSWORD" => Some("secret".to_owned()),
            "SESSION_SECRET" => Some("session".to_owned()),
            _ => None,
        })
        .unwrap()
    }

    #[test]
    fn each_way_of_showing_a_key_works_and_nothing_else() {
        let check = |header: &str, value: &str, allowed: bool| {
            assert_eq!(access().caller(&call(header, value)).is_ok(), allowed, "{header}: {value}");
        };
        check("authorization", "Bearer first", true);
        check("authorization", "bearer second", true);
        check("x-api-key", "second", true);
        check("authorization", &format!("Basic {}", STANDARD.encode("ann:secret")), true);
        check("authorization", &format!("Basic {}", STANDARD.encode("anyone:first")), true);
        check("authorization", &format!("Basic {}", STANDARD.encode("ann:wrong")), false);
        check("authorization", "Bearer third", false);
        check("authorization", "Bearer", false);
        check("x-api-key", "", false);
        check("x-forwarded-for", "127.0.0.1", false);
    }

    #[test]
    fn a_caller_s_fingerprint_tells_nothing_of_its_key_and_is_one_for_each_key() {
        let of = |header: &str, value: &str| access().caller(&call(header, value)).unwrap().fingerprint;
        let basic = of("authorization", &format!("Basic {}", STANDARD.encode("ann:secret")));
        assert!(basic.len() == 16 && basic.bytes().all(|byte| byte.is_ascii_hexdigit()), "{basic}");
        // What anybody could compute of a guessed password, in whole or in part.
        let guess: String = hash_key("ann:secret").iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!guess.contains(&basic[..8]), "{guess} {basic}");
        assert_eq!(of("x-api-key", "first"), of("authorization", "Bearer first"));
        assert_eq!(of("x-api-key", "first"), of("authorization", &format!("Basic {}", STANDARD.encode("bob:first"))));
        assert_ne!(of("x-api-key", "first"), of("x-api-key", "second"));
    }

    #[test]
    fn a_deployed_function_does_not_start_without_the_secret() {
        let read = |mode: Mode| Access::read(mode, &|_| None);
        assert_eq!(read(Mode::Required).err(), Some(AccessError::NoSessionSecret));
        assert!(AccessError::NoSessionSecret.to_string().contains("SESSION_SECRET"));
        assert!(read(Mode::Off).is_ok());
    }

    #[test]
    fn another_site_s_page_can_t_use_what_the_browser_sends_by_itself() {
        let basic = format!("Basic {}", STANDARD.encode("ann:secret"));
        let check = |method: &str, headers: &[(&str, &str)], allowed: bool| {
            let mut request = Request::new(Body::Empty);
            *request.method_mut() = method.parse().unwrap();
            for (name, value) in headers {
                request
                    .headers_mut()
                    .insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            let found = access().caller(&ApiRequest::of(request));
            assert_eq!(found.is_ok(), allowed, "{method} {headers:?}");
            if !allowed {
                assert_eq!(found, Err(Problem::ForeignPage));
            }
        };
        let by_form = ("content-type", "application/x-www-form-urlencoded");
        let host = ("host", "api.example.com");
        check("POST", &[("authorization", &basic), by_form], false);
        check("DELETE", &[("authorization", &basic)], false);
        check("POST", &[("authorization", &basic), host, ("origin", "https://evil.example")], false);
        check("POST", &[("authorization", &basic), host, ("origin", "https://api.example.com")], true);
        check("POST", &[("authorization", &basic), ("content-type", "application/json; charset=utf-8")], true);
        check("GET", &[("authorization", &basic)], true);
        check("POST", &[("authorization", "Bearer first"), by_form], true);
        check("POST", &[("x-api-key", "first")], true);
    }

    #[test]
    fn no_auth_is_refused_beside_a_public_address() {
        let url = |text: &str| reelhook_app::Url::parse(text).unwrap();
        let check = |text: Option<&str>, base: Option<&str>| Mode::read(text, base.map(url).as_ref());
        assert_eq!(check(Some("none"), Some("http://127.0.0.1:3000")), Ok(Mode::Off));
        assert!(check(Some("none"), Some("https://api.example.com")).is_err());
        assert!(check(Some("none"), None).is_err());
        assert_eq!(check(None, Some("https://api.example.com")), Ok(Mode::Required));
        assert!(check(Some("maybe"), Some("http://localhost:3000")).is_err());
    }
}
