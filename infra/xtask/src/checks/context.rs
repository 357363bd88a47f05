//! The context of the checks: the checkout, and a running stack that the first check to need it starts.

use anyhow::Context as _;

use crate::instance::Instance;
use crate::json;
use crate::pair::pairs;
use crate::ports::RequestedPorts;
use crate::up::{self, Options, Started};
use crate::workspace::{Profile, Workspace};

/// Parameters and settings with short timers, so that tests need not wait.
const TEST_PROFILE: &str = "infra/local/test-profile.json";

/// State that the checks share.
pub struct Context<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// The instance `test`; none until a check needs it.
    stack: Option<Started>,
}

impl<'a> Context<'a> {
    /// A context without a running stack.
    pub fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, stack: None }
    }

    /// The running test stack; the first call starts it.
    pub fn stack(&mut self) -> anyhow::Result<&mut Started> {
        if self.stack.is_none() {
            let profile = json::read(&self.workspace.root.join(TEST_PROFILE))?;
            let options = Options {
                ports: RequestedPorts::any_free(),
                auth: true,
                keep_state: false,
                profile: Profile::Debug,
                speed: 20.0,
                shared_video: true,
                // A minute of an alarm is a second.
                metric_speed: 60,
                parameters: pairs(&profile["parameters"]),
                secrets: pairs(&profile["settings"]),
                detach: false,
            };
            self.stack = Some(up::start(self.workspace, Instance::new(self.workspace, "test")?, &options)?);
        }
        self.stack.as_mut().context("the stack was started")
    }
}
