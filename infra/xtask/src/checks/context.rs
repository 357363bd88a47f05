//! The context of the checks: the checkout, and a running stack that the first check to need it starts.

use anyhow::Context as _;

use crate::instance::Instance;
use crate::profile;
use crate::up::{self, Started};
use crate::workspace::Workspace;

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
            let options = profile::for_tests(self.workspace, false)?;
            self.stack = Some(up::start(self.workspace, Instance::new(self.workspace, "test")?, &options)?);
        }
        self.stack.as_mut().context("the stack was started")
    }
}
