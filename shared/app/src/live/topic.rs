//! What a connection follows: one job, project or clip job, or all of an owner.

use reelhook_domain::{OwnerId, Subject};

/// The prefix of an owner's key. No id of a subject has a colon.
const OWNER: &str = "owner:";

/// What a connection follows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// A job, a project or a clip job.
    Subject(Subject),
    /// Everything of an owner.
    Owner(OwnerId),
}

impl Topic {
    /// The stored form.
    pub fn key(&self) -> String {
        match self {
            Self::Subject(subject) => subject.to_string(),
            Self::Owner(owner) => format!("{OWNER}{owner}"),
        }
    }

    /// Reads the stored form.
    pub fn parse(key: &str) -> Option<Self> {
        match key.strip_prefix(OWNER) {
            Some(owner) => OwnerId::parse(owner).map(Self::Owner),
            None => Subject::parse(key).ok().map(Self::Subject),
        }
    }

    /// Whether it is everything of an owner, by its stored form.
    pub fn is_owner(key: &str) -> bool {
        key.starts_with(OWNER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_tells_owners_from_subjects() {
        let clips = "clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11";
        for key in ["job_1", "proj_1", clips, "owner:ann", "owner:job_1", "owner:owner:x"] {
            let topic = Topic::parse(key).unwrap();
            assert_eq!(topic.key(), key);
            assert_eq!(matches!(topic, Topic::Owner(_)), Topic::is_owner(key), "{key}");
        }
        assert_eq!(Topic::parse("owner:"), None);
        assert_eq!(Topic::parse("a:b"), None);
    }
}
