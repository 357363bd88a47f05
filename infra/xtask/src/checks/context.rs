//! What the checks share: the checkout, the stack for tests, the linters of templates.

use anyhow::Context as _;
use serde_json::Value;

use crate::instance::{Instance, texts};
use crate::ports::Asked;
use crate::setup;
use crate::up::{self, Options, Pair, Started};
use crate::workspace::{Profile, Workspace};

/// What the checks share.
pub struct Context<'a> {
    /// The checkout.
    pub workspace: &'a Workspace,
    /// The instance `test`, once a check needed it.
    stack: Option<Started>,
}

impl<'a> Context<'a> {
    /// Nothing runs yet.
    pub fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, stack: None }
    }

    /// The running stack for tests.
    pub fn stack(&mut self) -> anyhow::Result<&mut Started> {
        if self.stack.is_none() {
            let profile = test_profile(self.workspace)?;
            let options = Options {
                ports: Asked::any(),
                auth: true,
                keep_state: false,
                profile: Profile::Debug,
                speed: 20.0,
                shared_video: true,
                parameters: pairs(&profile["parameters"]),
                secrets: pairs(&profile["settings"]),
                detach: false,
            };
            self.stack = Some(up::start(self.workspace, Instance::new(self.workspace, "test")?, &options)?);
        }
        self.stack.as_mut().context("the stack was started")
    }
}

/// Parameters and settings under which tests need not wait: infra/local/test-profile.json.
fn test_profile(workspace: &Workspace) -> anyhow::Result<Value> {
    let path = workspace.root.join("infra/local/test-profile.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

fn pairs(object: &Value) -> Vec<Pair> {
    texts(object).into_iter().map(|(name, value)| Pair(name, value)).collect()
}

/// Python with the linters; the other checks of the template share it.
pub fn lint_tools(context: &Context) -> anyhow::Result<setup::LintTools> {
    setup::lint(context.workspace)
}
