//! Authorization of callers: by a key, and by the headers of a browser.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reelhook_app::Url;
use reelhook_domain::CallerLimits;
use reelhook_http::access::{Access, AccessError};
use reelhook_http::site::{Mode, Site};

use crate::edge::{NOW, access, deployed, laptop, request, verdict};

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn each_way_of_sending_a_key_works_and_no_other() {
    let check = |name: &str, value: &str, allowed: bool| {
        let found = verdict(&deployed("*"), &request("GET", "/api/queue/status", &[(name, value)]));
        assert_eq!(found, if allowed { "in" } else { "unauthorized" }, "{name}: {value}");
    };
    check("authorization", "Bearer rk_first_of_two_keys", true);
    check("authorization", "bearer  rk_second_of_two_keys ", true);
    check("x-api-key", "rk_second_of_two_keys", true);
    check("authorization", &basic("ann", "secret"), true);
    check("authorization", &basic("anyone", "rk_first_of_two_keys"), true);
    check("authorization", &basic("", "rk_first_of_two_keys"), true);
    check("authorization", &basic("ann", "wrong"), false);
    check("authorization", &basic("bob", "secret"), false);
    check("authorization", "Basic no base64", false);
    check("authorization", "Bearer rk_third", false);
    check("authorization", "Bearer", false);
    check("authorization", "", false);
    check("x-api-key", "", false);
    check("x-api-key", "rk_first_of_two_keys,rk_second_of_two_keys", false);
    check("x-forwarded-for", "127.0.0.1", false);
}

#[test]
fn a_wrong_explicit_key_is_not_replaced_by_another() {
    let right = basic("ann", "secret");
    let both = [("x-api-key", "rk_third"), ("authorization", right.as_str())];
    assert_eq!(verdict(&deployed("*"), &request("GET", "/api/queue/status", &both)), "unauthorized");
}

#[test]
fn the_hash_of_a_key_is_as_good_as_the_key() {
    let hash = hex::encode(reelhook_signing::hash_key("rk_hashed"));
    let access = Access::read(&deployed("*"), &|name| match name {
        "API_KEYS" => Some(format!("sha256:{hash}")),
        "SESSION_SECRET" => Some("secret".to_owned()),
        _ => None,
    });
    let access = access.expect("settings");
    assert!(access.caller(&request("GET", "/", &[("x-api-key", "rk_hashed")]), NOW).is_ok());
    assert!(access.caller(&request("GET", "/", &[("x-api-key", &hash)]), NOW).is_err(), "the hash is not a key");
}

#[test]
fn a_key_keeps_its_limits_while_a_new_secret_gives_it_another_fingerprint() {
    let read = |secret: &str, limits: String| {
        let access = Access::read(&deployed("*"), &|name| match name {
            "API_KEYS" => Some("rk_first_of_two_keys,rk_second_of_two_keys".to_owned()),
            "SESSION_SECRET" => Some(secret.to_owned()),
            "KEY_LIMITS" => Some(limits.clone()),
            _ => None,
        });
        access.expect("settings")
    };
    let caller = |access: &Access, key: &str| access.caller(&request("GET", "/", &[("x-api-key", key)]), NOW).unwrap();
    let before = caller(&read("old", String::new()), "rk_first_of_two_keys");
    for secret in ["old", "new,old"] {
        let access = read(secret, format!("key:{}=7/3,*=/9", before.fingerprint));
        let of = |key: &str| access.limits_of(&caller(&access, key));
        assert_eq!(of("rk_first_of_two_keys"), CallerLimits { calls: Some(7), jobs: Some(3) }, "{secret}");
        assert_eq!(of("rk_second_of_two_keys"), CallerLimits { calls: None, jobs: Some(9) }, "{secret}");
    }
}

