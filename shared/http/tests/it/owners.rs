//! Owners: their tokens in the header and in the cookie, and the keys of a JWK Set.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use reelhook_app::Url;
use reelhook_app::outbound::{HttpSender, OutboundError, OutboundResponse};
use reelhook_domain::{Origin, OwnerId, Timestamp};
use reelhook_http::access::jwt::OwnerTokens;
use reelhook_http::access::{Access, AccessError, Caller};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::Site;
use reelhook_signing::jwt::{JwtAlgorithm, JwtRules};
use reelhook_testkit::{ScriptedHttp, response};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::edge::{NOW, access, deployed, laptop, request};

const SECRET: &str = "a secret of at least 32 characters";
/// Signed with the keys of [`SET`]; valid at [`NOW`].
const TOKENS: &str = include_str!("../../../signing/tests/it/jwt/tokens.json");
const SET: &str = include_str!("../../../signing/tests/it/jwt/set.json");
const HTTPS: [(&str, &str); 2] = [("host", "api.example.com"), ("x-forwarded-proto", "https")];

/// A token of HS256 for this subject.
fn token_of(subject: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "sub": subject, "exp": NOW.seconds() + 600 });
    let message = format!("{}.{}", part(json!({ "alg": "HS256" })), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn with_secret(site: &Site) -> Access {
    access(site).with_owners(Arc::default(), Some(SECRET)).expect("settings")
}

fn get(path: &str, headers: &[(&str, &str)]) -> ApiRequest {
    request("GET", path, &[HTTPS.as_slice(), headers].concat())
}

/// The owner, `operator`, or the code of the error.
fn who(found: Result<Caller, Problem>) -> String {
    match found {
        Ok(Caller { owner: Some(owner), .. }) => owner.to_string(),
        Ok(_) => "operator".to_owned(),
        Err(problem) => problem.parts().1.to_owned(),
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn a_token_names_its_owner_and_a_key_an_operator() {
    let access = with_secret(&deployed("*"));
    let check = |headers: &[(&str, &str)], expected: &str| {
        assert_eq!(who(access.caller(&get("/api/job/job_1", headers), NOW)), expected, "{headers:?}");
    };
    let (ann, altered) = (bearer(&token_of("ann")), bearer(&token_of("ann").replacen('.', ".x", 1)));
    check(&[("authorization", ann.as_str())], "ann");
    check(&[("authorization", ann.replace("Bearer", "bearer ").as_str())], "ann");
    check(&[("authorization", "Bearer rk_first_of_two_keys")], "operator");
    let none = [altered, "Bearer a.b.c".to_owned(), "Bearer".to_owned()];
    let unfit = [String::new(), "x".repeat(129), "a\nb".to_owned(), "operator".to_owned()]
        .map(|subject| bearer(&token_of(&subject)));
    for bad in none.iter().chain(&unfit) {
        check(&[("authorization", bad.as_str())], "unauthorized");
    }
    // A token is no API key elsewhere, and a wrong key decides alone.
    check(&[("x-api-key", token_of("ann").as_str())], "unauthorized");
    check(&[("x-api-key", "rk_third"), ("authorization", ann.as_str())], "unauthorized");
    let ended = access.caller(&get("/api/job/job_1", &[("authorization", ann.as_str())]), Timestamp(NOW.0 + 700_000));
    assert_eq!(who(ended), "unauthorized");
}

#[test]
fn without_a_secret_a_token_is_an_invalid_key() {
    let ann = bearer(&token_of("ann"));
    let request = get("/api/job/job_1", &[("authorization", ann.as_str())]);
    let site = deployed("*");
    assert_eq!(who(access(&site).caller(&request, NOW)), "unauthorized");
    let unset = access(&site).with_owners(Arc::default(), None).expect("settings");
    assert_eq!(who(unset.caller(&request, NOW)), "unauthorized");
    let short = access(&site).with_owners(Arc::default(), Some("short")).err();
    assert_eq!(short, Some(AccessError::ShortJwtSecret));
}

#[test]
fn an_owner_may_call_the_routes_of_owners_only() {
    let access = with_secret(&deployed("*"));
    let ann = bearer(&token_of("ann"));
    let check = |method: &str, path: &str, expected: &str| {
        let headers = [HTTPS.as_slice(), &[("authorization", ann.as_str())]].concat();
        assert_eq!(who(access.caller(&request(method, path, &headers), NOW)), expected, "{method} {path}");
    };
    for (method, path) in [
        ("POST", "/api/generate"),
        ("GET", "/api/queue/jobs"),
        ("HEAD", "/api/v1/projects"),
        ("DELETE", "/api/videos/job_1"),
        ("GET", "/api/nothing"),
    ] {
        check(method, path, "ann");
    }
    for (method, path) in [
        ("POST", "/api/queue/clear"),
        ("POST", "/api/queue/toggle"),
        ("GET", "/api/queue/status/stream"),
        ("HEAD", "/api/queue/status"),
        ("POST", "/api/webhooks/trigger"),
        ("POST", "/api/webhooks/step-update"),
        ("GET", "/api/logs/search"),
        ("GET", "/api/v1/errors"),
    ] {
        check(method, path, "operator_only");
    }
}

#[test]
fn a_function_of_operators_refuses_owners_unread() {
    let access = access(&deployed("*")).without_owners();
    let check = |headers: &[(&str, &str)], expected: &str| {
        assert_eq!(who(access.caller(&get("/api/webhooks/status", headers), NOW)), expected, "{headers:?}");
    };
    check(&[("authorization", "Bearer a.b.c")], "operator_only");
    check(&[("cookie", "vc_access_token=a.b.c")], "operator_only");
    check(&[("authorization", "Bearer rk_third")], "unauthorized");
    check(&[("authorization", "Bearer rk_first_of_two_keys")], "operator");
}

#[test]
fn the_cookie_counts_only_for_pages_of_our_own() {
    let access = with_secret(&deployed("https://shop.example"));
    let cookie = format!("theme=dark; vc_access_token={}", token_of("ann"));
    let check = |method: &str, more: &[(&str, &str)], expected: &str| {
        let headers = [HTTPS.as_slice(), &[("cookie", cookie.as_str())], more].concat();
        assert_eq!(who(access.caller(&request(method, "/api/generate", &headers), NOW)), expected, "{method} {more:?}");
    };
    let (form, json) = (("content-type", "text/plain"), ("content-type", "application/json"));
    check("POST", &[form], "foreign_page");
    check("POST", &[form, ("origin", "https://evil.example")], "foreign_page");
    check("POST", &[form, ("origin", "https://shop.example")], "ann");
    check("POST", &[form, ("origin", "https://api.example.com")], "ann");
    check("POST", &[json], "ann");
    check("GET", &[], "ann");
    check("POST", &[("authorization", "Bearer rk_third"), json], "unauthorized");
    check("POST", &[("authorization", "Basic cHJveHk6cHJveHk="), json], "ann");
    let forged = [("cookie", "vc_access_token=a.b.c")];
    assert_eq!(who(access.caller(&get("/api/job/job_1", &forged), NOW)), "unauthorized");
}

#[test]
fn an_invalid_token_makes_nobody_an_operator_where_no_key_is_needed() {
    let access = with_secret(&laptop("*"));
    let check = |headers: &[(&str, &str)], expected: &str| {
        let headers = [[("host", "127.0.0.1:3000")].as_slice(), headers].concat();
        assert_eq!(who(access.caller(&request("GET", "/api/job/job_1", &headers), NOW)), expected, "{headers:?}");
    };
    check(&[], "operator");
    check(&[("authorization", "Bearer rk_third")], "operator");
    check(&[("authorization", "Bearer a.b.c")], "unauthorized");
    check(&[("cookie", "vc_access_token=a.b.c")], "unauthorized");
    check(&[("authorization", bearer(&token_of("ann")).as_str())], "ann");
}

#[test]
fn an_owner_is_a_caller_of_its_own_and_sees_only_what_is_theirs() {
    let access = with_secret(&deployed("*"));
    let caller = |subject: &str| {
        let token = bearer(&token_of(subject));
        access.caller(&get("/api/job/job_1", &[("authorization", token.as_str())]), NOW).expect("an owner")
    };
    let (ann, bob) = (caller("ann"), caller("bob"));
    assert_eq!(ann, caller("ann"));
    assert_ne!(ann.fingerprint, bob.fingerprint);
    assert!(ann.fingerprint.len() == 16 && !ann.fingerprint.contains("ann"), "{ann:?}");
    let of = |owner: Option<&str>| Origin { owner: owner.and_then(OwnerId::parse), ..Origin::default() };
    let operator = Caller::known_as("a key");
    for (origin, seen) in [(of(Some("ann")), [true, false, true]), (of(None), [false, false, true])] {
        assert_eq!([&ann, &bob, &operator].map(|caller| caller.may_see(&origin)), seen, "{origin:?}");
    }
    let made = ann.origin(&get("/api/generate", &[]));
    assert_eq!((made.owner.as_ref().map(OwnerId::as_str), &made.caller), (Some("ann"), &Some(ann.fingerprint)));
}

/// RS256 with a JWK Set that `http` answers.
fn with_set(http: &Arc<ScriptedHttp>) -> Access {
    let rules = JwtRules { algorithm: JwtAlgorithm::Rs256, ..JwtRules::default() };
    let url = Url::parse("https://issuer.example/jwks.json").expect("a URL");
    let sender: Arc<dyn HttpSender> = http.clone();
    let tokens = OwnerTokens::new(rules, Some((url, sender))).expect("settings");
    access(&deployed("*")).with_owners(Arc::new(tokens), None).expect("settings")
}

fn signed(name: &str) -> String {
    let tokens: Value = serde_json::from_str(TOKENS).expect("tokens");
    bearer(tokens[name].as_str().expect("a token"))
}

/// The owner of a request with this header, after the keys that it needs were fetched.
async fn owner(access: &Access, authorization: &str, seconds: i64) -> String {
    let request = get("/api/job/job_1", &[("authorization", authorization)]);
    let now = Timestamp(NOW.0 + seconds * 1000);
    access.fetch_keys(&request, now).await;
    who(access.caller(&request, now))
}

#[tokio::test]
async fn a_set_is_fetched_once_and_again_after_ten_minutes() {
    let http = Arc::new(ScriptedHttp::new(|_| Ok(response(200, SET))));
    let access = with_set(&http);
    assert_eq!(owner(&access, "Bearer rk_first_of_two_keys", 0).await, "operator");
    assert_eq!(http.requests().len(), 0, "a key needs no set");
    for (seconds, fetches) in [(0, 1), (1, 1), (599, 1), (600, 2), (601, 2)] {
        assert_eq!(owner(&access, &signed("rs256"), seconds).await, "ann", "{seconds}");
        assert_eq!(http.requests().len(), fetches, "{seconds}");
    }
    assert!(http.requests()[0].response_limit <= 1024 * 1024);
}

#[tokio::test]
async fn an_unknown_key_fetches_the_set_at_most_once_a_minute() {
    let http = Arc::new(ScriptedHttp::each([Ok(response(200, r#"{"keys": []}"#)), Ok(response(200, SET))]));
    let access = with_set(&http);
    for (seconds, found, fetches) in
        [(0, "unauthorized", 1), (1, "unauthorized", 1), (59, "unauthorized", 1), (60, "ann", 2)]
    {
        assert_eq!(owner(&access, &signed("rs256"), seconds).await, found, "{seconds}");
        assert_eq!(http.requests().len(), fetches, "{seconds}");
    }
    // Another's key is not in the set, however often it is asked for.
    for seconds in [61, 90, 119] {
        assert_eq!(owner(&access, &signed("es256"), seconds).await, "unauthorized");
    }
    assert_eq!(http.requests().len(), 2);
}

#[tokio::test]
async fn known_keys_stay_in_use_for_an_hour_while_the_set_cannot_be_fetched() {
    let http = Arc::new(ScriptedHttp::new(|_| Ok(response(200, SET))));
    let access = with_set(&http);
    assert_eq!(owner(&access, &signed("rs256"), 0).await, "ann");
    let failures = [
        Err(OutboundError::TimedOut(3000)),
        Ok(response(500, SET)),
        Ok(response(200, "<html>")),
        Ok(OutboundResponse { truncated: true, ..response(200, SET) }),
    ];
    for (failure, seconds) in failures.into_iter().zip([700, 710, 720, 730]) {
        let before = http.requests().len();
        http.script(move |_| failure.clone());
        assert_eq!(owner(&access, &signed("rs256"), seconds).await, "ann");
        assert_eq!(http.requests().len(), before + 1, "{seconds}");
    }
    assert_eq!(owner(&access, &signed("rs256"), 3599).await, "ann");
    assert_eq!(owner(&access, &signed("rs256"), 3601).await, "unauthorized");
    let before = http.requests().len();
    assert_eq!(owner(&access, &signed("rs256"), 3602).await, "unauthorized");
    assert_eq!(http.requests().len(), before, "a failed fetch is not repeated at once");
    http.script(|_| Ok(response(200, SET)));
    assert_eq!(owner(&access, &signed("rs256"), 3606).await, "ann");
}

#[test]
fn rules_that_do_not_fit_together_are_refused() {
    let sender: Arc<dyn HttpSender> = Arc::new(ScriptedHttp::always(200));
    let read = |algorithm: JwtAlgorithm, url: Option<&str>| {
        let set = url.map(|url| (Url::parse(url).expect("a URL"), sender.clone()));
        OwnerTokens::new(JwtRules { algorithm, ..JwtRules::default() }, set).err()
    };
    let refused = |algorithm: JwtAlgorithm, url: Option<&str>, name: &str| {
        let sentence = read(algorithm, url).expect("an error");
        assert!(sentence.starts_with(name), "{sentence}");
    };
    assert_eq!(read(JwtAlgorithm::Hs256, None), None);
    assert_eq!(read(JwtAlgorithm::Rs256, Some("https://issuer.example/jwks")), None);
    for here in ["http://127.0.0.1:4000/jwks", "http://localhost/jwks", "http://[::1]/jwks"] {
        assert_eq!(read(JwtAlgorithm::Es256, Some(here)), None, "{here}");
    }
    refused(JwtAlgorithm::Rs256, None, "JWT_JWKS_URL is missing");
    refused(JwtAlgorithm::Hs256, Some("https://issuer.example/jwks"), "JWT_ALGORITHM must be");
    refused(JwtAlgorithm::Rs256, Some("http://issuer.example/jwks"), "JWT_JWKS_URL must be an https URL");
}
