//! Sign-in by a page: the form, the session cookie, and the redirect (ADR 29).

use std::borrow::Cow;

use reelhook_app::Url;
use reelhook_app::views::wire::{Time, Yes};
use reelhook_domain::Timestamp;
use reelhook_signing::{SessionClaims, SignedToken, SigningKeys};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::answer::ApiAnswer;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::typed;
use crate::typed::fields::Text;

/// The lifetime of a session in seconds. Sessions are not renewed.
const LIFE_S: i64 = 12 * 3600;
/// The cookie's name over http.
const NAME: &str = "reelhook_session";
/// The cookie's name over https. Browsers let no other host set a cookie that begins with `__Host-`.
const SECURE_NAME: &str = "__Host-reelhook_session";
/// The maximum number of session cookies that are checked.
const COOKIES: usize = 4;
/// The maximum length of a user name, in characters.
const USERNAME_LIMIT: usize = 256;
/// The maximum length of a key or a password, in characters.
const PASSWORD_LIMIT: usize = 1024;
/// The maximum length of the path to redirect to, in bytes.
const NEXT_LIMIT: usize = 2048;
/// The maximum size of a form, in bytes.
const FORM_LIMIT: usize = 16 * 1024;

/// The credentials of a sign-in.
#[derive(Debug)]
pub struct SignIn {
    /// The user name; empty for an API key.
    pub username: String,
    /// The password, or an API key.
    pub password: SecretString,
}

/// A sign-in with an API key, or with a user name and a password.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SignIn")]
pub struct SignInRequest {
    /// The user name; absent or empty with an API key.
    username: Option<Text<USERNAME_LIMIT>>,
    /// The password, or an API key.
    #[schemars(with = "Text<PASSWORD_LIMIT>")]
    password: Option<Text<PASSWORD_LIMIT>>,
}

/// The page that a browser shows after the sign-in.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NextPage {
    /// A path of this server; anything else counts as `/`.
    #[schemars(length(max = NEXT_LIMIT), extend("examples" = ["/queue"]))]
    next: Option<String>,
}

/// A sign-in by the form of the page.
#[derive(JsonSchema)]
pub struct SignInForm {
    /// The credentials.
    #[serde(flatten)]
    pub credentials: SignInRequest,
    /// The page after the sign-in.
    #[serde(flatten)]
    pub target: NextPage,
}

impl SignIn {
    /// Reads a form or a JSON object with `username`, which is optional, and `password`.
    ///
    /// # Errors
    /// [`Problem`] if the body can't be read, or if a field has the wrong type or is too long.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        let given: SignInRequest = if request.is_json() { request.body()? } else { read_form(request)? };
        let username = given.username.map(Text::into_string).unwrap_or_default();
        let password = given.password.map(Text::into_string).unwrap_or_default();
        // Users copy keys together with the white space around them.
        let password = if username.is_empty() { password.trim() } else { password.as_str() };
        Ok(Self { username, password: SecretString::from(password) })
    }
}

/// Reads a form that browsers encode like a query.
fn read_form<T: DeserializeOwned>(request: &ApiRequest) -> Result<T, Problem> {
    if request.body.len() > FORM_LIMIT {
        return Err(bad("password", format!("a text of at most {PASSWORD_LIMIT} characters")));
    }
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(&request.body).collect();
    typed::read_query(pairs.iter().map(|(name, value)| (&**name, &**value)))
}

/// The answer to a sign-in by JSON.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    success: Yes,
    /// `Signed in`.
    message: &'static str,
    /// The end of the session.
    expires_at: Time,
}

/// The answer to a sign-out by JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SignedOut {
    success: Yes,
    /// `Signed out`.
    message: &'static str,
}

/// The answer to a sign-out by JSON.
pub fn signed_out_answer() -> ApiAnswer {
    ApiAnswer::json(200, &SignedOut { success: Yes, message: "Signed out" })
}

/// A new session.
#[derive(Debug)]
pub struct Session {
    token: SignedToken,
    ends: Timestamp,
}

