//! Who may open a WebSocket connection: the bearer of a stream token (docs/contract/live.md, WebSocket).

pub mod sse;

use reelhook_domain::{OwnerId, Subject, Timestamp};
use reelhook_signing::{SigningKeys, StreamClaims};

use self::sse::of_token_subject;

/// The subject of tokens for connections that may follow all that the caller sees.
pub const LIVE_SUBJECT: &str = "live";

/// What the bearer of a token may follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Whose it is; none for an operator, who may follow everything.
    pub owner: Option<OwnerId>,
    /// The only subject, if the token is for one stream.
    pub only: Option<Subject>,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no valid token.
    Unauthorized,
    /// The token is for something else, such as the stream of errors.
    Forbidden,
}

impl Refused {
    /// The status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
        }
    }
}

/// Admits the bearer of a token.
///
/// # Errors
/// [`Refused`].
pub fn admit(token: Option<&str>, keys: &SigningKeys, now: Timestamp) -> Result<Admitted, Refused> {
    let claims = token.and_then(|token| StreamClaims::verify(token, now.seconds(), keys).ok());
    let claims = claims.ok_or(Refused::Unauthorized)?.into_inner();
    let owner = match &claims.owner {
        Some(owner) => Some(OwnerId::parse(owner).ok_or(Refused::Unauthorized)?),
        None => None,
    };
    if claims.subject == LIVE_SUBJECT {
        return Ok(Admitted { owner, only: None });
    }
    let only = of_token_subject(&claims.subject).ok_or(Refused::Forbidden)?;
    Ok(Admitted { owner, only: Some(only) })
}

#[cfg(test)]
mod tests {
    use reelhook_signing::SignedToken;

    use super::*;
    use crate::live::sse::{QUEUE_SUBJECT, token_subject};

    const NOW: Timestamp = Timestamp(1_704_110_400_000);

    fn token(subject: &str, owner: Option<&str>) -> String {
        let claims =
            StreamClaims { subject: subject.to_owned(), owner: owner.map(str::to_owned), expires: NOW.seconds() + 60 };
        SignedToken::mint(&claims, &keys()).expose().to_owned()
    }

    fn keys() -> SigningKeys {
        SigningKeys::parse("secret").unwrap()
    }

    fn admitted(token: &str) -> Result<Admitted, Refused> {
        admit(Some(token), &keys(), NOW)
    }

    #[test]
    fn a_token_opens_a_connection_for_its_owner_and_its_subject() {
        let ann = OwnerId::parse("ann");
        assert_eq!(admitted(&token(LIVE_SUBJECT, None)), Ok(Admitted { owner: None, only: None }));
        assert_eq!(admitted(&token(LIVE_SUBJECT, Some("ann"))), Ok(Admitted { owner: ann.clone(), only: None }));
        for of in ["job_1", "proj_1", "clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11"] {
            let only = Subject::parse(of).unwrap();
            let token = token(&token_subject(&only).unwrap(), Some("ann"));
            assert_eq!(admitted(&token), Ok(Admitted { owner: ann.clone(), only: Some(only) }), "{of}");
        }
    }

    #[test]
    fn nothing_else_opens_a_connection() {
        for (token, refused) in [
            (String::new(), Refused::Unauthorized),
            ("s1.x.1.y".to_owned(), Refused::Unauthorized),
            (format!("{}x", token(LIVE_SUBJECT, None)), Refused::Unauthorized),
            (token(QUEUE_SUBJECT, None), Refused::Forbidden),
            (token("errors", None), Refused::Forbidden),
            (token("job:a b", None), Refused::Forbidden),
        ] {
            assert_eq!(admitted(&token), Err(refused), "{token}");
        }
        assert_eq!(admit(None, &keys(), NOW), Err(Refused::Unauthorized));
        let late = admit(Some(&token(LIVE_SUBJECT, None)), &keys(), Timestamp(NOW.millis() + 61_000));
        assert_eq!(late, Err(Refused::Unauthorized));
    }
}
