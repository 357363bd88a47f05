//! Sessions: their start, the rights and the lifetime of their cookie, and redirects of the browser.

use lambda_http::request::from_str;
use reelhook_domain::Timestamp;
use reelhook_http::access::session::{SignIn, next, no_cookie, see_other, to_login};
use reelhook_http::access::{Access, Caller};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use serde_json::{Value, json};

use crate::edge::{NOW, access, deployed, event, laptop, request};

const KEY: &str = "rk_first_of_two_keys";
const FORM: &str = "application/x-www-form-urlencoded";
const HTTPS: [(&str, &str); 2] = [("host", "api.example.com"), ("x-forwarded-proto", "https")];

/// A POST with this body.
fn posting(content_type: &str, body: &str) -> ApiRequest {
    let mut event = event("POST", "/login", &[("content-type", content_type)]);
    event["body"] = json!(body);
    ApiRequest::of(from_str(&event.to_string()).expect("an event"))
}

fn form(body: &str) -> SignIn {
    SignIn::read(&posting(FORM, body)).expect("a form")
}

/// The Set-Cookie header after signing in with the first key.
fn set_cookie(secure: bool) -> String {
    let session = access(&deployed("*")).sign_in(&form(&format!("password={KEY}")), NOW).expect("a session");
    session.cookie(secure)
}

/// The `name=value` of a Set-Cookie header.
fn cookie() -> String {
    set_cookie(true).split(';').next().expect("a cookie").to_owned()
}

/// A request of a browser over https, with a Cookie header.
fn browsing(method: &str, cookie: &str, more: &[(&str, &str)]) -> ApiRequest {
    let mut headers = HTTPS.to_vec();
    headers.push(("cookie", cookie));
    headers.extend_from_slice(more);
    request(method, "/api/queue/status", &headers)
}

fn code(found: Result<Caller, Problem>) -> &'static str {
    found.map_or_else(|problem| problem.parts().1, |_| "in")
}

#[test]
fn only_a_key_or_the_password_starts_a_session() {
    let check = |body: &str, allowed: bool| {
        let found = access(&deployed("*")).sign_in(&form(body), NOW);
        assert_eq!(found.is_ok(), allowed, "{body}");
        if !allowed {
            assert_eq!(found.map(drop), Err(Problem::Request(RequestProblem::SignInFailed)));
        }
    };
    check("password=rk_first_of_two_keys", true);
    check("username=&password=rk_second_of_two_keys", true);
    check("username=anyone&password=rk_second_of_two_keys", true);
    check("username=&password=+rk_first_of_two_keys%0D%0A", true);
    check("username=ann&password=secret", true);
    check("username=ann&password=+secret", false);
    check("username=bob&password=secret", false);
    check("password=secret", false);
    check("username=ann&password=", false);
    check("username=ann%3Asecret&password=", false);
    check("password=", false);
    check("", false);
    check("password=wrong&password=rk_first_of_two_keys", false);
}

