//! Owners, and their tokens (HS256), which the identity provider of an operator makes.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reelhook_signing::{SigningKeys, streamgank};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::scenes::project::unique;
use crate::stack::{JsonText, Stack, read};

/// How long a token is valid.
const LIFE_S: u64 = 3600;

/// An owner that no other test knows.
pub struct Owner {
    /// The `sub` of the tokens.
    pub id: String,
    token: String,
}

impl Owner {
    /// A new owner, whose id begins with a name.
    pub async fn of(stack: &Stack, name: &str) -> Self {
        Self::called(stack, format!("{name}-{}", unique())).await
    }

    /// The owner with an id.
    pub async fn called(stack: &Stack, id: String) -> Self {
        let token = token(&claims(&id), &stack.aws.secret("JWT_SECRET").await);
        Self::with_token(id, token)
    }

    /// The owner with an id, and with a token of another kind.
    pub fn with_token(id: String, token: String) -> Self {
        Self { id, token }
    }

    /// A request of the owner.
    pub fn request(&self, stack: &Stack, method: Method, path: &str) -> RequestBuilder {
        stack.http.request(method, format!("{}{path}", stack.api)).bearer_auth(&self.token)
    }

    /// Calls a route with a JSON body.
    pub async fn call(&self, stack: &Stack, method: Method, path: &str, body: &Value) -> (u16, Value) {
        read(self.request(stack, method, path).json_text(body).send().await.expect("an answer")).await
    }

    /// GET.
    pub async fn get(&self, stack: &Stack, path: &str) -> (u16, Value) {
        read(self.request(stack, Method::GET, path).send().await.expect("an answer")).await
    }

    /// POST of a JSON body.
    pub async fn post(&self, stack: &Stack, path: &str, body: &Value) -> (u16, Value) {
        self.call(stack, Method::POST, path, body).await
    }
}

/// The claims of a token that is valid for an hour.
pub fn claims(owner: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    json!({ "sub": owner, "iat": now, "exp": now + LIFE_S })
}

/// A token with these claims, signed with the first of these secrets.
pub fn token(claims: &Value, secrets: &str) -> String {
    let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encoded(&json!({ "alg": "HS256", "typ": "JWT" })), encoded(claims));
    let keys = SigningKeys::parse(secrets).expect("a secret");
    let digits = streamgank::hex_signature(signed.as_bytes(), &keys);
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    let mac: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

#[test]
fn a_token_is_that_of_other_programs() {
    let claims = json!({ "sub": "1234567890", "name": "John Doe", "iat": 1_516_239_022 });
    let expected = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2\
                    MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    assert_eq!(token(&claims, "your-256-bit-secret"), expected);
}
