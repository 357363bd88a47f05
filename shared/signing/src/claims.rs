//! The claims of our signed tokens: reports on a run, on a task or on clips, access to a subject or a stream, and a session.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token::{Claims, check_expiry, verify};
use crate::{SigningKeys, Verified, VerifyError};

/// Reports on a run of a job, or on one part of that run. Callback URLs (`/w/<token>`) contain the token, because their
/// callers send no header: `t1.<job id>.<attempt>.<mac>`, for a part `t2.<job id>.<attempt>.<part>.<mac>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunClaims {
    /// The job (or other aggregate) that callbacks are about; not empty, up to 340 bytes together with the part.
    pub job_id: String,
    /// The run of that job; the receiver of the callback must check that it is the current one.
    pub attempt: u32,
    /// The part of the run, a short id such as that of a scene or a stage; not empty. A token of a part is valid for that
    /// part only, neither for another one nor for the run.
    pub part: Option<String>,
}

impl RunClaims {
    /// The claims on a whole run.
    pub fn of_run(job_id: impl Into<String>, attempt: u32) -> Self {
        Self { job_id: job_id.into(), attempt, part: None }
    }

    /// The claims on one part of this run.
    #[must_use]
    pub fn with_part(self, part: impl Into<String>) -> Self {
        Self { part: Some(part.into()), ..self }
    }

    /// Verifies a token with any of the secrets.
    ///
    /// # Errors
    /// `Missing` for an empty text, `Malformed` if it is longer than 512 bytes or not of a token's form, `Mismatch` if no
    /// secret made it.
    pub fn verify(token: &str, keys: &SigningKeys) -> Result<Verified<Self>, VerifyError> {
        verify(token, keys, |fields| {
            let (job_id, attempt, part) = match fields {
                ["t1", job_id, attempt] => (job_id, attempt, None),
                ["t2", job_id, attempt, part] => (job_id, attempt, Some(decoded(part)?)),
                _ => return None,
            };
            Some(vec![Self { job_id: decoded(job_id)?, attempt: attempt.parse().ok()?, part }])
        })
    }
}

impl Claims for RunClaims {
    const PURPOSE: &'static str = "callback";
    const MAX_BYTES: usize = 512;

    fn shown(&self) -> String {
        let run = format!("{}.{}", URL_SAFE_NO_PAD.encode(&self.job_id), self.attempt);
        match &self.part {
            None => format!("t1.{run}"),
            Some(part) => format!("t2.{run}.{}", URL_SAFE_NO_PAD.encode(part)),
        }
    }
}

/// Reports on one task of a project, that is, on one submission to a service. Callback URLs (`/w/<token>`) contain the
/// token: `k1.<project>.<task>.<mac>`. The task's text begins with its stage, so that a token for a last frame is not valid
/// for a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskClaims {
    /// The project; not empty, up to 300 bytes together with the task.
    pub project: String,
    /// The text of the task; not empty. The receiver of the callback must check that it is the present one.
    pub task: String,
}

impl TaskClaims {
    /// Verifies a token with any of the secrets.
    ///
    /// # Errors
    /// `Missing` for an empty text, `Malformed` if it is longer than 512 bytes or not of a token's form, `Mismatch` if no
    /// secret made it.
    pub fn verify(token: &str, keys: &SigningKeys) -> Result<Verified<Self>, VerifyError> {
        verify(token, keys, |fields| {
            let ["k1", project, task] = fields else { return None };
            Some(vec![Self { project: decoded(project)?, task: decoded(task)? }])
        })
    }
}

impl Claims for TaskClaims {
    const PURPOSE: &'static str = "task";
    const MAX_BYTES: usize = 512;

    fn shown(&self) -> String {
        format!("k1.{}.{}", URL_SAFE_NO_PAD.encode(&self.project), URL_SAFE_NO_PAD.encode(&self.task))
    }
}

/// Reports on one submission of a clip job to the clipping worker. Callback URLs (`/w/<token>`) contain the token:
/// `w1.<job>.<number>.<mac>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipClaims {
    /// The clip job; not empty, up to 300 bytes.
    pub job: String,
    /// The submission's number. The receiver of the callback must check that it is the present one.
    pub number: u32,
}

impl ClipClaims {
    /// Verifies a token with any of the secrets.
    ///
    /// # Errors
    /// `Missing` for an empty text, `Malformed` if it is longer than 512 bytes or not of a token's form, `Mismatch` if no
    /// secret made it.
    pub fn verify(token: &str, keys: &SigningKeys) -> Result<Verified<Self>, VerifyError> {
        verify(token, keys, |fields| {
            let ["w1", job, number] = fields else { return None };
            Some(vec![Self { job: decoded(job)?, number: number.parse().ok()? }])
        })
    }
}

impl Claims for ClipClaims {
    const PURPOSE: &'static str = "clip";
    const MAX_BYTES: usize = 512;

    fn shown(&self) -> String {
        format!("w1.{}.{}", URL_SAFE_NO_PAD.encode(&self.job), self.number)
    }
}

