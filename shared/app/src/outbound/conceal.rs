//! Secrets of ours in texts of services: some repeat a request, with its key and the tokens of its URLs, in their errors.

use secrecy::{ExposeSecret, SecretString};

/// What stands for a secret.
const HIDDEN: &str = "…";
/// The beginnings of our tokens in URLs: of callbacks, and of links to files.
const TOKENS: [&str; 3] = ["k1.", "s1.", "w1."];
/// The shortest token, in bytes: its MAC alone has 32.
const SHORTEST_TOKEN: usize = 36;
/// The shortest key that is looked for, in bytes: a shorter one may be part of any word.
const SHORTEST_KEY: usize = 8;

/// The text without our key of its service, and without tokens of ours.
pub(crate) fn concealed(text: &str, key: Option<&SecretString>) -> String {
    let key = key.map(|key| key.expose_secret()).filter(|key| key.len() >= SHORTEST_KEY);
    let text = key.map_or_else(|| text.to_owned(), |key| text.replace(key, HIDDEN));
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(is_between) {
        let word = part.trim_end_matches(is_between);
        shown.push_str(if is_token(word) { HIDDEN } else { word });
        shown.push_str(&part[word.len()..]);
    }
    shown
}

fn is_token(word: &str) -> bool {
    word.len() >= SHORTEST_TOKEN && TOKENS.iter().any(|start| word.starts_with(start))
}

/// Whether a character is none of a token.
fn is_between(character: char) -> bool {
    !(character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tokens_are_hidden_and_the_rest_stays() {
        let key = SecretString::from("sk-very-secret");
        let token = format!("k1.cHJval8x.dmlkZW8uMS4xLmE.{}", "A".repeat(32));
        let link = format!("s1.ZmlsZTpwcm9q.1704110400.{}", "b".repeat(32));
        let text = format!(
            "401: key sk-very-secret; POST https://api.example/w/{token}/api/webhooks/video-complete and \
             https://api.example/api/v1/files/p/a.mp4?token={link} failed, k1.short stays"
        );
        let expected = "401: key …; POST https://api.example/w/…/api/webhooks/video-complete and \
             https://api.example/api/v1/files/p/a.mp4?token=… failed, k1.short stays";
        assert_eq!(concealed(&text, Some(&key)), expected);
        let short = SecretString::from("out");
        for plain in ["", "out of memory", "é\n…", "k1."] {
            assert_eq!(concealed(plain, Some(&short)), plain);
        }
    }
}