#[test]
fn a_sign_in_is_read_from_a_form_or_from_json() {
    use secrecy::ExposeSecret;
    let check = |content_type: &str, body: &str, expected: (&str, &str)| {
        let read = SignIn::read(&posting(content_type, body)).expect("a sign-in");
        assert_eq!((read.username.as_str(), read.password.expose_secret()), expected, "{body}");
    };
    check(FORM, "username=Zo%C3%AB+M&password=a%26b%3D%2B", ("Zoë M", "a&b=+"));
    check("application/json", r#"{"username": "ann", "password": "a\"b"}"#, ("ann", "a\"b"));
    check("application/json; charset=utf-8", r#"{"password": "rk"}"#, ("", "rk"));
    check("application/json", r#"{"username": null, "password": "rk"}"#, ("", "rk"));
    check("text/plain", "password=rk", ("", "rk"));
    let wrong = |content_type: &str, body: &str| SignIn::read(&posting(content_type, body)).map(drop).unwrap_err();
    assert!(matches!(wrong("application/json", "{"), Problem::Request(RequestProblem::BadJson(_))));
    for body in
        [json!({ "password": 5 }), json!({ "username": [], "password": "x" }), json!({ "password": "x".repeat(1025) })]
    {
        assert!(
            matches!(wrong("application/json", &body.to_string()), Problem::Request(RequestProblem::BadField(..))),
            "{body}"
        );
    }
    let long = format!("username={}&password=x", "u".repeat(257));
    assert!(wrong(FORM, &long).path() == Some("username"));
    assert!(matches!(
        wrong(FORM, &format!("password={}", "x".repeat(20_000))),
        Problem::Request(RequestProblem::BadField(..))
    ));
    // The debug form contains no secret.
    assert!(!format!("{:?}", form("password=rk_first_of_two_keys")).contains("rk_first"));
}

#[test]
fn a_session_is_as_good_as_its_key_for_twelve_hours() {
    let access = access(&deployed("*"));
    let with_key = access.caller(&request("GET", "/", &[("x-api-key", KEY)]), NOW).expect("a caller");
    let at = |seconds: i64| access.caller(&browsing("GET", &cookie(), &[]), Timestamp(NOW.0 + seconds * 1000));
    assert_eq!(at(0), Ok(with_key.clone()), "a key and its session belong to one caller");
    assert_eq!(at(12 * 3600 - 1), Ok(with_key));
    assert_eq!(at(12 * 3600), Err(Problem::Request(RequestProblem::Unauthorized)));
}

#[test]
fn a_session_ends_with_its_key_and_with_the_secret() {
    let check = |keys: &'static str, secret: &'static str, expected: &str| {
        let access = Access::read(&deployed("*"), &move |name| match name {
            "API_KEYS" => Some(keys.to_owned()),
            "SESSION_SECRET" => Some(secret.to_owned()),
            _ => None,
        });
        let found = access.expect("settings").caller(&browsing("GET", &cookie(), &[]), NOW);
        assert_eq!(code(found), expected, "{keys} {secret}");
    };
    check("rk_third,rk_first_of_two_keys", "ses_new", "in");
    check("rk_first_of_two_keys", "ses_newer,ses_new", "in");
    check("rk_second_of_two_keys", "ses_new", "unauthorized");
    check("", "ses_new", "unauthorized");
    check("rk_first_of_two_keys", "ses_newer", "unauthorized");
    check("rk_first_of_two_keys", "ses_old", "unauthorized");
}

#[test]
fn a_cookie_is_kept_from_scripts_from_other_sites_and_from_plain_http() {
    let pair = cookie();
    assert_eq!(set_cookie(true), format!("{pair}; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax"));
    assert!(pair.starts_with("__Host-reelhook_session=c1."), "{pair}");
    let plain = set_cookie(false);
    assert!(plain.starts_with("reelhook_session=c1.") && !plain.contains("Secure"), "{plain}");
    let gone = "__Host-reelhook_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax";
    assert_eq!(no_cookie(true), gone);
}

#[test]
fn only_the_cookie_of_this_transport_counts() {
    let access = access(&deployed("*"));
    let token = cookie().split_once('=').expect("a pair").1.to_owned();
    let check = |cookie: &str, expected: &str| {
        assert_eq!(code(access.caller(&browsing("GET", cookie, &[]), NOW)), expected, "{cookie}");
    };
    let (ours, other) = (format!("__Host-reelhook_session={token}"), format!("reelhook_session={token}"));
    check(&ours, "in");
    check(&format!("theme=dark; {ours}; lang=de"), "in");
    check(&format!("theme=dark;{ours}"), "in");
    check(&format!("__Host-reelhook_session=c1.1.x; {ours}"), "in");
    check(&format!("=; ;;a; {ours}; é=ü"), "in");
    // Any host of the domain, or a page over plain http, could have set this cookie.
    check(&other, "unauthorized");
    check(&format!("x{ours}"), "unauthorized");
    check(&ours.to_lowercase(), "unauthorized");
    check(&format!("__Host-reelhook_session=\"{token}\""), "unauthorized");
    check(&format!("__Host-reelhook_session={token}x"), "unauthorized");
    check(&format!("theme={token}"), "unauthorized");
    check("", "unauthorized");
    // Without https the other cookie is accepted.
    let laptop = crate::edge::access(&reelhook_http::site::Site::read(None, None, None).expect("a site"));
    let plain =
        |cookie: &str| laptop.caller(&request("GET", "/", &[("host", "127.0.0.1:3000"), ("cookie", cookie)]), NOW);
    assert_eq!((code(plain(&other)), code(plain(&ours))), ("in", "unauthorized"));
}

/// HTTP APIs and Function URLs pass cookies apart from the headers (payload format 2.0).
#[test]
fn cookies_come_in_a_list_of_their_own() {
    let mut event = event("GET", "/api/queue/status/stream", &HTTPS);
    event["cookies"] = json!(["theme=dark", cookie(), "lang=de"]);
    let request = ApiRequest::of(from_str(&event.to_string()).expect("an event"));
    assert_eq!(code(access(&deployed("*")).caller(&request, NOW)), "in");
}

#[test]
fn another_site_s_page_can_t_use_a_session() {
    let access = access(&deployed("https://shop.example"));
    let check = |method: &str, more: &[(&str, &str)], expected: &str| {
        assert_eq!(code(access.caller(&browsing(method, &cookie(), more), NOW)), expected, "{method} {more:?}");
    };
    let (form, json) = (("content-type", FORM), ("content-type", "application/json"));
    for foreign in ["https://evil.example", "http://api.example.com", "https://api.example.com:8443", "null"] {
        check("POST", &[form, ("origin", foreign)], "foreign_page");
        check("POST", &[("origin", foreign)], "foreign_page");
    }
    check("POST", &[form], "foreign_page");
    check("POST", &[form, ("sec-fetch-site", "same-site")], "foreign_page");
    for ours in ["https://api.example.com", "https://shop.example"] {
        check("POST", &[form, ("origin", ours)], "in");
    }
    check("POST", &[form, ("sec-fetch-site", "same-origin")], "in");
    check("POST", &[json], "in");
    check("DELETE", &[], "in");
    check("PATCH", &[json], "in");
    check("GET", &[("sec-fetch-site", "cross-site")], "in");
}

#[test]
fn an_explicit_key_takes_precedence() {
    let access = access(&deployed("*"));
    let check = |name: &str, value: &str, expected: &str| {
        assert_eq!(
            code(access.caller(&browsing("GET", &cookie(), &[(name, value)]), NOW)),
            expected,
            "{name}: {value}"
        );
    };
    check("x-api-key", "rk_third", "unauthorized");
    check("authorization", "Bearer rk_third", "unauthorized");
    check("authorization", "Bearer", "unauthorized");
    // A proxy requested these from the browser.
    check("authorization", "Basic cHJveHk6cHJveHk=", "in");
    check("authorization", "Negotiate YII", "in");
}

#[test]
fn on_a_laptop_a_session_does_not_make_another_page_ours() {
    let access = access(&laptop("*"));
    let pair = set_cookie(false).split(';').next().expect("a cookie").to_owned();
    let check = |headers: &[(&str, &str)], expected: &str| {
        let mut headers = headers.to_vec();
        headers.push(("cookie", &pair));
        assert_eq!(code(access.caller(&request("GET", "/api/queue/jobs", &headers), NOW)), expected, "{headers:?}");
    };
    check(&[("host", "127.0.0.1:3000")], "in");
    check(&[("host", "evil.example:3000")], "foreign_host");
    check(&[("host", "127.0.0.1:3000"), ("origin", "http://127.0.0.1:8000")], "foreign_page");
}

#[test]
fn a_browser_is_redirected_only_to_our_own_paths() {
    let of = |text: &str| {
        let body: String = reelhook_app::Url::parse_with_params("http://x/", [("next", text)])
            .expect("a URL")
            .query()
            .unwrap_or_default()
            .to_owned();
        next(&posting(FORM, &body))
    };
    let check = |text: &str, expected: &str| assert_eq!(of(text), expected, "{text:?}");
    for path in ["/", "/queue", "/job/job_1", "/?country=US&genre=Sci-Fi+%26+Fantasy", "/webhooks#ep_1", "/loginx"] {
        check(path, path);
    }
    for elsewhere in [
        "",
        "queue",
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " /queue",
        "/queue\r\nset-cookie: x=y",
        "/é",
        "javascript:alert(1)",
        "/login",
        "/login?next=/queue",
        "/logout",
    ] {
        check(elsewhere, "/");
    }
    check(&format!("/{}", "x".repeat(3000)), "/");
    // The query of GET /login has the same effect.
    let page = ApiRequest::of({
        let mut event = event("GET", "/login", &[]);
        event["rawQueryString"] = json!("next=%2Fqueue%3Fstatus%3Dfailed");
        from_str(&event.to_string()).expect("an event")
    });
    assert_eq!(next(&page), "/queue?status=failed");
}

#[test]
fn signing_in_returns_to_the_requested_page() {
    let check = |path: &str, query: &str, expected: &str| {
        let mut event = event("GET", path, &[]);
        event["rawQueryString"] = json!(query);
        let answer = to_login(&ApiRequest::of(from_str(&event.to_string()).expect("an event")));
        let location = answer.headers.iter().find(|(name, _)| *name == "location").map(|(_, value)| value.as_str());
        assert_eq!((answer.status, location), (303, Some(expected)), "{path}?{query}");
    };
    check("/", "", "/login");
    check("/queue", "", "/login?next=%2Fqueue");
    check("/", "country=FR&genre=Com%C3%A9die", "/login?next=%2F%3Fcountry%3DFR%26genre%3DCom%25C3%25A9die");
    check("/job/job_1", "", "/login?next=%2Fjob%2Fjob_1");
    check("/job/a b", "", "/login?next=%2Fjob%2Fa%2520b");
    check("//evil.example", "", "/login");
    let answer = see_other("/queue");
    assert!(
        answer.headers.contains(&("cache-control", "no-store".to_owned())),
        "no cache keeps the page of a signed-in user"
    );
}

#[test]
fn a_sign_in_response_has_the_end_of_the_session() {
    let session = access(&deployed("*")).sign_in(&form("username=ann&password=secret"), NOW).expect("a session");
    let answer = session.answer();
    let body: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!((answer.status, &body["success"]), (200, &json!(true)));
    assert_eq!(body["expiresAt"], "2024-01-02T00:00:00.000Z");
    assert!(!answer.body.contains("c1."), "the token is in the cookie only");
}
