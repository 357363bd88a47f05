//! Preflights that reach a function, and the equal configuration of the gateway.

use reelhook_http::site::Site;

use crate::edge::{deployed, laptop, request};

/// The status, and the CORS headers by name.
fn preflight(site: &Site, headers: &[(&str, &str)]) -> (u16, Vec<(String, String)>) {
    let mut all = vec![("access-control-request-method", "PATCH"), ("access-control-request-headers", "if-match")];
    all.extend_from_slice(headers);
    let answer = site.preflight(&request("OPTIONS", "/api/webhooks/endpoints/ep_1", &all));
    assert!(answer.body.is_empty() && answer.bytes.is_empty());
    let cors = answer.headers.into_iter().filter(|(name, _)| name.starts_with("access-control-"));
    (answer.status, cors.map(|(name, value)| (name.to_owned(), value)).collect())
}

fn allowed(site: &Site, origin: Option<&str>) -> Option<String> {
    let headers: Vec<(&str, &str)> = origin.map(|origin| ("origin", origin)).into_iter().collect();
    let (status, cors) = preflight(site, &headers);
    assert_eq!(status, 204);
    let value = |name: &str| cors.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert_eq!(value("access-control-allow-credentials"), None, "no page may use the browser's credentials");
    let origin = value("access-control-allow-origin");
    assert_eq!(cors.is_empty(), origin.is_none(), "{cors:?}");
    origin
}

#[test]
fn a_preflight_is_answered_without_a_key_for_the_origins_that_may_call() {
    let check = |site: &Site, origin: Option<&str>, expected: Option<&str>| {
        assert_eq!(allowed(site, origin).as_deref(), expected, "{origin:?}");
    };
    check(&deployed("*"), Some("https://shop.example"), Some("*"));
    check(&deployed("*"), None, Some("*"));
    check(&deployed("https://*"), Some("https://shop.example"), Some("*"));
    let named = deployed("https://shop.example,http://localhost:5173");
    check(&named, Some("https://shop.example"), Some("https://shop.example"));
    check(&named, Some("http://localhost:5173"), Some("http://localhost:5173"));
    check(&named, Some("https://api.example.com"), Some("https://api.example.com"));
    check(&named, Some("https://evil.example"), None);
    check(&named, Some("http://shop.example"), None);
    check(&named, Some("null"), None);
    check(&named, None, None);
    check(&deployed(""), Some("https://shop.example"), None);
    check(&Site::default(), Some("https://shop.example"), None);
    // Without keys, only pages of named origins may call.
    check(&laptop("*"), Some("https://shop.example"), None);
    check(&laptop("http://localhost:5173"), Some("http://localhost:5173"), Some("http://localhost:5173"));
}

#[test]
fn invalid_origins_are_refused_at_startup() {
    for text in ["shop.example", "https://shop.example/", "https://*.shop.example", "null", "ftp://shop.example"] {
        let sentence = Site::read(None, None, Some(text)).unwrap_err();
        assert!(sentence.contains("CORS_ORIGINS must be"), "{text}: {sentence}");
    }
}

#[test]
fn the_gateway_s_own_response_is_the_same() {
    let template = include_str!("../../../../template.yaml");
    let api = template.split_once("  Api:\n").expect("the API").1.split_once("\n  # ").expect("an end").0;
    assert!(
        !template.contains("AllowCredentials"),
        "with credentials, any allowed origin could act as the user of the browser"
    );
    let (_, cors) = preflight(&deployed("*"), &[]);
    for (header, property) in [
        ("access-control-allow-methods", "AllowMethods: &CorsMethods ["),
        ("access-control-allow-headers", "AllowHeaders: &CorsHeaders ["),
        ("access-control-expose-headers", "ExposeHeaders: &CorsExposed ["),
    ] {
        let list = api.split_once(property).expect(property).1.split_once(']').expect("a list").0;
        let ours = &cors.iter().find(|(name, _)| name == header).expect(header).1;
        let listed: Vec<&str> = list.split(',').map(str::trim).collect();
        assert_eq!(ours.split(',').collect::<Vec<_>>(), listed, "{header}");
        // With named origins the gateway answers with the same lists.
        let (name, anchor) = property.split_once(": &").expect("an anchor");
        assert!(api.contains(&format!("{name}: *{}\n", anchor.trim_end_matches(" ["))), "{header}");
    }
    let age = &cors.iter().find(|(name, _)| name == "access-control-max-age").expect("an age").1;
    assert_eq!(api.matches(&format!("MaxAge: {age}\n")).count(), 2, "{age}");
    // Each function behind the API has the allowed origins and the base URL.
    assert_eq!(template.matches("CORS_ORIGINS: !Ref CorsOrigins\n").count(), 18);
}
