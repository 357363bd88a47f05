//! Lists of secrets, and comparisons of API keys.

use reelhook_signing::streamgank::signature;
use reelhook_signing::{SigningKeys, fingerprint, former_fingerprints, hash_key, same_hash, same_secret};
use secrecy::ExposeSecret;

use super::keys;

#[test]
fn a_list_of_secrets_is_trimmed_and_its_first_is_the_newest() {
    for (text, newest) in [
        ("one", Some("one")),
        ("new,old", Some("new")),
        ("  new , old ", Some("new")),
        (",, old,", Some("old")),
        ("with spaces inside", Some("with spaces inside")),
        ("", None),
        (" , ,", None),
    ] {
        let parsed = SigningKeys::parse(text);
        assert_eq!(parsed.as_ref().map(|keys| keys.newest().expose_secret()), newest, "{text:?}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let keys = keys(&["s3cr3t", "0ld"]);
    // The key of its MAC is made when it is first used.
    signature(b"body", &keys);
    let shown = format!("{keys:?}");
    assert!(shown.starts_with("SigningKeys(") && shown.contains("MacKey"), "{shown}");
    assert!(!shown.contains("s3cr3t") && !shown.contains("0ld"), "{shown}");
}

#[test]
fn only_the_secrets_are_recognised() {
    let expected = keys(&["new", "old"]);
    for (given, same) in
        [("new", true), ("old", true), ("", false), ("ne", false), ("new ", false), ("NEW", false), ("new,old", false)]
    {
        assert_eq!(same_secret(given, &expected), same, "{given:?}");
    }
}

#[test]
fn the_ninth_secret_no_longer_counts() {
    let nine = SigningKeys::parse("1,2,3,4,5,6,7,8,9").unwrap();
    assert!(same_secret("8", &nine));
    assert!(!same_secret("9", &nine));
}

#[test]
fn an_api_key_is_stored_as_its_sha256() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex::encode(hash_key("abc")), expected);
}

#[test]
fn hashes_are_the_same_only_for_the_same_key() {
    assert!(same_hash(&hash_key("key"), &hash_key("key")));
    assert!(!same_hash(&hash_key("key"), &hash_key("kez")));
}

#[test]
fn a_fingerprint_depends_on_key_and_secret() {
    let of = |key: &str, secrets: &[&str]| fingerprint(&hash_key(key), &keys(secrets));
    // From Python: hmac.digest(b"secret", b"reelhook caller fingerprint\n" + hashlib.sha256(b"ann:secret").digest(),
    // "sha256")[:8].hex()
    assert_eq!(of("ann:secret", &["secret"]), "42f131bb4c1a3e43");
    assert_eq!(of("ann:secret", &["secret", "older"]), of("ann:secret", &["secret"]), "the newest secret makes it");
    assert_ne!(of("ann:secret", &["other"]), of("ann:secret", &["secret"]));
    assert_ne!(of("ann:secret", &["secret"]), of("bob:secret", &["secret"]));
    // The fingerprint contains nothing that can be computed from a guessed password.
    let guess = hex::encode(hash_key("ann:secret"));
    assert!(!guess.contains(&of("ann:secret", &["secret"])));
}

#[test]
fn former_fingerprints_are_those_of_older_secrets_and_of_version_0_1() {
    let key = hash_key("abc");
    let former = former_fingerprints(&key, &keys(&["new", "old", "oldest"]));
    let under = |secret: &str| fingerprint(&key, &keys(&[secret]));
    // Version 0.1.0 used the first eight bytes of the key's SHA-256.
    assert_eq!(former, [under("old"), under("oldest"), "ba7816bf8f01cfea".to_owned()]);
}
