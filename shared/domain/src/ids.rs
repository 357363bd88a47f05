//! Ids as types: external ids are parsed once at the boundary, and deterministic ids are derived here.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// The error for text that is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id must have 1 to {max} characters (letters, digits, `_`, `-` and `.`) and must not consist of dots only")]
pub struct IdError {
    max: usize,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses text from outside.
            ///
            /// # Errors
            /// [`IdError`] when the text is empty, is too long, has a character that an id can't have, or consists of
            /// dots only: in a path these would lead to another directory.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let fits = (1..=$max).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
                    && text.bytes().any(|byte| byte != b'.');
                if fits { Ok(Self(text.to_owned())) } else { Err(IdError { max: $max }) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// A job, in any dialect: `job_<unix ms>_<random>` or a UUID.
    JobId, 80
);
text_id!(
    /// A task at an outside service, such as a render.
    RenderId, 128
);
text_id!(
    /// A webhook endpoint: `ep_` and 32 hexadecimal digits. For an endpoint in the settings these are from the SHA-256
    /// of its URL, so that the order of the URLs does not matter; for a registration they are random.
    EndpointId, 64
);
text_id!(
    /// A webhook event: `<job>.<version>.<n>`. Processing the same outbox again yields the same id.
    EventId, 120
);

text_id!(
    /// A project of scenes: `proj_…`.
    ProjectId, 80
);
text_id!(
    /// A scene of a project: `scene_…`, or the client's own id.
    SceneId, 80
);

/// The prefix of the ids of clip jobs in storage.
pub(crate) const CLIPS: &str = "clip_";
/// The UUID namespace of the external ids of later submissions.
const SUBMISSIONS: Uuid = Uuid::from_u128(0x2c5b_9f6e_71d4_5a3c_8f10_4be0_9d27_6ac5);

/// A clip job. Clients know it as a UUID; in storage, event ids and logs it has the prefix `clip_`, so that its kind is
/// seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClipJobId(String);

impl ClipJobId {
    /// A random UUID (version 4).
    pub fn random(random: u128) -> Self {
        let uuid = uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid();
        Self(format!("{CLIPS}{}", uuid.hyphenated()))
    }

    /// Parses the id that clients know, or the stored form.
    ///
    /// # Errors
    /// [`IdError`] if the text has no UUID.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let uuid = Uuid::try_parse(text.strip_prefix(CLIPS).unwrap_or(text)).map_err(|_| IdError { max: 41 })?;
        Ok(Self(format!("{CLIPS}{}", uuid.hyphenated())))
    }

    /// The stored form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that clients know: a UUID.
    pub fn uuid(&self) -> &str {
        &self.0[CLIPS.len()..]
    }

    /// The id that a worker gets with submission `number`: our own for the first one, a new UUID for each later one.
    pub fn external_id(&self, number: u32) -> String {
        if number <= 1 {
            return self.uuid().to_owned();
        }
        Uuid::new_v5(&SUBMISSIONS, format!("{self}.{number}").as_bytes()).hyphenated().to_string()
    }
}

impl TryFrom<String> for ClipJobId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<ClipJobId> for String {
    fn from(id: ClipJobId) -> Self {
        id.0
    }
}

impl fmt::Display for ClipJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands where an owner's id would if there is no owner: no owner has it as id.
pub(crate) const OPERATOR: &str = "operator";

/// The owner of jobs, videos, projects and clips: the `sub` of a JWT, 1 to 128 bytes without control characters, and not
/// `operator`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnerId(String);

impl OwnerId {
    /// Bytes of an owner's id at most.
    pub const LIMIT: usize = 128;

    /// Reads an owner's id.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::LIMIT).contains(&text.len()) && !text.chars().any(crate::steers);
        (fits && text != OPERATOR).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OwnerId {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("must have 1 to 128 bytes without control characters, and not be `operator`")
    }
}