#[test]
fn settings_that_can_t_be_used_are_refused() {
    let read = |keys: &'static str| {
        Access::read(&deployed("*"), &move |name| match name {
            "API_KEYS" => Some(keys.to_owned()),
            "SESSION_SECRET" => Some("secret".to_owned()),
            _ => None,
        })
        .err()
    };
    assert_eq!(read("rk_first,sha256:abc"), Some(AccessError::NoKey { entry: 2 }));
    assert_eq!(read("rk first"), Some(AccessError::Space { entry: 1 }));
    assert_eq!(read("rk_first"), None);
    assert_eq!(Access::read(&deployed("*"), &|_| None).err(), Some(AccessError::NoSessionSecret));
    assert!(Access::read(&laptop("*"), &|_| None).is_ok(), "a laptop needs no keys");
}

#[test]
fn a_fingerprint_reveals_nothing_of_its_key_and_is_unique() {
    let of = |name: &str, value: &str| {
        let request = request("GET", "/", &[(name, value)]);
        access(&deployed("*")).caller(&request, NOW).expect("a caller").fingerprint
    };
    let password = of("authorization", &basic("ann", "secret"));
    assert!(password.len() == 16 && password.bytes().all(|byte| byte.is_ascii_hexdigit()), "{password}");
    // Values that an attacker could compute from a guessed password, in whole or in part.
    let guess = hex::encode(reelhook_signing::hash_key("ann:secret"));
    assert!(!guess.contains(&password[..8]), "{guess} {password}");
    let key = of("x-api-key", "rk_first_of_two_keys");
    assert_eq!(key, of("authorization", "Bearer rk_first_of_two_keys"));
    assert_eq!(key, of("authorization", &basic("bob", "rk_first_of_two_keys")));
    assert_ne!(key, of("x-api-key", "rk_second_of_two_keys"));
}

const ORIGIN: &str = "https://api.example.com";
const FORM: &str = "application/x-www-form-urlencoded";

/// All combinations of the properties of a call with a key, and the result of each.
#[test]
fn another_site_s_page_can_t_use_what_a_browser_sends_along() {
    let (password, key) = (basic("ann", "secret"), basic("anyone", "rk_first_of_two_keys"));
    let sent_along = [("authorization", password.as_str()), ("authorization", key.as_str())];
    let knowingly = [("authorization", "Bearer rk_first_of_two_keys"), ("x-api-key", "rk_second_of_two_keys")];
    let origins = [
        (None, false),
        (Some(ORIGIN), true),
        (Some("https://shop.example"), true),
        (Some("null"), false),
        (Some("https://evil.example"), false),
    ];
    let types = [None, Some(FORM), Some("text/plain"), Some("application/json; charset=utf-8")];
    let mut checked = 0;
    for (credential, by_browser) in
        sent_along.into_iter().map(|one| (one, true)).chain(knowingly.into_iter().map(|one| (one, false)))
    {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
            for (origin, ours) in origins {
                for content_type in types {
                    let mut headers = vec![credential, ("host", "api.example.com"), ("x-forwarded-proto", "https")];
                    headers.extend(origin.map(|origin| ("origin", origin)));
                    headers.extend(content_type.map(|text| ("content-type", text)));
                    let json = content_type.is_some_and(|text| text.starts_with("application/json"));
                    let refused = by_browser && method == "POST" && !json && !ours;
                    let found =
                        verdict(&deployed("https://shop.example"), &request(method, "/api/queue/clear", &headers));
                    assert_eq!(found, if refused { "foreign_page" } else { "in" }, "{method} {headers:?}");
                    checked += 1;
                }
            }
        }
    }
    assert_eq!(checked, 480);
}

