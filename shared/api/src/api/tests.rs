//! Requests to a function behind the API, with AWS as closures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_http_client::test_util::infallible_client_fn;
use lambda_http::RequestExt as _;
use lambda_http::http::HeaderValue;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_http::access::Access;
use reelhook_http::problem::RequestProblem;

use super::*;

/// The token of an owner, `ann`: of `https://issuer.example` for `reelhook`, until 2100, with HS256 and [`JWT_SECRET`].
const ANN: &str = concat!(
    "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    "eyJzdWIiOiJhbm4iLCJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoicmVlbGhvb2siLCJleHAiOjQxMDI0NDQ4MDB9.",
    "AUmdjSpCVB3oPHVdRAm7BjBI6hBaMvkN5eUcZQI8F3k",
);
const JWT_SECRET: &str = "a secret of at least 32 characters";

/// SSM with a key and a secret.
fn ssm() -> aws_sdk_ssm::Client {
    use aws_sdk_ssm::config::{BehaviorVersion, Config, Credentials, Region};
    let http = infallible_client_fn(|_: http::Request<_>| {
        let key = r#"{"Name": "/p/API_KEYS", "Value": "rk_test"}"#;
        let secret = r#"{"Name": "/p/SESSION_SECRET", "Value": "a secret"}"#;
        let body = format!(r#"{{"Parameters": [{key}, {secret}]}}"#);
        http::Response::builder().status(200).body(body).expect("an answer")
    });
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::from_keys("id", "key", None))
        .region(Region::new("us-east-1"))
        .http_client(http);
    aws_sdk_ssm::Client::from_conf(config.build())
}

/// The Counters table, in which each call leases one call of a caller; and the number of its calls.
fn counters() -> (CounterTable, Arc<AtomicUsize>) {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let http = infallible_client_fn(move |_: http::Request<_>| {
        let count = counted.fetch_add(1, Ordering::Relaxed) + 1;
        let body = format!(r#"{{"Attributes": {{"count": {{"N": "{count}"}}}}}}"#);
        http::Response::builder().status(200).body(body).expect("an answer")
    });
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::from_keys("id", "key", None))
        .region(Region::new("us-east-1"))
        .http_client(http);
    (CounterTable::new(aws_sdk_dynamodb::Client::from_conf(config.build()), "Counters"), calls)
}

/// An API with the key `rk_test`, which has one call a minute; and the number of calls to the Counters table.
async fn api() -> (Api<WithAccess>, Arc<AtomicUsize>) {
    let site = Site::read(None, None, None).expect("a site");
    let (counters, calls) = counters();
    let (SettingsReader { names, read }, of) = (SettingsReader::none().with_access(), site.clone());
    let settings = Settings::load(ssm(), "/p".to_owned(), names, move |raw| read(raw, &of)).await.expect("settings");
    let (to_answer, preflight) = (Problem::streamgank, Site::preflight);
    (Api { site, settings, limits: Limits::of_callers(counters, 1), to_answer, preflight }, calls)
}

fn request(method: &str, headers: &[(&'static str, &'static str)]) -> Request {
    let mut request = Request::new(Body::Empty).with_raw_http_path("/api/job/job_1_a");
    *request.method_mut() = method.parse().expect("a method");
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    request
}

fn text(response: &Response<Body>) -> &str {
    match response.body() {
        Body::Text(text) => text,
        _ => "",
    }
}

async fn succeed(_: &(), request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    Ok(ApiAnswer::text(200, request.path.clone()))
}

async fn fail(_: &(), _: &ApiRequest) -> Result<ApiAnswer, Problem> {
    Err(Problem::Request(RequestProblem::Unauthorized))
}

#[tokio::test]
async fn a_request_gets_the_answer_of_its_function_and_head_no_body() {
    let (api, _) = api().await;
    let answer = api.serve(&(), succeed, request("GET", &[])).await.unwrap();
    assert_eq!((answer.status().as_u16(), text(&answer)), (200, "/api/job/job_1_a"));
    let head = api.serve(&(), succeed, request("HEAD", &[])).await.unwrap();
    assert_eq!((head.status().as_u16(), text(&head)), (200, ""));
    assert_eq!(head.headers()["content-length"], "16");
}

