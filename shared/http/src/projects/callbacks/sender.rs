//! The sender of a callback: the holder of a submission's token, or of the secret of the webhook.

use reelhook_app::projects::callbacks::Submission;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_signing::{SigningKeys, TaskClaims, streamgank};
use secrecy::ExposeSecret;

use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;

/// The header with the HMAC-SHA256 of the raw body, in hexadecimal digits.
const SIGNATURE: &str = "x-webhook-signature";

/// The keys that verify callbacks.
#[derive(Debug)]
pub struct CallbackKeys {
    tokens: SigningKeys,
    video: Option<SigningKeys>,
    frame: Option<SigningKeys>,
    stitch: Option<SigningKeys>,
}

impl CallbackKeys {
    /// The settings that [`Self::new`] looks up.
    pub const SETTINGS: [&'static str; 3] =
        ["VIDEO_WEBHOOK_SECRET", "LAST_FRAME_WEBHOOK_SECRET", "STITCH_WEBHOOK_SECRET"];

    /// The keys of `tokens`, and the secrets of each webhook (several secrets separated by commas, newest first).
    /// Without a secret a webhook only accepts tokens.
    pub fn new(tokens: SigningKeys, lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let [video, frame, stitch] = Self::SETTINGS.map(|name| lookup(name).as_deref().and_then(SigningKeys::parse));
        Self { tokens, video, frame, stitch }
    }

    /// Verifies the sender of a callback on its raw bytes, before anything is parsed: the submission that its token
    /// names, or none if it is signed.
    ///
    /// # Errors
    /// [`RequestProblem::Unauthorized`], also for the token of another stage.
    pub fn verify(&self, request: &ApiRequest, stage: Stage) -> Result<Option<Submission>, Problem> {
        let refused = || Problem::Request(RequestProblem::Unauthorized);
        if let Some(token) = &request.token {
            let submission = submission(token.expose_secret(), &self.tokens);
            return submission.filter(|found| found.task.stage() == stage).map(Some).ok_or_else(refused);
        }
        let secret = match stage {
            Stage::Video => &self.video,
            Stage::Frame => &self.frame,
            Stage::Stitch => &self.stitch,
        };
        let (Some(secret), Some(given)) = (secret, request.header(SIGNATURE)) else { return Err(refused()) };
        streamgank::verify_hex(&request.body, given, secret).map(|_| None).map_err(|_| refused())
    }
}

/// The submission that a token names.
fn submission(token: &str, keys: &SigningKeys) -> Option<Submission> {
    let claims = TaskClaims::verify(token, keys).ok()?.into_inner();
    Some(Submission { project: ProjectId::parse(&claims.project).ok()?, task: TaskRef::parse(&claims.task)? })
}

/// Calls of a webhook per minute and address.
pub fn calls_per_minute(stage: Stage) -> u32 {
    match stage {
        Stage::Video | Stage::Frame => 100,
        Stage::Stitch => 50,
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::http::{HeaderName, HeaderValue};
    use lambda_http::{Body, Request, RequestExt};
    use reelhook_signing::SignedToken;

    use super::*;

    const BODY: &[u8] = "{ \"status\": \"completed\",\n\"note\": \"\\u00e9 é\" }".as_bytes();

    fn keys(secret: &str) -> SigningKeys {
        SigningKeys::parse(secret).unwrap()
    }

    fn all() -> CallbackKeys {
        let lookup = |name: &str| match name {
            "VIDEO_WEBHOOK_SECRET" => Some("newest video, older video".to_owned()),
            "STITCH_WEBHOOK_SECRET" => Some("stitch".to_owned()),
            _ => None,
        };
        CallbackKeys::new(keys("tokens, older tokens"), &lookup)
    }

    fn request(path: &str, signature: Option<&[u8]>) -> ApiRequest {
        let mut request = Request::new(Body::Binary(BODY.to_vec())).with_raw_http_path(path);
        if let Some(signature) = signature {
            let name = HeaderName::from_static(SIGNATURE);
            request.headers_mut().insert(name, HeaderValue::from_bytes(signature).unwrap());
        }
        ApiRequest::of(request)
    }

    fn signed(signature: &[u8], stage: Stage) -> Result<Option<Submission>, u16> {
        let request = request("/api/webhooks/video-complete", Some(signature));
        all().verify(&request, stage).map_err(|problem| problem.parts().0)
    }

    #[test]
    fn each_secret_of_the_webhook_signs_in_either_form() {
        for secret in ["newest video", "older video"] {
            let plain = streamgank::hex_signature(BODY, &keys(secret));
            assert_eq!(signed(plain.as_bytes(), Stage::Video), Ok(None));
            assert_eq!(signed(plain.to_uppercase().as_bytes(), Stage::Video), Ok(None));
            assert_eq!(signed(format!("sha256={plain}").as_bytes(), Stage::Video), Ok(None));
            assert_eq!(signed(plain.as_bytes(), Stage::Stitch), Err(401), "the secret of another webhook");
            assert_eq!(signed(plain.as_bytes(), Stage::Frame), Err(401), "a webhook without a secret");
        }
        let stitch = streamgank::hex_signature(BODY, &keys("stitch"));
        assert_eq!(signed(stitch.as_bytes(), Stage::Stitch), Ok(None));
    }

    #[test]
    fn a_signature_of_any_other_form_is_refused() {
        let good = streamgank::hex_signature(BODY, &keys("newest video"));
        let wrong = streamgank::hex_signature(b"another body", &keys("newest video"));
        for bad in [
            wrong.as_bytes(),
            b"",
            b"invalid",
            b"sha256=",
            b"zz",
            "é".as_bytes(),
            &[0xff; 32],
            &good.as_bytes()[..63],
            &[good.as_bytes(), b"0"].concat(),
            &[good.as_bytes(), good.as_bytes()].concat(),
            format!("sha512={good}").as_bytes(),
            format!("sha256=sha256={good}").as_bytes(),
            good.replace(|digit: char| digit.is_ascii_hexdigit(), "g").as_bytes(),
            "a".repeat(8000).as_bytes(),
        ] {
            assert_eq!(signed(bad, Stage::Video), Err(401), "{}", String::from_utf8_lossy(bad));
        }
        let unsigned = request("/api/webhooks/video-complete", None);
        assert_eq!(all().verify(&unsigned, Stage::Video), Err(Problem::Request(RequestProblem::Unauthorized)));
    }

    #[test]
    fn a_token_is_for_one_submission_and_its_stage() {
        let check = |secret: &str, task: &str, stage: Stage, expected: bool| {
            let claims = TaskClaims { project: "proj_1".to_owned(), task: task.to_owned() };
            let token = SignedToken::mint(&claims, &keys(secret));
            let request = request(&format!("/w/{}/api/webhooks/video-complete", token.expose()), None);
            let found = all().verify(&request, stage);
            let task = TaskRef::parse(task).map(|task| (ProjectId::parse("proj_1").unwrap(), task));
            let named = found.ok().flatten().map(|found| (found.project, found.task));
            assert_eq!(named, task.filter(|_| expected), "{secret} {stage:?}");
        };
        check("tokens", "video.1.1.scene_a", Stage::Video, true);
        check("older tokens", "frame.2.3.scene_a", Stage::Frame, true);
        check("tokens", "stitch.1.1.0", Stage::Stitch, true);
        check("tokens", "frame.1.1.scene_a", Stage::Video, false);
        check("tokens", "video.1.1.scene_a", Stage::Frame, false);
        check("newest video", "video.1.1.scene_a", Stage::Video, false);
        // A token decides alone: a valid signature does not help a wrong one.
        let good = streamgank::hex_signature(BODY, &keys("newest video"));
        let request = request("/w/guessed/api/webhooks/video-complete", Some(good.as_bytes()));
        assert_eq!(all().verify(&request, Stage::Video), Err(Problem::Request(RequestProblem::Unauthorized)));
    }
}
