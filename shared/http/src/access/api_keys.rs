//! Reads API_KEYS: each entry is a key or the hash of a key. Other entries are refused, and errors never show their
//! text.

use reelhook_domain::KeyLimitsError;
use reelhook_signing::hash_key;

/// A key with fewer characters may be guessed.
const SHORT: usize = 16;
/// Names of hash functions and password hashing schemes, in lower case. An entry that begins with one is not a key.
const SCHEMES: [&str; 18] = [
    "sha1", "sha2", "sha3", "sha224", "sha256", "sha384", "sha512", "md5", "bcrypt", "scrypt", "argon2", "argon2d",
    "argon2i", "argon2id", "pbkdf2", "blake2b", "blake2s", "blake3",
];
/// Characters with which no key begins: they mark stored passwords (`$2b$…`, `{SSHA}…`), JSON and quotes.
const MARKS: [char; 5] = ['$', '{', '[', '"', '\''];

/// An error in the settings of callers; `entry` counts from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// An entry looks like a hash but does not have the form of one.
    #[error("entry {entry} of API_KEYS must be the key itself, or `sha256:` and the 64 hexadecimal digits of its hash")]
    NoKey {
        /// The number of the entry.
        entry: usize,
    },
    /// An entry contains white space or control characters.
    #[error("entry {entry} of API_KEYS must not contain white space: commas separate keys")]
    Space {
        /// The number of the entry.
        entry: usize,
    },
    /// The secret that signs sessions and fingerprints is missing.
    #[error("SESSION_SECRET is not set, but a deployed stack needs it: `cargo xtask secrets` generates one")]
    NoSessionSecret,
    /// A secret for the tokens of owners could be found from one of them.
    #[error("JWT_SECRET must have at least 32 bytes, as HS256 requires (RFC 7518, 3.2)")]
    ShortJwtSecret,
    /// The limits of callers are invalid.
    #[error(transparent)]
    Limits(#[from] KeyLimitsError),
}

/// Reads the hashes of the keys, in order. White space around an entry and empty entries are ignored.
///
/// # Errors
/// [`AccessError`] for the first entry that is neither a key nor a hash.
pub(crate) fn read(text: &str) -> Result<Vec<[u8; 32]>, AccessError> {
    let mut hashes = Vec::new();
    for (index, text) in text.split(',').map(str::trim).enumerate() {
        if text.is_empty() {
            continue;
        }
        let entry = index + 1;
        hashes.push(match text.strip_prefix("sha256:") {
            Some(digits) => digest(digits).ok_or(AccessError::NoKey { entry })?,
            None if is_scheme(text) || text.starts_with(MARKS) => return Err(AccessError::NoKey { entry }),
            None if text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                return Err(AccessError::Space { entry });
            }
            None => {
                if is_short(text) {
                    tracing::warn!(entry, "a key in API_KEYS has fewer than {SHORT} characters and may be guessed");
                }
                hash_key(text)
            }
        });
    }
    Ok(hashes)
}

/// Whether a key or a password is short enough to be guessed.
pub(crate) fn is_short(text: &str) -> bool {
    text.chars().count() < SHORT
}

fn digest(digits: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}

/// Whether a text begins with the name of a hash function, followed by a separator or by hexadecimal digits only.
fn is_scheme(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    // SHA-256 is a name too.
    let text = match text.strip_prefix("sha-").or_else(|| text.strip_prefix("sha_")) {
        Some(rest) => format!("sha{rest}"),
        None => text,
    };
    SCHEMES.iter().filter_map(|scheme| text.strip_prefix(scheme)).any(|rest| {
        let goes_on = rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        !goes_on || (rest.len() >= 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn keys_and_hashes_are_accepted() {
        let check = |text: &str, keys: &[&str]| {
            let expected: Vec<[u8; 32]> = keys.iter().map(|key| hash_key(key)).collect();
            assert_eq!(read(text), Ok(expected), "{text}");
        };
        check("", &[]);
        check(" , ,", &[]);
        check("rk_first", &["rk_first"]);
        check(" rk_first ,, rk_second,", &["rk_first", "rk_second"]);
        check(&format!("sha256:{HASH}, rk_second"), &["abc", "rk_second"]);
        check(&format!("sha256:{}", HASH.to_uppercase()), &["abc"]);
        // A key may contain the characters of a hash and have its length.
        check(HASH, &[HASH]);
        check("ann:secret=word", &["ann:secret=word"]);
        check("shadow", &["shadow"]);
        check("md5ish-key", &["md5ish-key"]);
        check("rk_sha256:abc", &["rk_sha256:abc"]);
    }

    #[test]
    fn an_entry_that_looks_like_an_invalid_hash_is_refused_with_its_number() {
        let short = &HASH[..63];
        for entry in [
            format!("sha256:{short}"),
            format!("sha256:{HASH}0"),
            format!("sha256:{}g", short),
            format!("sha256:+{}", short),
            "sha256:".to_owned(),
            "sha256".to_owned(),
            format!("sha256: {HASH}"),
            format!("SHA256:{HASH}"),
            format!("Sha256:{HASH}"),
            format!("sha-256:{HASH}"),
            format!("SHA_256:{HASH}"),
            format!("sha256={HASH}"),
            format!("sha256 {HASH}"),
            format!("sha256{HASH}"),
            "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=".to_owned(),
            "sha1:a9993e364706816aba3e25717850c26c9cd0d89d".to_owned(),
            format!("sha512:{HASH}{HASH}"),
            "md5:900150983cd24fb0d6963f7d28e17f72".to_owned(),
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".to_owned(),
            "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr".to_owned(),
            "[\"rk_first\"]".to_owned(),
            "\"rk_first\"".to_owned(),
        ] {
            let error = read(&format!("rk_first,,{entry}")).unwrap_err();
            assert_eq!(error, AccessError::NoKey { entry: 3 }, "{entry}");
        }
        for entry in ["rk first", "rk_first\nrk_second", "rk_first\u{a0}rk_second", "rk\u{7}"] {
            assert_eq!(read(entry), Err(AccessError::Space { entry: 1 }), "{entry:?}");
        }
    }

    #[test]
    fn an_error_names_the_number_of_the_entry_and_never_its_text() {
        let secret = format!("sha256:{}", &HASH[..63]);
        let sentence = read(&format!("rk_first,{secret}")).unwrap_err().to_string();
        assert!(sentence.starts_with("entry 2 of API_KEYS must be"), "{sentence}");
        assert!(!sentence.contains(&HASH[..8]) && !sentence.contains("rk_first"), "{sentence}");
        let sentence = read("rk first").unwrap_err().to_string();
        assert!(sentence.starts_with("entry 1 of API_KEYS must not contain white space"), "{sentence}");
        assert!(!sentence.contains("rk"), "{sentence}");
    }
}