#[tokio::test]
async fn a_preflight_needs_no_key_and_reaches_no_function() {
    let (api, _) = api().await;
    let answer = api.serve(&(), fail, request("OPTIONS", &[])).await.unwrap();
    assert_eq!(answer.status(), 204);
    let api = api.with_preflight(|_, request| ApiAnswer::text(200, request.path.clone()));
    let answer = api.serve(&(), fail, request("OPTIONS", &[])).await.unwrap();
    assert_eq!((answer.status().as_u16(), text(&answer)), (200, "/api/job/job_1_a"));
}

#[tokio::test]
async fn an_error_is_reported_in_the_format_of_the_function() {
    let (api, _) = api().await;
    let answer = api.serve(&(), fail, request("GET", &[])).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(text(&answer).contains("success"), "{answer:?}");
    let api = api.with_errors(Problem::vidbuilder);
    let answer = api.serve(&(), fail, request("GET", &[])).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(!text(&answer).contains("success"), "{answer:?}");
}

#[tokio::test]
async fn a_script_that_is_refused_gets_a_challenge_without_a_dialog() {
    let (api, _) = api().await;
    for (mode, quiet) in [("cors", true), ("navigate", false)] {
        let answer = api.serve(&(), fail, request("GET", &[("sec-fetch-mode", mode)])).await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"] == "Bearer realm=\"reelhook\"", quiet, "{mode}");
    }
}

#[tokio::test]
async fn only_calls_of_authenticated_callers_are_counted_and_limited() {
    let (api, calls) = api().await;
    let unknown = ApiRequest::of(request("GET", &[("x-api-key", "rk_guessed")]));
    assert_eq!(api.admit(&unknown).await, Err(Problem::Request(RequestProblem::Unauthorized)));
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    let known = ApiRequest::of(request("GET", &[("x-api-key", "rk_test")]));
    assert_eq!(api.admit(&known).await, api.authenticate(&known).await);
    let refused = api.admit(&known).await;
    assert!(matches!(refused, Err(Problem::Request(RequestProblem::RateLimited(_)))), "{refused:?}");
    assert!(api.authenticate(&known).await.is_ok(), "authentication alone has no limit");
}

/// The owner whom the token of `ann` names, or what is wrong with the variables.
fn owner_by(variables: &[(&'static str, &'static str)]) -> Result<Option<String>, String> {
    let variables = variables.to_vec();
    let mut environment = Environment::with(move |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    });
    let tokens = Arc::new(owner_tokens(&mut environment).expect("a client"));
    environment.finish().map_err(|error| error.to_string())?;
    let site = Site::read(None, None, None).expect("a site");
    let access = Access::read(&site, &|name| (name == "SESSION_SECRET").then(|| "a secret".to_owned()));
    let access = access.expect("credentials").with_owners(tokens, Some(JWT_SECRET)).expect("a long secret");
    let caller = access.caller(&ApiRequest::of(request("GET", &[("authorization", ANN)])), SystemClock.now());
    Ok(caller.ok().and_then(|caller| caller.owner).map(|owner| owner.to_string()))
}

#[test]
fn a_token_keeps_to_the_rules_of_the_variables() {
    let (issuer, audience) = (("JWT_ISSUER", "https://issuer.example"), ("JWT_AUDIENCE", "reelhook"));
    for variables in [&[][..], &[issuer], &[audience], &[issuer, audience, ("JWT_ALGORITHM", "HS256")]] {
        assert_eq!(owner_by(variables), Ok(Some("ann".to_owned())), "{variables:?}");
    }
    let other = ("JWT_ISSUER", "https://another.example");
    for variables in [&[other][..], &[other, audience], &[issuer, ("JWT_AUDIENCE", "another")]] {
        assert_eq!(owner_by(variables), Ok(None), "{variables:?}");
    }
    for (variable, expected) in [
        (("JWT_ALGORITHM", "none"), "JWT_ALGORITHM: must be `HS256`, `RS256` or `ES256`"),
        (("JWT_ALGORITHM", "RS256"), "JWT_JWKS_URL is missing: JWT_ALGORITHM is RS256"),
    ] {
        assert_eq!(owner_by(&[variable]), Err(format!("bad environment: {expected}")), "{variable:?}");
    }
}
