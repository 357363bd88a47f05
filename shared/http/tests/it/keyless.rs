//! Calls without keys: only to our own address, and from no page of another origin.

use crate::edge::{laptop, request, verdict};

const FORM: &str = "application/x-www-form-urlencoded";

/// All combinations of the properties of a call without a key, and the result of each.
#[test]
fn without_a_key_only_our_own_host_and_no_foreign_page() {
    let hosts = [
        (Some("127.0.0.1:3000"), true),
        (Some("localhost:3000"), true),
        (Some("LOCALHOST:3000"), true),
        (Some("[::1]:3000"), true),
        // The gateway's own name for this API, which no third party could own.
        (Some("abc.execute-api.localhost"), true),
        (None, false),
        (Some("127.0.0.1"), false),
        (Some("127.0.0.1:4566"), false),
        (Some("localhost.:3000"), false),
        (Some("localhost.example:3000"), false),
        (Some("127.0.0.1.example:3000"), false),
        (Some("evil.example:3000"), false),
        (Some("0.0.0.0:3000"), false),
    ];
    let types = [None, Some(FORM), Some("text/plain"), Some("application/json")];
    let mut checked = 0;
    for (host, own) in hosts {
        // An origin with the requested host, as a page has after DNS rebinding, and others.
        let same = host.map(|host| format!("http://{host}"));
        let origins = [
            (None, None),
            (same.as_deref(), Some(true)),
            (Some("http://127.0.0.1:3000"), Some(true)),
            (Some("http://127.0.0.1:8000"), Some(false)),
            (Some("https://127.0.0.1:3000"), Some(false)),
            (Some("http://evil.example"), Some(false)),
            (Some("null"), Some(false)),
            (Some("chrome-extension://127.0.0.1:3000"), Some(false)),
        ];
        for (origin, ours) in origins {
            for method in ["GET", "HEAD", "POST", "PATCH", "DELETE"] {
                for content_type in types {
                    let mut headers: Vec<(&str, &str)> = Vec::new();
                    headers.extend(host.map(|host| ("host", host)));
                    headers.extend(origin.map(|origin| ("origin", origin)));
                    headers.extend(content_type.map(|text| ("content-type", text)));
                    let unproven = method == "POST" && content_type != Some("application/json");
                    // Without an Origin a simple POST has no proof of its origin.
                    let ours = if origin.is_none() { None } else { ours };
                    let expected = match (own, ours) {
                        (false, _) => "foreign_host",
                        (true, Some(false)) => "foreign_page",
                        (true, None) if unproven => "foreign_page",
                        (true, None | Some(true)) => "in",
                    };
                    // An unknown key counts as no key.
                    for key in [None, Some(("x-api-key", "rk_third")), Some(("authorization", "Bearer rk_third"))] {
                        let mut headers = headers.clone();
                        headers.extend(key);
                        let found = verdict(&laptop("*"), &request(method, "/api/queue/clear", &headers));
                        assert_eq!(found, expected, "{method} {headers:?}");
                        checked += 1;
                    }
                }
            }
        }
    }
    assert_eq!(checked, 13 * 8 * 5 * 4 * 3);
}

#[test]
fn a_valid_key_is_accepted_from_any_origin() {
    for (name, value) in [("x-api-key", "rk_first_of_two_keys"), ("authorization", "Bearer rk_first_of_two_keys")] {
        let headers = [(name, value), ("host", "evil.example:3000"), ("origin", "http://evil.example:3000")];
        assert_eq!(verdict(&laptop("*"), &request("POST", "/api/queue/clear", &headers)), "in");
    }
}

#[test]
fn a_page_at_an_origin_that_is_named_counts_as_ours() {
    let check = |cors: &str, origin: &str, expected: &str| {
        let headers = [("host", "127.0.0.1:3000"), ("origin", origin), ("sec-fetch-site", "same-site")];
        assert_eq!(verdict(&laptop(cors), &request("GET", "/api/queue/status", &headers)), expected, "{cors} {origin}");
    };
    check("http://localhost:5173", "http://localhost:5173", "in");
    check("http://localhost:5173, http://localhost:8080", "http://localhost:8080", "in");
    check("http://localhost:5173", "http://localhost:8000", "foreign_page");
    check("*", "http://localhost:5173", "foreign_page");
    check("", "http://localhost:5173", "foreign_page");
}

/// Images, scripts, styles and frames carry no Origin: other headers say which page sends the request.
#[test]
fn requests_embedded_in_another_page_are_refused() {
    let check = |path: &str, fetch: [&str; 3], expected: &str| {
        let [site, mode, dest] = fetch;
        let headers =
            [("host", "127.0.0.1:3000"), ("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
        assert_eq!(verdict(&laptop("*"), &request("GET", path, &headers)), expected, "{path} {fetch:?}");
    };
    for dest in ["image", "script", "style", "video", "iframe", "object", "empty"] {
        check("/api/queue/jobs", ["cross-site", "no-cors", dest], "foreign_page");
        // Another port of this machine is another origin, and the same site.
        check("/api/queue/jobs", ["same-site", "no-cors", dest], "foreign_page");
        check("/api/queue/jobs", ["same-origin", "no-cors", dest], "in");
    }
    // A user follows a link to a page: the browser shows it, and the linking page cannot read it.
    check("/dashboard", ["cross-site", "navigate", "document"], "in");
    check("/job/job_1", ["same-site", "navigate", "document"], "in");
    check("/dashboard", ["none", "navigate", "document"], "in");
    check("/dashboard", ["cross-site", "navigate", "iframe"], "foreign_page");
    check("/api/queue/jobs", ["cross-site", "navigate", "document"], "foreign_page");
    check("/api/queue/jobs", ["none", "navigate", "document"], "in");
}
