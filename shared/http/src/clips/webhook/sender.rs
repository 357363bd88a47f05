//! The sender of a report: the holder of a submission's token, or of the webhook's secret.

use reelhook_app::clips::reports::Submission;
use reelhook_domain::ClipJobId;
use reelhook_signing::{ClipClaims, SigningKeys, streamgank};
use secrecy::ExposeSecret;

use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;

/// The headers that may have the HMAC-SHA256 of the raw body, in hexadecimal digits. `Authorization` may have other
/// credentials instead, such as those of a proxy.
const SIGNATURES: [&str; 3] = ["x-genesis-webhook-signature", "x-webhook-signature", "authorization"];

/// The keys that verify reports.
#[derive(Debug)]
pub struct ReportKeys {
    tokens: SigningKeys,
    secrets: Option<SigningKeys>,
}

impl ReportKeys {
    /// The settings that [`Self::new`] looks up; the second is another name of the first, and both may be set.
    pub const SETTINGS: [&'static str; 2] = ["WEBHOOK_SECRET", "GENESIS_WEBHOOK_SECRET"];

    /// The keys of `tokens`, and the secrets of the webhook (several secrets separated by commas, newest first). Without a
    /// secret it only accepts tokens.
    pub fn new(tokens: SigningKeys, lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let secrets: Vec<String> = Self::SETTINGS.iter().filter_map(|name| lookup(name)).collect();
        Self { tokens, secrets: SigningKeys::parse(&secrets.join(",")) }
    }

    /// Verifies the sender of a report on its raw bytes, before anything is parsed: the submission that its token names, or
    /// none if it is signed. One valid signature is enough.
    ///
    /// # Errors
    /// [`RequestProblem::Unauthorized`].
    pub fn verify(&self, request: &ApiRequest) -> Result<Option<Submission>, Problem> {
        let refused = || Problem::Request(RequestProblem::Unauthorized);
        if let Some(token) = &request.token {
            return submission(token.expose_secret(), &self.tokens).map(Some).ok_or_else(refused);
        }
        let secrets = self.secrets.as_ref().ok_or_else(refused)?;
        let mut given = SIGNATURES.iter().filter_map(|name| request.header(name));
        let is_signed = given.any(|given| streamgank::verify_hex(&request.body, given, secrets).is_ok());
        if is_signed { Ok(None) } else { Err(refused()) }
    }
}

/// The submission that a token names.
fn submission(token: &str, keys: &SigningKeys) -> Option<Submission> {
    let claims = ClipClaims::verify(token, keys).ok()?.into_inner();
    Some(Submission { job: ClipJobId::parse(&claims.job).ok()?, number: claims.number })
}

/// What the rate limit counts: reports on a job, by its token, else those from an address.
pub fn counted(token: Option<&Submission>, address: &str) -> String {
    match token {
        Some(token) => format!("ai-clipping {}", token.job),
        None => format!("ai-clipping {address}"),
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::http::{HeaderName, HeaderValue};
    use lambda_http::{Body, Request, RequestExt};
    use reelhook_signing::SignedToken;

    use super::*;

    const BODY: &[u8] = "{ \"event\": \"job.started\",\n\"note\": \"\\u00e9 é\" }".as_bytes();
    const PATH: &str = "/api/webhooks/ai-clipping";
    const JOB: &str = "550e8400-e29b-41d4-a716-446655440000";

    fn keys(secret: &str) -> SigningKeys {
        SigningKeys::parse(secret).unwrap()
    }

    fn all() -> ReportKeys {
        let lookup = |name: &str| match name {
            "WEBHOOK_SECRET" => Some("newest, older".to_owned()),
            "GENESIS_WEBHOOK_SECRET" => Some("genesis".to_owned()),
            _ => None,
        };
        ReportKeys::new(keys("tokens, older tokens"), &lookup)
    }

    fn request(path: &str, headers: &[(&str, &[u8])]) -> ApiRequest {
        let mut request = Request::new(Body::Binary(BODY.to_vec())).with_raw_http_path(path);
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        ApiRequest::of(request)
    }

    fn signed(headers: &[(&str, &[u8])]) -> Result<Option<Submission>, u16> {
        all().verify(&request(PATH, headers)).map_err(|problem| problem.parts().0)
    }

    #[test]
    fn each_secret_signs_in_each_header_and_either_form() {
        for secret in ["newest", "older", "genesis"] {
            let plain = streamgank::hex_signature(BODY, &keys(secret));
            for name in SIGNATURES {
                for form in [plain.clone(), plain.to_uppercase(), format!("sha256={plain}"), format!(" {plain} ")] {
                    assert_eq!(signed(&[(name, form.as_bytes())]), Ok(None), "{name}: {form}");
                }
            }
        }
    }

    #[test]
    fn one_valid_signature_is_enough() {
        let good = format!("sha256={}", streamgank::hex_signature(BODY, &keys("newest")));
        let (good, wrong) = (good.as_bytes(), streamgank::hex_signature(BODY, &keys("other")));
        for others in [
            [("authorization", b"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x".as_slice()), ("x-webhook-signature", good)],
            [("authorization", b"Basic dXNlcjpwYXNz".as_slice()), ("x-genesis-webhook-signature", good)],
            [("x-genesis-webhook-signature", wrong.as_bytes()), ("authorization", good)],
            [("x-webhook-signature", b"".as_slice()), ("authorization", good)],
        ] {
            assert_eq!(signed(&others), Ok(None), "{others:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let good = streamgank::hex_signature(BODY, &keys("newest"));
        let tokens = streamgank::hex_signature(BODY, &keys("tokens"));
        let mut flipped = good.clone().into_bytes();
        flipped[0] = if flipped[0] == b'0' { b'1' } else { b'0' };
        for name in SIGNATURES {
            for bad in [
                flipped.as_slice(),
                tokens.as_bytes(),
                b"",
                b"sha256=",
                b"zz",
                "é".as_bytes(),
                &[0xff; 32],
                &good.as_bytes()[..63],
                &[good.as_bytes(), b"0"].concat(),
                format!("sha512={good}").as_bytes(),
                format!("Bearer {good}").as_bytes(),
                format!("Bearer sha256={good}").as_bytes(),
                b"Bearer newest",
                b"newest",
            ] {
                assert_eq!(signed(&[(name, bad)]), Err(401), "{name}: {}", String::from_utf8_lossy(bad));
            }
        }
        assert_eq!(signed(&[]), Err(401));
        assert_eq!(signed(&[("x-hub-signature-256", good.as_bytes())]), Err(401), "another header");
        let without = ReportKeys::new(keys("tokens"), &|_| None);
        let request = request(PATH, &[("authorization", good.as_bytes())]);
        assert_eq!(without.verify(&request), Err(Problem::Request(RequestProblem::Unauthorized)));
    }

    #[test]
    fn a_token_names_a_submission_and_decides_alone() {
        let check = |secret: &str, job: &str, expected: Option<u32>| {
            let token = SignedToken::mint(&ClipClaims { job: job.to_owned(), number: 2 }, &keys(secret));
            let request = request(&format!("/w/{}{PATH}", token.expose()), &[]);
            let named = all().verify(&request).ok().flatten();
            assert!(named.iter().all(|named| named.job.uuid() == JOB), "{named:?}");
            assert_eq!(named.map(|named| named.number), expected, "{secret} {job}");
        };
        check("tokens", JOB, Some(2));
        check("older tokens", &format!("clip_{JOB}"), Some(2));
        check("newest", JOB, None);
        check("tokens", "job_1_a", None);
        let good = streamgank::hex_signature(BODY, &keys("newest"));
        let request = request(&format!("/w/guessed{PATH}"), &[("x-webhook-signature", good.as_bytes())]);
        assert_eq!(all().verify(&request), Err(Problem::Request(RequestProblem::Unauthorized)));
    }

    #[test]
    fn reports_are_counted_by_job_or_by_address() {
        let token = Submission { job: ClipJobId::parse(JOB).unwrap(), number: 1 };
        assert_eq!(counted(Some(&token), "203.0.113.7"), format!("ai-clipping clip_{JOB}"));
        assert_eq!(counted(None, "203.0.113.7"), "ai-clipping 203.0.113.7");
    }
}
