//! Sign-in by a page: redirect from the requested page, form, and a cookie that authorizes pages, calls and streams.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::limits::use_up;
use crate::stack::{JsonText, Stack, read};

/// A client that does not follow redirects and keeps no cookies.
pub fn browser() -> Client {
    Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client")
}

fn header(response: &Response, name: reqwest::header::HeaderName) -> String {
    response.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned()).unwrap_or_default()
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

/// The form as a browser sends it from the sign-in page.
fn form(stack: &Stack, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = reelhook_app::Url::parse_with_params("http://form/", fields).expect("a URL");
    let request = browser().post(format!("{}/login", stack.api)).header("origin", &stack.api);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(body.query().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_user_signs_in_returns_to_the_page_and_signs_out() {
    let stack = Stack::open().await;
    let get = |path: &str| browser().get(format!("{}{path}", stack.api));

    let redirect = send(get("/queue?status=failed")).await;
    let login = header(&redirect, LOCATION);
    assert_eq!((redirect.status().as_u16(), login.as_str()), (303, "/login?next=%2Fqueue%3Fstatus%3Dfailed"));
    let page = send(get(&login)).await;
    assert_eq!(page.status(), 200);
    assert!(header(&page, reqwest::header::CONTENT_SECURITY_POLICY).contains("form-action 'self'"));
    let text = page.text().await.expect("text");
    assert!(text.contains("value=\"/queue?status=failed\"") && !text.contains("<script"), "{text}");
    // Its files need no key, either.
    for file in text.split('"').filter(|part| part.starts_with("/assets/")) {
        let found = send(get(file)).await;
        assert_eq!(found.status(), 200, "{file}");
        assert_eq!(found.headers()["cross-origin-resource-policy"], "same-origin", "{file}");
    }

    let next = ("next", "/queue?status=failed");
    let refused = send(form(&stack, &[("username", "ann"), ("password", "a guess"), next])).await;
    assert_eq!((refused.status().as_u16(), refused.headers().get(SET_COOKIE)), (401, None));
    assert_eq!(
        header(&refused, WWW_AUTHENTICATE),
        "Bearer realm=\"reelhook\"",
        "browsers show no password dialog for it"
    );
    let text = refused.text().await.expect("text");
    assert!(text.contains("role=\"alert\"") && text.contains("value=\"/queue?status=failed\""), "{text}");
    assert!(!text.contains("a guess") && !text.contains("ann"), "{text}");

    let taken = send(form(&stack, &[("username", ""), ("password", &stack.key), next])).await;
    assert_eq!((taken.status().as_u16(), header(&taken, LOCATION).as_str()), (303, "/queue?status=failed"));
    let set = header(&taken, SET_COOKIE);
    assert!(
        set.starts_with("reelhook_session=c1.") && set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax")
    );
    let cookie = set.split(';').next().expect("a cookie").to_owned();

    let with = |request: RequestBuilder| request.header(COOKIE, format!("theme=dark; {cookie}"));
    for path in ["/queue", "/", "/api/queue/status", "/api/queue/jobs", "/api/queue/status/stream"] {
        assert_eq!(send(with(get(path))).await.status(), 200, "{path}");
    }
    // A user with a session is redirected immediately.
    assert_eq!(header(&send(with(get("/login?next=%2Fdashboard"))).await, LOCATION), "/dashboard");
    let toggle = || with(browser().post(format!("{}/api/queue/toggle", stack.api)));
    let (status, answer) = read(send(toggle().json_text(&json!({ "processing": true }))).await).await;
    assert_eq!((status, &answer["isProcessing"]), (200, &json!(true)), "{answer}");
    let (status, answer) =
        read(send(toggle().header("origin", "http://127.0.0.1:9").body("processing=false")).await).await;
    assert_eq!((status, &answer["code"]), (403, &json!("foreign_page")), "{answer}");

    let out = send(with(browser().post(format!("{}/logout", stack.api)))).await;
    assert_eq!((out.status().as_u16(), header(&out, LOCATION).as_str()), (303, "/login"));
    assert_eq!(header(&out, SET_COOKIE), "reelhook_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    let changed = cookie.replace("c1.", "c1.9");
    for other in [changed.as_str(), "reelhook_session="] {
        let (status, answer) = read(send(get("/api/queue/status").header(COOKIE, other)).await).await;
        assert_eq!((status, &answer["code"]), (401, &json!("unauthorized")), "{other}");
    }
}

#[tokio::test]
async fn a_program_signs_in_with_json() {
    let stack = Stack::open().await;
    let login = || browser().post(format!("{}/login", stack.api));
    let taken = send(login().json_text(&json!({ "password": stack.key }))).await;
    let cookie = header(&taken, SET_COOKIE);
    let (status, answer) = read(taken).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    assert!(answer["expiresAt"].is_string() && cookie.contains("HttpOnly"), "{answer} {cookie}");
    let (status, answer) =
        read(send(login().json_text(&json!({ "username": "ann", "password": "a guess" }))).await).await;
    assert_eq!((status, &answer["code"]), (401, &json!("sign_in_failed")), "{answer}");
    let (status, answer) = read(send(login().json_text(&json!({ "password": ["x"] }))).await).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{answer}");
    let (status, answer) =
        read(send(browser().post(format!("{}/logout", stack.api)).json_text(&json!({}))).await).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    assert_eq!(send(browser().get(format!("{}/logout", stack.api))).await.status(), 401, "a link does not sign out");
}

#[tokio::test]
async fn a_page_of_another_site_cannot_sign_a_user_in_or_out() {
    let stack = Stack::open().await;
    for path in ["/login", "/logout"] {
        for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
        {
            let request = browser().post(format!("{}{path}", stack.api)).header(name, value);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let answer = send(request.body(format!("password={}", stack.key))).await;
            assert_eq!(answer.headers().get(SET_COOKIE), None, "{path} {value}");
            let (status, answer) = read(answer).await;
            assert_eq!((status, &answer["code"]), (403, &json!("foreign_page")), "{path} {value}");
        }
    }
    // The other site also can't choose where the user is redirected.
    for elsewhere in ["https://evil.example/", "//evil.example/", "/\\evil.example/"] {
        let taken = send(form(&stack, &[("password", &stack.key), ("next", elsewhere)])).await;
        assert_eq!((taken.status().as_u16(), header(&taken, LOCATION).as_str()), (303, "/"), "{elsewhere}");
    }
}

#[tokio::test]
async fn sign_in_attempts_are_limited_by_address() {
    let stack = Stack::open().await;
    // An address that no other test uses.
    let at = |sample: &str| {
        let mut event: Value = serde_json::from_str(sample).expect("JSON");
        event["requestContext"]["http"]["sourceIp"] = json!("203.0.113.99");
        event
    };
    use_up(&stack, "login 203.0.113.99", crate::limits::CALLS).await;
    let (answer, error) = stack.aws.invoke("pages", &at(include_str!("../../events/pages/sign-in-wrong.json"))).await;
    assert_eq!((error, &answer["statusCode"]), (None, &json!(429)), "{answer}");
    let (answer, error) = stack.aws.invoke("pages", &at(include_str!("../../events/pages/sign-in.json"))).await;
    assert_eq!((error, &answer["statusCode"]), (None, &json!(429)), "the right key is limited, too: {answer}");
    let body = answer["body"].as_str().expect("a page");
    assert!(body.contains("Too many attempts. Try again in ") && !body.contains("rk_test"), "{body}");
    assert!(answer["headers"]["retry-after"].is_string(), "{answer}");
}

/// On AWS browsers reach the API over https, so the cookie is limited to https.
#[tokio::test]
async fn over_https_the_cookie_is_secure_and_in_the_cookies_list() {
    let stack = Stack::open().await;
    let (answer, error) = stack
        .aws
        .invoke("pages", &serde_json::from_str(include_str!("../../events/pages/sign-in.json")).expect("JSON"))
        .await;
    assert_eq!((error, &answer["statusCode"]), (None, &json!(303)), "{answer}");
    let set = answer["cookies"][0].as_str().expect("a cookie");
    assert!(set.starts_with("__Host-reelhook_session=c1.") && set.contains("; Secure; "), "{set}");
    let mut event: Value = serde_json::from_str(include_str!("../../events/job-control/status.json")).expect("JSON");
    event["headers"].as_object_mut().expect("headers").remove("authorization");
    event["cookies"] = json!(["theme=dark", set.split(';').next()]);
    let (answer, _) = stack.aws.invoke("job-control", &event).await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    event["cookies"] = json!([set.split(';').next().map(|pair| pair.replace("__Host-", ""))]);
    let (answer, _) = stack.aws.invoke("job-control", &event).await;
    assert_eq!(answer["statusCode"], 401, "{answer}");
}

/// Programs get a Basic challenge; scripts of pages get a challenge that opens no dialog.
#[tokio::test]
async fn only_programs_get_a_basic_challenge() {
    let stack = Stack::open().await;
    let challenge = async |mode: Option<&str>| {
        let request = browser().get(format!("{}/api/queue/status", stack.api));
        let request = mode.into_iter().fold(request, |request, mode| request.header("sec-fetch-mode", mode));
        let answer = send(request).await;
        assert_eq!(answer.status(), 401);
        header(&answer, WWW_AUTHENTICATE)
    };
    // Basic must be the only scheme: Chromium opens no password dialog if another one precedes it.
    assert_eq!(challenge(None).await, "Basic realm=\"reelhook\", charset=\"UTF-8\"");
    assert_eq!(challenge(Some("navigate")).await, "Basic realm=\"reelhook\", charset=\"UTF-8\"");
    assert_eq!(challenge(Some("cors")).await, "Bearer realm=\"reelhook\"");
}
