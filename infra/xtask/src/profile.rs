//! The stack of the end-to-end tests: short timers, so that tests need not wait.

use reelhook_terminal::arguments::Pair;

use crate::json::{self, pairs};
use crate::ports::RequestedPorts;
use crate::up::Options;
use crate::workspace::{Profile, Workspace};

/// Parameters and settings with short timers.
const TEST_PROFILE: &str = "infra/local/test-profile.json";

/// Options of a stack for tests; a hostile one has the fault proxy.
pub fn for_tests(workspace: &Workspace, hostile: bool) -> anyhow::Result<Options> {
    let profile = json::read(&workspace.root.join(TEST_PROFILE))?;
    let mut parameters = pairs(&profile["parameters"]);
    if hostile {
        // As on AWS: records are kept while their batches fail, and a minute of faults discards none.
        parameters.push(Pair("StreamRecordAgeSeconds".to_owned(), "3600".to_owned()));
    }
    Ok(Options {
        ports: RequestedPorts::any_free(),
        auth: true,
        keep_state: false,
        profile: Profile::Debug,
        speed: 20.0,
        shared_video: true,
        // A minute of an alarm is a second.
        metric_speed: 60,
        parameters,
        secrets: pairs(&profile["settings"]),
        detach: false,
        hostile,
    })
}