impl Session {
    /// Starts a session for the key with this hash.
    pub(crate) fn begin(key: &[u8; 32], secret: &SigningKeys, now: Timestamp) -> Self {
        let expires = now.seconds() + LIFE_S;
        let token = SignedToken::mint(&SessionClaims { key: *key, expires }, secret);
        Self { token, ends: Timestamp::from_seconds(expires) }
    }

    /// The session's cookie for a Set-Cookie header. Scripts can't read it, and pages of other sites can make a browser
    /// send it only by a link.
    pub fn cookie(&self, secure: bool) -> String {
        cookie(secure, self.token.expose(), LIFE_S)
    }

    /// The answer to a sign-in by JSON.
    pub fn answer(&self) -> ApiAnswer {
        ApiAnswer::json(200, &SignedIn { success: Yes, message: "Signed in", expires_at: self.ends.into() })
    }
}

/// The cookie that removes the session's cookie.
pub fn no_cookie(secure: bool) -> String {
    cookie(secure, "", 0)
}

fn name(secure: bool) -> &'static str {
    if secure { SECURE_NAME } else { NAME }
}

fn cookie(secure: bool, value: &str, life_s: i64) -> String {
    let only_https = if secure { "; Secure" } else { "" };
    format!("{}={value}; Path=/; Max-Age={life_s}; HttpOnly{only_https}; SameSite=Lax", name(secure))
}

/// The session tokens in a request.
pub(crate) fn tokens(request: &ApiRequest, secure: bool) -> impl Iterator<Item = &str> {
    // Cookies of other applications may contain any bytes.
    let pairs = request.header_bytes("cookie").unwrap_or_default().split(|byte| *byte == b';');
    let texts = pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='));
    texts.filter(move |(known, _)| *known == name(secure)).map(|(_, value)| value).take(COOKIES)
}

/// The path to redirect to after sign-in: a local path that the query or the form names, else the start page.
pub fn next(request: &ApiRequest) -> String {
    let in_query = request.parameters::<NextPage>().ok().and_then(|query| query.next);
    let in_form = || read_form::<NextPage>(request).ok().filter(|_| !request.is_json())?.next;
    let given = in_query.or_else(in_form);
    given.filter(|text| is_local(text)).unwrap_or_else(|| "/".to_owned())
}

/// Whether a redirect to this text stays on this server: it is a path that browsers do not read as a host.
fn is_local(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    text.len() <= NEXT_LIMIT
        && text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !matches!(path, "/login" | "/logout")
}

/// Redirects a browser to a path of this server, by GET.
pub fn see_other(path: &str) -> ApiAnswer {
    ApiAnswer::text(303, String::new()).header("location", path)
}

/// Redirects a browser to the sign-in page, and then back to the requested page.
pub fn to_login(request: &ApiRequest) -> ApiAnswer {
    let here = request.path_and_query();
    if here == "/" || !is_local(&here) {
        return see_other("/login");
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &here).finish();
    see_other(&format!("/login?{query}"))
}

impl ApiRequest {
    /// The path and the query, encoded for a link.
    fn path_and_query(&self) -> String {
        let Ok(mut url) = Url::parse("http://local.invalid/") else { return "/".to_owned() };
        url.set_path(&self.path);
        let mut pairs: Vec<(&str, &str)> = self.queries().collect();
        pairs.sort_unstable();
        for (name, value) in pairs {
            url.query_pairs_mut().append_pair(name, value);
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", url.path())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::posting;

    #[test]
    fn a_wrong_field_of_a_sign_in_is_named() {
        for (name, value, most) in [
            ("username", json!("u".repeat(257)), 256),
            ("username", json!({}), 256),
            ("password", json!("p".repeat(1025)), 1024),
            ("password", json!(7), 1024),
        ] {
            let mut body = json!({ "username": "ann", "password": "secret" });
            body[name] = value;
            let problem = SignIn::read(&posting("/login", &body)).map(drop).unwrap_err();
            assert_eq!(problem.path(), Some(name));
            assert_eq!(problem.parts().2, format!("`{name}` must be a text of at most {most} characters"));
        }
    }
}