/// Access to one subject, such as a stream or a video, until a time. Links can't send headers, and neither can an
/// EventSource or a WebSocket of another origin: their URLs contain the token, `s1.<subject>.<expiry>.<mac>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectClaims<'a> {
    /// The subject.
    pub subject: &'a str,
    /// When the access ends, in Unix seconds.
    pub expires: i64,
}

impl<'a> SubjectClaims<'a> {
    /// Verifies that a token is for this subject and still valid at `now` (Unix seconds).
    ///
    /// # Errors
    /// `Missing` for an empty text, `Malformed` for a text that is not a token, `TooOld` for an expired token, `Mismatch`
    /// if it is for another subject or no secret made it.
    pub fn verify(token: &str, subject: &'a str, now: i64, keys: &SigningKeys) -> Result<Verified<Self>, VerifyError> {
        let verified = verify(token, keys, |fields| {
            let ["s1", _, expires] = fields else { return None };
            Some(vec![Self { subject, expires: expires.parse().ok()? }])
        })?;
        check_expiry(verified.get().expires, now).map(|()| verified)
    }
}

impl Claims for SubjectClaims<'_> {
    const PURPOSE: &'static str = "stream";
    const MAX_BYTES: usize = 512;

    fn shown(&self) -> String {
        format!("s1.{}.{}", URL_SAFE_NO_PAD.encode(self.subject), self.expires)
    }
}

/// Access to streams until a time, for an operator or for one owner. An operator's token has the form of
/// [`SubjectClaims`]; an owner's is `s2.<subject>.<owner>.<expiry>.<mac>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamClaims {
    /// The subject of the stream; not empty.
    pub subject: String,
    /// The owner that the token was issued for; none for an operator.
    pub owner: Option<String>,
    /// When the access ends, in Unix seconds.
    pub expires: i64,
}

impl StreamClaims {
    /// Verifies a token at `now` (Unix seconds). The caller must check its subject, and that the owner may follow it.
    ///
    /// # Errors
    /// `Missing` for an empty text, `Malformed` for a text that is not a token, `TooOld` for an expired token, `Mismatch`
    /// if no secret made it.
    pub fn verify(token: &str, now: i64, keys: &SigningKeys) -> Result<Verified<Self>, VerifyError> {
        let verified = verify(token, keys, |fields| {
            let (subject, owner, expires) = match fields {
                ["s1", subject, expires] => (subject, None, expires),
                ["s2", subject, owner, expires] => (subject, Some(decoded(owner)?), expires),
                _ => return None,
            };
            Some(vec![Self { subject: decoded(subject)?, owner, expires: expires.parse().ok()? }])
        })?;
        check_expiry(verified.get().expires, now).map(|()| verified)
    }
}

impl Claims for StreamClaims {
    const PURPOSE: &'static str = SubjectClaims::PURPOSE;
    const MAX_BYTES: usize = SubjectClaims::MAX_BYTES;

    fn shown(&self) -> String {
        let Self { subject, owner, expires } = self;
        match owner {
            None => SubjectClaims { subject, expires: *expires }.shown(),
            Some(owner) => {
                format!("s2.{}.{}.{expires}", URL_SAFE_NO_PAD.encode(subject), URL_SAFE_NO_PAD.encode(owner))
            }
        }
    }
}

/// A session of a browser that signed in with a key, valid at most as long as that key. Its cookie contains the token,
/// `c1.<expiry>.<mac>`. The MAC covers the hash of the key; the token itself reveals nothing about the key.
pub struct SessionClaims {
    /// The hash of the key.
    pub key: [u8; 32],
    /// When the session ends, in Unix seconds.
    pub expires: i64,
}

impl SessionClaims {
    /// Verifies a token at `now` (Unix seconds), and finds out which of the `known` keys (as hashes) it was made for. It
    /// is invalid once its key is not known any more.
    ///
    /// # Errors
    /// `Missing` for an empty text, `Malformed` for a text that is not a token, `TooOld` for an expired token, `Mismatch`
    /// if no secret made it for a known key.
    pub fn verify(
        token: &str,
        known: &[[u8; 32]],
        now: i64,
        keys: &SigningKeys,
    ) -> Result<Verified<Self>, VerifyError> {
        let verified = verify(token, keys, |fields| {
            let ["c1", expires] = fields else { return None };
            let expires = expires.parse().ok()?;
            Some(known.iter().map(|key| Self { key: *key, expires }).collect())
        })?;
        check_expiry(verified.get().expires, now).map(|()| verified)
    }
}

impl Claims for SessionClaims {
    const PURPOSE: &'static str = "session";
    const MAX_BYTES: usize = 128;

    fn shown(&self) -> String {
        format!("c1.{}", self.expires)
    }

    fn hidden(&self) -> Option<&[u8]> {
        Some(&self.key)
    }
}

/// A text that is not empty, from its base64url.
fn decoded(text: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    (!text.is_empty()).then_some(text)
}
