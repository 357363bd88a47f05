//! What the API makes, by family. Each family is a file; [`family`] is what they have in common.

use serde_json::Value;

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
            Ok(body) => return Ok((family, read(family, id, &body)?)),
            // Another family may have it: an owner may read the routes of some families only.
            Err(failure) if matches!(failure.status(), Some(403 | 404)) => refused = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    Err(refused.unwrap_or_else(|| Failure::Usage(format!("`{id}` is no id of a job, video, project or clip job"))))
}

/// How one stands, by the body of its state.
///
/// # Errors
/// If it has no status: that is no answer of the API, and nothing would ever end.
pub fn read(family: &dyn Family, id: &str, body: &Value) -> Result<State, Failure> {
    let state = family.read(id, body);
    match state.status.is_empty() {
        true => Err(Failure::Unavailable(format!("the answer about {id} has no status: is the API there?"))),
        false => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_without_a_status_is_none_of_the_api() {
        for family in ALL {
            assert_eq!(read(family, "x", &json!({ "ok": true })).unwrap_err().code(), 4, "{}", family.name());
        }
    }

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
