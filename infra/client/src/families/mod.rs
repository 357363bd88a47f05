//! What the API makes, by family. Each family is a file; [`family`] is what they have in common.

use crate::api::Api;
use crate::failure::Failure;
use crate::input::Id;

use family::{Family, State};

pub mod clips;
pub mod family;
pub mod job;
pub mod project;
pub mod video;

/// Every family, in the order in which an id is looked for.
static ALL: [&dyn Family; 4] = [&job::Job, &video::Video, &project::Project, &clips::Clips];

/// Finds out whose id this is, and how it stands.
///
/// # Errors
/// The refusal of the last family that may have the id.
pub async fn find(api: &Api, id: &Id) -> Result<(&'static dyn Family, State), Failure> {
    let id = id.as_str();
    let mut refused = None;
    for family in ALL.into_iter().filter(|family| family.may_have(id)) {
        match api.get(family.paths(id).state).await {
            Ok(body) => return Ok((family, family.read(id, &body))),
            // Another family may have it: an owner may read the routes of some families only.
            Err(failure) if matches!(failure.status(), Some(403 | 404)) => refused = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    Err(refused.unwrap_or_else(|| Failure::Usage(format!("`{id}` is no id of a job, video, project or clip job"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_to_the_families_that_may_have_them() {
        let names = |id: &str| {
            let found = ALL.into_iter().filter(|family| family.may_have(id));
            found.map(|family| family.name()).collect::<Vec<_>>()
        };
        assert_eq!(names("job_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31"), ["job"]);
        assert_eq!(names("3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b"), ["video", "clips"]);
        assert_eq!(names("proj_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31"), ["project"]);
        assert!(names("webhook_1").is_empty());
    }
}
