//! JSON Web Tokens of owners, and the key sets that verify them.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reelhook_domain::OwnerId;
use reelhook_signing::jwt::{JwtAlgorithm, JwtKeys, JwtRules, verify};
use reelhook_signing::{SigningKeys, streamgank};
use serde_json::{Value, json};

use crate::input::Input;
use crate::target::Verdict;
use crate::targets::requests::NOON;

const SECRET: &str = "a secret of at least thirty-two bytes";

/// Tokens that are signed, and tokens that are not.
pub fn of_owners(bytes: &[u8]) -> Verdict {
    static KEYS: OnceLock<(SigningKeys, JwtKeys)> = OnceLock::new();
    let (secrets, keys) = KEYS.get_or_init(|| {
        let secrets = SigningKeys::parse(SECRET).expect("a secret");
        let keys = JwtKeys::of_secrets(&secrets).expect("it is long enough");
        (secrets, keys)
    });
    let mut input = Input::new(bytes);
    let rules = JwtRules {
        algorithm: JwtAlgorithm::Hs256,
        issuer: input.rarely(4).then(|| "https://id.example".to_owned()),
        audience: input.rarely(4).then(|| "reelhook".to_owned()),
    };
    let now = NOON.seconds();
    if input.rarely(3) {
        let text = String::from_utf8_lossy(input.rest()).into_owned();
        assert!(verify(&text, keys, &rules, now).is_err(), "`{text}` was signed by nobody");
        let _ = keys.has_key_of(&text);
        return Verdict::Refused;
    }
    let (header, claims) = (header(&mut input), claims(&mut input, now));
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let mac = streamgank::hex_signature(signed.as_bytes(), secrets);
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(from_hex(&mac)));
    let verified = verify(&token, keys, &rules, now);
    if let Ok(verified) = &verified {
        let subject = &verified.get().subject;
        assert_eq!(claims["sub"], subject.as_str(), "the subject is the token's");
        assert_eq!(header["alg"], "HS256", "the algorithm is the expected one");
        assert!(claims["exp"].as_f64().is_some_and(|until| until + 60.0 > now as f64), "it is not expired: {claims}");
        assert!(claims["nbf"].as_f64().is_none_or(|from| from - 60.0 <= now as f64), "it is valid already: {claims}");
        let _ = OwnerId::parse(subject);
        let unsigned = format!("{signed}.");
        assert!(verify(&unsigned, keys, &rules, now).is_err(), "a token needs its signature");
    }
    Verdict::of(verified.is_ok())
}

/// Key sets of identity providers.
pub fn of_keys(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let algorithm = *input.pick(&[JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::Hs256]);
    let text = if input.flag() {
        let count = input.below(4);
        let keys: Vec<Value> = (0..count).map(|_| key(&mut input)).collect();
        json!({ "keys": keys }).to_string().into_bytes()
    } else {
        input.rest().to_vec()
    };
    let Some(keys) = JwtKeys::of_set(&text, algorithm) else { return Verdict::Refused };
    let rules = JwtRules { algorithm, issuer: None, audience: None };
    let header = encoded(&json!({ "alg": algorithm.to_string(), "kid": "k1" }));
    for token in [format!("{header}.e30.AAAA"), format!("{header}..")] {
        assert!(verify(&token, &keys, &rules, NOON.seconds()).is_err(), "`{token}` was signed by nobody");
    }
    Verdict::Accepted
}

fn header(input: &mut Input<'_>) -> Value {
    let mut header = json!({ "alg": "HS256", "typ": "JWT" });
    if input.rarely(8) {
        header["alg"] = (*input.pick(&["none", "HS384", "RS256", "hs256", ""])).into();
    }
    if input.rarely(4) {
        header[*input.pick(&["kid", "crit", "jwk", "typ", "cty", "x5c"])] = input.json(2);
    }
    header
}

fn claims(input: &mut Input<'_>, now: i64) -> Value {
    let mut claims = json!({ "sub": "ann", "exp": now + 60, "iss": "https://id.example", "aud": "reelhook" });
    while input.rarely(2) {
        let name = *input.pick(&["sub", "exp", "nbf", "iat", "iss", "aud", "jti"]);
        claims[name] = match input.below(3) {
            0 => (now + i64::from(input.byte()) - 128).into(),
            1 => input.text().into(),
            _ => input.json(1),
        };
    }
    claims
}

fn key(input: &mut Input<'_>) -> Value {
    let mut key = match input.below(3) {
        0 => json!({ "kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZpt", "e": "AQAB", "kid": "k1", "use": "sig" }),
        1 => json!({
            "kty": "EC", "crv": "P-256", "kid": "k1", "alg": "ES256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        }),
        _ => json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "k1" }),
    };
    while input.rarely(3) {
        let name = *input.pick(&["kty", "n", "e", "crv", "x", "y", "kid", "alg", "use", "key_ops"]);
        key[name] = input.json(1);
    }
    key
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn from_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}
