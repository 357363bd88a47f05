//! JWTs of owners: algorithms, keys, claims and times. `jwt/tokens.json` was signed with the private keys of
//! `jwt/set.json`, which are not kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use reelhook_signing::jwt::{JwtAlgorithm, JwtKeys, JwtRules, verify};
use reelhook_signing::{SigningKeys, VerifyError};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "a secret of at least 32 characters";
const OLDER: &str = "an older secret of 32 characters!";
const SET: &str = include_str!("jwt/set.json");
const TOKENS: &str = include_str!("jwt/tokens.json");
const NOW: i64 = 1_704_110_400;
const END: i64 = NOW + 3600;

fn claims() -> Value {
    json!({ "sub": "ann", "iss": "https://issuer.example", "aud": "reelhook", "exp": END, "nbf": NOW })
}

/// A token with this header, signed by HMAC-SHA256.
fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn hs256(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, SECRET.as_bytes())
}

fn token(name: &str) -> String {
    let tokens: Value = serde_json::from_str(TOKENS).unwrap();
    tokens[name].as_str().unwrap().to_owned()
}

fn secrets() -> JwtKeys {
    JwtKeys::of_secrets(&SigningKeys::parse(&format!("{SECRET},{OLDER}")).unwrap()).unwrap()
}

fn set(algorithm: JwtAlgorithm) -> JwtKeys {
    JwtKeys::of_set(SET.as_bytes(), algorithm).unwrap()
}

fn rules(algorithm: JwtAlgorithm) -> JwtRules {
    let (issuer, audience) = (Some("https://issuer.example".to_owned()), Some("reelhook".to_owned()));
    JwtRules { algorithm, issuer, audience }
}

/// The subject of a valid token, or why it is not valid.
fn subject(token: &str, keys: &JwtKeys, rules: &JwtRules, now: i64) -> Result<String, VerifyError> {
    verify(token, keys, rules, now).map(|verified| verified.into_inner().subject)
}

