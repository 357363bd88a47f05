//! Owners whose tokens an identity provider signs with a key that it publishes in a JWK Set (ES256).

use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::clips::backends::Backends;
use crate::clips::job::{JOBS, of_page, open, page, until_status};
use crate::clips::tokens::{Owner, claims, token};
use crate::scenes::project::{text, unique};
use crate::stack::Stack;

/// The function whose owners have these tokens.
const FUNCTION: &str = "clips";
/// The `kid` of the published key.
const KEY_ID: &str = "first";
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "reelhook";

/// A key pair that signs tokens.
struct Signer {
    id: &'static str,
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key pair");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("the same key pair");
        Self { id, pair, random }
    }

    /// The public key as a member of a JWK Set.
    fn published(&self) -> Value {
        // The byte 4 says that both coordinates follow.
        let point: &[u8] = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }

    fn token(&self, claims: &Value) -> String {
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.id });
        let signed = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = self.pair.sign(&self.random, signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// An owner that no other test knows, with a token.
    fn owner(&self, name: &str) -> Owner {
        let id = format!("{name}-{}", unique());
        let token = self.token(&claims_of(&id));
        Owner::with_token(id, token)
    }
}

/// The claims of a token of the issuer for this audience.
fn claims_of(owner: &str) -> Value {
    let mut claims = claims(owner);
    claims["iss"] = json!(ISSUER);
    claims["aud"] = json!(AUDIENCE);
    claims
}

/// Serves a JWK Set on a port of this machine, and counts how often it is fetched.
struct KeyServer {
    address: SocketAddr,
    fetched: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let fetched = Arc::new(AtomicUsize::new(0));
        let (set, count) = (json!({ "keys": keys }).to_string(), Arc::clone(&fetched));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                // A function that was killed does not read its answer.
                serve(stream, &set).await.ok();
            }
        });
        Self { address, fetched }
    }

    /// These variables of a function, with the published keys instead of the secret.
    fn variables(&self, before: &Value) -> Value {
        let mut variables = before.clone();
        variables["OUTBOUND_ALLOW"] = json!(format!("{},{}", text(&before["OUTBOUND_ALLOW"]), self.address));
        variables["JWT_JWKS_URL"] = json!(format!("http://{}/jwks.json", self.address));
        variables["JWT_ALGORITHM"] = json!("ES256");
        variables["JWT_ISSUER"] = json!(ISSUER);
        variables["JWT_AUDIENCE"] = json!(AUDIENCE);
        variables
    }
}

/// Answers one request, whatever it is.
async fn serve(mut stream: TcpStream, body: &str) -> std::io::Result<()> {
    let (mut head, mut part) = (Vec::new(), [0_u8; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&part[..read]);
    }
    let headers = format!("content-type: application/json\r\ncontent-length: {}\r\nconnection: close", body.len());
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n{body}").as_bytes()).await?;
    stream.shutdown().await
}

/// The status of a list of clip jobs for the bearer of a token.
async fn status_for(stack: &Stack, token: &str) -> u16 {
    let request = stack.http.get(format!("{}{JOBS}", stack.api)).bearer_auth(token);
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_token_of_a_published_key_is_an_owner_s() {
    let stack = open(Backends::Worker).await;
    let signer = Signer::new(KEY_ID);
    let server = KeyServer::start(&[signer.published()]).await;
    let before = stack.aws.variables(FUNCTION).await;
    stack.aws.set_variables(FUNCTION, &server.variables(&before)).await;
    let all = async {
        own_jobs(&stack, &signer).await;
        refuse_others(&stack, &signer).await;
        // An instance keeps the keys for ten minutes, and an unknown key lets it fetch them once a minute at most.
        let fetched = server.fetched.load(Ordering::Relaxed);
        assert!((1..=4).contains(&fetched), "{fetched} fetches");
    };
    let outcome = AssertUnwindSafe(all).catch_unwind().await;
    stack.aws.set_variables(FUNCTION, &before).await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
    // With the secret, tokens of the published key are invalid again.
    let owner = Owner::of(&stack, "ann").await;
    assert_eq!(owner.get(&stack, JOBS).await.0, 200);
    assert_eq!(status_for(&stack, &signer.token(&claims_of(&owner.id))).await, 401);
}

/// An owner creates a job, which another one does not see.
async fn own_jobs(stack: &Stack, signer: &Signer) {
    let (ann, bob) = (signer.owner("ann"), signer.owner("bob"));
    let (status, job) = ann.post(stack, JOBS, &of_page(&page())).await;
    assert_eq!((status, &job["owner"]), (201, &json!(ann.id)), "{job}");
    let id = text(&job["id"]);
    let path = format!("{JOBS}/{id}");
    assert_eq!(ann.get(stack, &path).await.0, 200);
    assert_eq!(bob.get(stack, &path).await.0, 404);
    // An operator's key counts as before.
    until_status(stack, &id, "succeeded").await;
}

/// A caller with another key, issuer, audience, time or algorithm is no owner.
async fn refuse_others(stack: &Stack, signer: &Signer) {
    let good = claims_of("carl");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signer.token(&claims)
    };
    let issued = good["iat"].as_u64().expect("seconds");
    let secret = stack.aws.secret("JWT_SECRET").await;
    assert_eq!(status_for(stack, &signer.token(&good)).await, 200);
    for (what, bad) in [
        ("another key with the same id", Signer::new(KEY_ID).token(&good)),
        ("a key that is not published", Signer::new("second").token(&good)),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("another audience", with("aud", json!("another"))),
        ("a time that is over", with("exp", json!(issued - 3600))),
        ("HS256 with the secret, which has no effect now", token(&good, &secret)),
        ("HS256 with the public key as the secret", token(&good, &text(&signer.published()["x"]))),
    ] {
        assert_eq!(status_for(stack, &bad).await, 401, "{what}");
    }
}
