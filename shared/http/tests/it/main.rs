//! What the edge of the API makes of events, seen through its public API.

mod access;
mod keyless;
mod preflight;

use lambda_http::request::from_str;
use reelhook_app::Url;
use reelhook_http::access::Access;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::Site;
use serde_json::{Value, json};

/// An event as an HTTP API or a Function URL gives it; names of headers are in lower case there, each name once.
fn event(method: &str, path: &str, headers: &[(&str, &str)]) -> Value {
    let names: serde_json::Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": names,
        "requestContext": {
            "domainName": "abc.execute-api.localhost",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "a browser",
            },
            "requestId": "r-1",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1_704_110_400_000_i64,
        },
        "isBase64Encoded": false,
    })
}

/// A request as functions see it.
fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> ApiRequest {
    ApiRequest::of(from_str(&event(method, path, headers).to_string()).expect("an event"))
}

/// A function of a stack on AWS, at https://api.example.com.
fn deployed(cors: &str) -> Site {
    let base = Url::parse("https://api.example.com").expect("a URL");
    Site::read(Some("required"), Some(&base), Some(cors)).expect("a site")
}

/// A function of a laptop's stack that asks for no key.
fn laptop(cors: &str) -> Site {
    let base = Url::parse("http://127.0.0.1:3000").expect("a URL");
    Site::read(Some("none"), Some(&base), Some(cors)).expect("a site")
}

fn access(site: &Site) -> Access {
    let read = Access::read(site, &|name| match name {
        "API_KEYS" => Some("rk_first_of_two_keys,rk_second_of_two_keys".to_owned()),
        "API_USERNAME" => Some("ann".to_owned()),
        "API_PASSWORD" => Some("secret".to_owned()),
        "SESSION_SECRET" => Some("ses_new,ses_old".to_owned()),
        _ => None,
    });
    read.expect("settings")
}

/// `in`, or the code of what is wrong.
fn verdict(site: &Site, request: &ApiRequest) -> &'static str {
    access(site).caller(request).map_or_else(|problem| problem.parts().1, |_| "in")
}