impl From<OwnerId> for String {
    fn from(id: OwnerId) -> Self {
        id.0
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The prefix of the ids of projects.
pub(crate) const PROJECT: &str = "proj_";

impl ProjectId {
    /// `proj_`, the time, and at least 64 random bits.
    pub fn timed(now: Timestamp, random: u128) -> Self {
        Self(format!("{PROJECT}{}_{random:032x}", now.millis()))
    }

    /// Parses an id that a client chose: it begins with `proj_`.
    ///
    /// # Errors
    /// [`IdError`].
    pub fn chosen(text: &str) -> Result<Self, IdError> {
        let id = Self::parse(text)?;
        if text.len() > PROJECT.len() && text.starts_with(PROJECT) { Ok(id) } else { Err(IdError { max: 80 }) }
    }
}

impl SceneId {
    /// `scene_` and random bits.
    pub fn random(random: u128) -> Self {
        Self(format!("scene_{random:032x}"))
    }
}

impl JobId {
    /// A UUID (version 4) made of random bits.
    pub fn uuid(random: u128) -> Self {
        Self(uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid().hyphenated().to_string())
    }

    /// `job_`, the time, and at least 64 random bits.
    pub fn timed(now: Timestamp, random: u128) -> Self {
        Self(format!("job_{}_{random:032x}", now.millis()))
    }
}

impl EventId {
    /// The id of effect `index` of a job's `version`.
    pub fn of(subject: &impl fmt::Display, version: u64, index: usize) -> Self {
        Self(format!("{subject}.{version}.{index}"))
    }

    /// A number that rises with each event of a subject, for receivers that put them in order; none unless the event's id
    /// follows from the subject's.
    pub fn sequence(&self, subject: &str) -> Option<u64> {
        let own = self.0.strip_prefix(subject)?.strip_prefix('.')?;
        let mut parts = own.rsplit('.').map(|part| part.parse::<u64>().unwrap_or_default());
        let (index, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Some(version.saturating_mul(100).saturating_add(index.min(99)))
    }
}

/// The UUID namespace of delivery ids.
const DELIVERIES: Uuid = Uuid::from_u128(0x6f1d_3d0a_6c1e_5b0e_9a53_0f7a_6c2b_4d11);

/// A delivery: one event to one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub Uuid);

impl DeliveryId {
    /// The UUIDv5 of event and endpoint, so that replaying the stream yields the same id.
    pub fn of(event: &EventId, endpoint: &EndpointId) -> Self {
        Self(Uuid::new_v5(&DELIVERIES, format!("{event}/{endpoint}").as_bytes()))
    }

    /// The Standard Webhooks message id: `msg_` and the UUID without dashes.
    pub fn webhook_id(self) -> String {
        format!("msg_{}", self.0.simple())
    }

    /// Parses the text of a UUID.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_from_outside_are_validated() {
        assert!(JobId::parse("job_1704123456789_abc123").is_ok());
        for bad in ["", "a b", "job/1", "é", &"x".repeat(81)] {
            assert!(JobId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dots_only_are_not_an_id_of_any_kind() {
        for dots in [".", "..", "...", "....", &".".repeat(64)] {
            assert!(JobId::parse(dots).is_err(), "{dots}");
            assert!(RenderId::parse(dots).is_err(), "{dots}");
            assert!(EndpointId::parse(dots).is_err(), "{dots}");
            assert!(EventId::parse(dots).is_err(), "{dots}");
            assert_eq!(DeliveryId::parse(dots), None);
            assert!(serde_json::from_value::<RenderId>(dots.into()).is_err(), "{dots}");
        }
        for id in ["a..", "..a", ".-.", "_", "-", "a.b"] {
            assert_eq!(RenderId::parse(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn later_events_of_a_job_have_higher_sequences() {
        let job = JobId::parse("job_1_a").unwrap();
        let sequences = [(1, 3), (2, 0), (2, 1), (10, 0), (21, 5)]
            .map(|(version, index)| EventId::of(&job, version, index).sequence(job.as_str()).unwrap());
        assert_eq!(EventId::parse("trigger_1_a.1.0").unwrap().sequence(job.as_str()), None, "no event of this job");
        assert_eq!(sequences, [103, 200, 201, 1000, 2105]);
    }

    #[test]
    fn a_replayed_event_has_the_same_delivery_id() {
        let event = EventId::of(&JobId::parse("job_1_a").unwrap(), 4, 1);
        let endpoint = EndpointId::parse("ep_0011").unwrap();
        assert_eq!(event.as_str(), "job_1_a.4.1");
        assert_eq!(DeliveryId::of(&event, &endpoint), DeliveryId::of(&event, &endpoint));
        assert_ne!(DeliveryId::of(&event, &endpoint), DeliveryId::of(&event, &EndpointId::parse("ep_0012").unwrap()));
        assert_eq!(DeliveryId::of(&event, &endpoint).webhook_id().len(), 36);
    }
}