fn with_secret(token: &str) -> Result<String, VerifyError> {
    subject(token, &secrets(), &rules(JwtAlgorithm::Hs256), NOW)
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn a_token_of_the_algorithm_names_its_subject() {
    let ann = Ok("ann".to_owned());
    assert_eq!(with_secret(&hs256(&claims())), ann);
    assert_eq!(with_secret(&signed(&json!({ "alg": "HS256", "kid": "any" }), &claims(), OLDER.as_bytes())), ann);
    for (name, algorithm) in [("rs256", JwtAlgorithm::Rs256), ("es256", JwtAlgorithm::Es256)] {
        assert_eq!(subject(&token(name), &set(algorithm), &rules(algorithm), NOW), ann, "{name}");
    }
}

#[test]
fn a_token_that_was_changed_or_signed_by_others_is_refused() {
    let good = hs256(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(with("sub", json!("bob")).to_string());
    for bad in [
        format!("{header}.{other}.{signature}"),
        format!("{message}."),
        format!("{message}.{}{}", if signature.starts_with('A') { "B" } else { "A" }, &signature[1..]),
        signed(&json!({ "alg": "HS256" }), &claims(), b"another secret of 32 characters!!"),
    ] {
        assert_eq!(with_secret(&bad), Err(VerifyError::Mismatch), "{bad}");
    }
    for bad in ["a.b.c", "..", "not a token", &format!("{good}.x"), message] {
        assert_eq!(with_secret(bad), Err(VerifyError::Malformed), "{bad}");
    }
    assert_eq!(with_secret(""), Err(VerifyError::Missing));
}

#[test]
fn a_token_never_chooses_its_algorithm() {
    for name in ["none", "None", "NONE", "", "HS257"] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": name }).to_string());
        let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
        assert!(with_secret(&format!("{header}.{payload}.")).is_err(), "{name}");
    }
    assert!(with_secret(&signed(&json!({ "alg": "HS512" }), &claims(), SECRET.as_bytes())).is_err());
    // A critical extension that we do not know must not be ignored (RFC 7515, 4.1.11).
    assert!(with_secret(&signed(&json!({ "alg": "HS256", "crit": ["exp"] }), &claims(), SECRET.as_bytes())).is_err());
    for (name, algorithm) in [("rs256", JwtAlgorithm::Es256), ("es256", JwtAlgorithm::Rs256)] {
        assert!(subject(&token(name), &set(algorithm), &rules(algorithm), NOW).is_err(), "{name}");
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    let set_json: Value = serde_json::from_str(SET).unwrap();
    let decoded =
        |index: usize, name: &str| URL_SAFE_NO_PAD.decode(set_json["keys"][index][name].as_str().unwrap()).unwrap();
    let point = [vec![4], decoded(1, "x"), decoded(1, "y")].concat();
    let published: [Vec<u8>; 4] =
        [decoded(0, "n"), point, SET.as_bytes().to_vec(), set_json["keys"][0].to_string().into_bytes()];
    for secret in published {
        for kid in ["rsa", "ec", "a secret"] {
            let forged = signed(&json!({ "alg": "HS256", "kid": kid }), &claims(), &secret);
            for algorithm in [JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::Hs256] {
                assert!(subject(&forged, &set(algorithm), &rules(algorithm), NOW).is_err(), "{kid} {algorithm}");
                // Not even keys of one algorithm with the rules of another.
                let keys = set(JwtAlgorithm::Es256);
                assert!(subject(&forged, &keys, &rules(algorithm), NOW).is_err(), "{kid} {algorithm}");
            }
        }
    }
    let own = signed(&json!({ "alg": "HS256", "kid": "a secret" }), &claims(), b"0123456789abcdef0123456789abcdef");
    assert!(subject(&own, &set(JwtAlgorithm::Hs256), &rules(JwtAlgorithm::Hs256), NOW).is_err());
}

#[test]
fn a_token_is_valid_from_its_beginning_to_its_end_give_or_take_a_minute() {
    let at = |now: i64| subject(&hs256(&claims()), &secrets(), &rules(JwtAlgorithm::Hs256), now).map(drop);
    assert_eq!(at(NOW - 61), Err(VerifyError::TooNew));
    assert_eq!(at(NOW - 60), Ok(()));
    assert_eq!(at(END + 59), Ok(()));
    assert_eq!(at(END + 60), Err(VerifyError::TooOld));
    assert_eq!(with_secret(&hs256(&without("nbf"))), Ok("ann".to_owned()));
    assert_eq!(with_secret(&hs256(&with("exp", json!(END as f64 + 0.5)))), Ok("ann".to_owned()));
}

#[test]
fn a_token_must_have_its_subject_its_end_its_issuer_and_its_audience() {
    for name in ["sub", "exp", "iss", "aud"] {
        assert_eq!(with_secret(&hs256(&without(name))), Err(VerifyError::Mismatch), "{name}");
    }
    for (name, value) in [
        ("iss", json!("https://issuer.example/")),
        ("aud", json!("another")),
        ("aud", json!(["another"])),
        ("aud", json!([])),
        ("sub", json!(7)),
        ("sub", json!(null)),
        ("exp", json!("1704114000")),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("nbf", json!("1704110400")),
    ] {
        assert_eq!(with_secret(&hs256(&with(name, value.clone()))), Err(VerifyError::Mismatch), "{name} {value}");
    }
    assert_eq!(with_secret(&hs256(&with("aud", json!(["another", "reelhook"])))), Ok("ann".to_owned()));
    // Without rules, any issuer and any audience is accepted.
    for name in ["iss", "aud"] {
        for claims in [without(name), with(name, json!("another"))] {
            let found = subject(&hs256(&claims), &secrets(), &JwtRules::default(), NOW);
            assert_eq!(found, Ok("ann".to_owned()), "{claims}");
        }
    }
}

#[test]
fn the_key_id_chooses_the_key() {
    let (keys, rules) = (set(JwtAlgorithm::Rs256), rules(JwtAlgorithm::Rs256));
    assert!(keys.has_key_of(&token("rs256")) && keys.has_key_of(&token("rs256 without kid")));
    assert_eq!(subject(&token("rs256 without kid"), &keys, &rules, NOW), Ok("ann".to_owned()), "there is one key");
    assert!(!keys.has_key_of(&token("es256")), "it is no key of this algorithm");
    for kid in ["for encryption", "of another algorithm", "unknown"] {
        assert!(!keys.has_key_of(&signed(&json!({ "alg": "RS256", "kid": kid }), &claims(), b"x")), "{kid}");
    }
    let mut two: Value = serde_json::from_str(SET).unwrap();
    two["keys"][2]["use"] = json!("sig");
    let keys = JwtKeys::of_set(two.to_string().as_bytes(), JwtAlgorithm::Rs256).unwrap();
    assert_eq!(subject(&token("rs256 without kid"), &keys, &rules, NOW), Err(VerifyError::Mismatch));
    assert_eq!(subject(&token("rs256"), &keys, &rules, NOW), Ok("ann".to_owned()));
}

#[test]
fn a_text_that_is_no_set_has_no_keys() {
    for text in ["", "[]", "{}", r#"{"keys": {}}"#, "<html>"] {
        assert!(JwtKeys::of_set(text.as_bytes(), JwtAlgorithm::Rs256).is_none(), "{text}");
    }
    let empty = JwtKeys::of_set(br#"{"keys": []}"#, JwtAlgorithm::Rs256).unwrap();
    assert!(!empty.has_key_of(&token("rs256")) && !empty.has_key_of(&token("rs256 without kid")));
}

#[test]
fn an_oversized_token_is_refused_unread() {
    let padded = |length: usize| hs256(&with("padding", json!("x".repeat(length))));
    assert_eq!(with_secret(&padded(5000)), Ok("ann".to_owned()));
    assert_eq!(with_secret(&padded(7000)), Err(VerifyError::Malformed));
    // Exactly 8 KiB, and one byte more.
    let of_length = |length: usize| (5000..7000).map(padded).find(|token| token.len() == length).expect("a length");
    assert_eq!(with_secret(&of_length(8192)), Ok("ann".to_owned()));
    assert_eq!(with_secret(&of_length(8193)), Err(VerifyError::Malformed));
}

#[test]
fn a_secret_must_be_as_long_as_its_hash() {
    let of = |text: &str| JwtKeys::of_secrets(&SigningKeys::parse(text).unwrap()).is_some();
    assert!(of(SECRET) && of(&"x".repeat(32)));
    assert!(!of(&"x".repeat(31)) && !of(&format!("{SECRET},short")));
}

#[test]
fn an_algorithm_is_read_by_its_name() {
    for (text, expected) in
        [("HS256", JwtAlgorithm::Hs256), ("RS256", JwtAlgorithm::Rs256), ("ES256", JwtAlgorithm::Es256)]
    {
        assert_eq!(text.parse(), Ok(expected));
        assert_eq!(expected.to_string(), text);
        assert_eq!(expected.is_asymmetric(), expected != JwtAlgorithm::Hs256, "{text}");
    }
    for text in ["none", "hs256", "RS512", ""] {
        assert_eq!(text.parse::<JwtAlgorithm>(), Err("must be `HS256`, `RS256` or `ES256`"), "{text}");
    }
}
