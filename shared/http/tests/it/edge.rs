//! Requests in the form in which the gateway passes them to functions, on AWS and on a laptop.

use lambda_http::request::from_str;
use reelhook_app::Url;
use reelhook_domain::Timestamp;
use reelhook_http::access::Access;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::Site;
use serde_json::{Value, json};

/// An event of an HTTP API or a Function URL: header names are in lower case and unique.
pub fn event(method: &str, path: &str, headers: &[(&str, &str)]) -> Value {
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
pub fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> ApiRequest {
    ApiRequest::of(from_str(&event(method, path, headers).to_string()).expect("an event"))
}

/// A function of a stack on AWS, at https://api.example.com.
pub fn deployed(cors: &str) -> Site {
    let base = Url::parse("https://api.example.com").expect("a URL");
    Site::read(Some("required"), Some(&base), Some(cors)).expect("a site")
}

/// A function of a laptop's stack, which requires no key.
pub fn laptop(cors: &str) -> Site {
    let base = Url::parse("http://127.0.0.1:3000").expect("a URL");
    Site::read(Some("none"), Some(&base), Some(cors)).expect("a site")
}

pub fn access(site: &Site) -> Access {
    let read = Access::read(site, &|name| match name {
        "API_KEYS" => Some("rk_first_of_two_keys,rk_second_of_two_keys".to_owned()),
        "API_USERNAME" => Some("ann".to_owned()),
        "API_PASSWORD" => Some("secret".to_owned()),
        "SESSION_SECRET" => Some("ses_new,ses_old".to_owned()),
        _ => None,
    });
    read.expect("settings")
}

/// The time of these requests.
pub const NOW: Timestamp = Timestamp(1_704_110_400_000);

/// `in`, or the code of the error.
pub fn verdict(site: &Site, request: &ApiRequest) -> &'static str {
    access(site).caller(request, NOW).map_or_else(|problem| problem.parts().1, |_| "in")
}
