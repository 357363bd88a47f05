//! The subject of an event: a job, a project, a clip job, a webhook endpoint, an error or a manual trigger, identified
//! by its id.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::CLIPS;
use crate::{ClipJobId, EndpointId, IdError, JobId, ProjectId};

/// The subject of a webhook event or of stored effects. Its stored form is the id alone: the prefix of the id gives the
/// kind, and an id with no known prefix is a job's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// A job.
    Job(JobId),
    /// A project of scenes.
    Project(ProjectId),
    /// A clip job.
    Clips(ClipJobId),
    /// A webhook endpoint.
    Endpoint(EndpointId),
    /// An error of the errors API: `err_…`.
    Error(String),
    /// The id of a trigger: an event that an operator sent without naming a job.
    Trigger(String),
}

/// The prefix of trigger ids.
const TRIGGER: &str = "trigger_";
/// The prefix of the ids of errors.
const ERROR: &str = "err_";
/// The prefixes of endpoint ids: registered or configured endpoints, and callback URLs of clients.
const ENDPOINTS: [&str; 2] = ["ep_", "cb_"];

impl Subject {
    /// Reads an id of any kind.
    ///
    /// # Errors
    /// [`IdError`] when the text cannot be an id.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        // An operator may name any job in an event: a text that is too long for the id of an endpoint is a job's.
        if ENDPOINTS.iter().any(|prefix| text.starts_with(prefix))
            && let Ok(endpoint) = EndpointId::parse(text)
        {
            return Ok(Self::Endpoint(endpoint));
        }
        if let Ok(project) = ProjectId::chosen(text) {
            return Ok(Self::Project(project));
        }
        if text.starts_with(CLIPS)
            && let Ok(clips) = ClipJobId::parse(text)
        {
            return Ok(Self::Clips(clips));
        }
        let job = JobId::parse(text)?;
        Ok(match text {
            trigger if trigger.starts_with(TRIGGER) => Self::Trigger(trigger.to_owned()),
            error if error.starts_with(ERROR) => Self::Error(error.to_owned()),
            _ => Self::Job(job),
        })
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Job(id) => id.as_str(),
            Self::Project(id) => id.as_str(),
            Self::Clips(id) => id.as_str(),
            Self::Endpoint(id) => id.as_str(),
            Self::Error(id) | Self::Trigger(id) => id,
        }
    }

    /// The id that clients know: a clip job's is the UUID alone.
    pub fn client_id(&self) -> &str {
        match self {
            Self::Clips(id) => id.uuid(),
            Self::Job(_) | Self::Project(_) | Self::Endpoint(_) | Self::Error(_) | Self::Trigger(_) => self.as_str(),
        }
    }

    /// The project's id, if the subject is a project.
    pub fn project(&self) -> Option<&ProjectId> {
        match self {
            Self::Project(id) => Some(id),
            Self::Job(_) | Self::Clips(_) | Self::Endpoint(_) | Self::Error(_) | Self::Trigger(_) => None,
        }
    }

    /// The job's id, if the subject is a job.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Self::Job(id) => Some(id),
            _ => None,
        }
    }
}

impl From<JobId> for Subject {
    fn from(id: JobId) -> Self {
        Self::Job(id)
    }
}

impl From<ProjectId> for Subject {
    fn from(id: ProjectId) -> Self {
        Self::Project(id)
    }
}

impl From<ClipJobId> for Subject {
    fn from(id: ClipJobId) -> Self {
        Self::Clips(id)
    }
}

impl From<EndpointId> for Subject {
    fn from(id: EndpointId) -> Self {
        Self::Endpoint(id)
    }
}

impl TryFrom<String> for Subject {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.as_str().to_owned()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_an_id_gives_its_kind() {
        let check = |text: &str, expected: fn(&Subject) -> bool| {
            let subject = Subject::parse(text).unwrap();
            assert!(expected(&subject), "{text}");
            assert_eq!(serde_json::to_string(&subject).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Subject>(&format!("\"{text}\"")).unwrap(), subject);
        };
        let long = format!("ep_{}", "x".repeat(77));
        for job in ["job_1704123456789_abc123", "0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11", "legacy", &long] {
            check(job, |subject| matches!(subject, Subject::Job(_)));
        }
        for endpoint in ["ep_00112233445566778899aabbccddeeff", "cb_00112233445566778899aabbccddeeff"] {
            check(endpoint, |subject| matches!(subject, Subject::Endpoint(_)));
        }
        let clips = "clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11";
        check(clips, |subject| matches!(subject, Subject::Clips(_)));
        assert_eq!(Subject::parse(clips).unwrap().client_id(), &clips[5..]);
        assert_eq!(Subject::parse("proj_test").unwrap().client_id(), "proj_test");
        check("clip_1", |subject| matches!(subject, Subject::Job(_)));
        check("proj_test", |subject| matches!(subject, Subject::Project(_)));
        check("proj_", |subject| matches!(subject, Subject::Job(_)));
        check("err_1704110400000_0a1b2c3", |subject| matches!(subject, Subject::Error(_)));
        check("trigger_1_a", |subject| matches!(subject, Subject::Trigger(_)));
        assert!(Subject::parse("a b").is_err());
        assert!(Subject::parse("ep_a b").is_err());
        assert!(Subject::parse(&format!("ep_{}", "x".repeat(78))).is_err());
        assert!(Subject::parse("trigger_/x").is_err());
    }
}
