//! Signed links to videos and music tracks, which need no API key.

use reelhook_app::Url;
use reelhook_app::views::vidbuilder::LINK_LIFE;
use reelhook_domain::Timestamp;
use reelhook_signing::{SignedToken, SigningKeys, SubjectClaims};

use crate::problem::{Problem, RequestProblem};

/// A signed link.
#[derive(Debug)]
pub struct Link {
    /// What the link is about.
    pub(super) subject: String,
    /// The token in its query.
    pub(super) token: String,
}

impl Link {
    /// Verifies the signature and the expiry of the link.
    ///
    /// # Errors
    /// [`RequestProblem::Unauthorized`].
    pub fn check(&self, now: Timestamp, keys: &SigningKeys) -> Result<(), Problem> {
        let verified = SubjectClaims::verify(&self.token, &self.subject, now.seconds(), keys).map(drop);
        verified.map_err(|_| Problem::Request(RequestProblem::Unauthorized))
    }
}

pub(super) fn track_subject(name: &str) -> String {
    format!("music:{name}")
}

/// A signed link to a music track. It is valid for as long as a link to a video.
pub fn track_link(filename: &str, base: &Url, keys: &SigningKeys, now: Timestamp) -> String {
    let (subject, expires) = (track_subject(filename), now.seconds() + LINK_LIFE.0);
    let token = SignedToken::mint(&SubjectClaims { subject: &subject, expires }, keys);
    let base = base.as_str().trim_end_matches('/');
    format!("{base}/api/music-tracks/{filename}?token={}", token.expose())
}