#[test]
fn an_origin_is_compared_completely() {
    let password = basic("ann", "secret");
    let check = |host: &str, proto: Option<&str>, origin: &str, allowed: bool| {
        let mut headers = vec![("authorization", password.as_str()), ("content-type", FORM), ("origin", origin)];
        headers.push(("host", host));
        headers.extend(proto.map(|proto| ("x-forwarded-proto", proto)));
        let site = Site::read(None, None, Some("*")).expect("a site");
        let found = verdict(&site, &request("POST", "/api/queue/clear", &headers));
        assert_eq!(found, if allowed { "in" } else { "foreign_page" }, "{host} {proto:?} {origin}");
    };
    let https = Some("https");
    check("api.example.com", https, "https://api.example.com", true);
    check("API.example.com", https, "https://api.example.com", true);
    check("api.example.com:443", https, "https://api.example.com", true);
    check("api.example.com", https, "https://api.example.com:443", true);
    check("api.example.com", https, "HTTPS://API.EXAMPLE.COM", true);
    check("api.example.com.", https, "https://api.example.com.", true);
    check("api.example.com:8443", https, "https://api.example.com:8443", true);
    check("127.0.0.1:3000", None, "http://127.0.0.1:3000", true);
    check("[::1]:3000", None, "http://[::1]:3000", true);
    check("localhost", None, "http://localhost:80", true);
    // Another scheme, host or port is another origin.
    check("api.example.com", https, "http://api.example.com", false);
    check("127.0.0.1:3000", None, "https://127.0.0.1:3000", false);
    check("api.example.com", https, "chrome-extension://api.example.com", false);
    check("api.example.com", https, "https://api.example.com.", false);
    check("api.example.com.", https, "https://api.example.com", false);
    check("api.example.com", https, "https://api.example.com:8443", false);
    check("api.example.com", https, "https://example.com", false);
    check("api.example.com", https, "https://api.example.com.evil.example", false);
    check("api.example.com", https, "https://api.example.com@evil.example", false);
    check("localhost:3000", None, "http://127.0.0.1:3000", false);
    check("api.example.com", https, "null", false);
    check("api.example.com", https, "", false);
    check("api.example.com", https, "https://api.example.com, https://evil.example", false);
}

#[test]
fn a_browser_s_fetch_metadata_counts_behind_a_proxy() {
    let password = basic("ann", "secret");
    let check = |method: &str, more: &[(&str, &str)], expected: &str| {
        // The proxy calls the API under another host name than that of the page.
        let mut headers = vec![("authorization", password.as_str()), ("host", "internal.example")];
        headers.extend(more);
        assert_eq!(verdict(&deployed("*"), &request(method, "/api/job/job_1/cancel", &headers)), expected, "{more:?}");
    };
    let page = ("origin", "https://app.example");
    check("POST", &[page, ("sec-fetch-site", "same-origin")], "in");
    check("POST", &[page, ("sec-fetch-site", "same-site")], "foreign_page");
    check("POST", &[page, ("sec-fetch-site", "cross-site")], "foreign_page");
    check("POST", &[page], "foreign_page");
    check("POST", &[("sec-fetch-site", "none")], "foreign_page");
    check("DELETE", &[page], "in");
    check("DELETE", &[], "in");
    check("POST", &[("origin", "https://api.example.com")], "in");
}

#[test]
fn no_auth_is_refused_beside_a_public_address() {
    let check = |auth: Option<&str>, base: Option<&str>| {
        let base = base.map(|text| Url::parse(text).expect("a URL"));
        Site::read(auth, base.as_ref(), None).map(|site| site.mode())
    };
    for base in ["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000", "https://localhost"] {
        assert_eq!(check(Some("none"), Some(base)), Ok(Mode::Off), "{base}");
    }
    for base in ["https://api.example.com", "http://localhost.example", "http://127.0.0.1.example", "http://10.0.0.1"] {
        assert!(check(Some("none"), Some(base)).is_err(), "{base}");
    }
    assert!(check(Some("none"), None).is_err());
    assert_eq!(check(None, Some("https://api.example.com")), Ok(Mode::Required));
    assert!(check(Some("maybe"), Some("http://localhost:3000")).is_err());
}
