//! What makes the tasks of projects: our own renderers or the mock services, chosen by variables of the functions.

use std::sync::Mutex;

use serde_json::json;

use crate::documents::RECEIVER;
use crate::stack::Stack;

/// The variable that only functions have that know projects.
const PROJECTS: &str = "PROJECTS_TABLE";
/// Short timers, a price, and slots for many scenes.
const TIMERS: [(&str, &str); 7] = [
    ("TASK_POLL_SECONDS", "1"),
    ("SUBMIT_LEASE_SECONDS", "10"),
    ("VIDEO_TASK_TIMEOUT", "120"),
    ("FRAME_TASK_TIMEOUT", "30"),
    ("STITCH_TASK_TIMEOUT", "60"),
    ("SCENE_PRICES", "0.05"),
    ("SCENE_SLOTS", "40"),
];

/// The backends of the functions now.
static PRESENT: Mutex<Option<Backends>> = Mutex::new(None);

/// What makes the tasks of projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backends {
    /// Our own renderers make everything.
    Own,
    /// The mock tasks service makes videos, our own renderers the rest.
    Videos,
    /// The mock services make everything.
    Services,
    /// The mock services make everything, in seed 003's forms.
    Seed,
    /// The example's service makes videos, our own renderers the rest.
    Example,
}

impl Backends {
    /// The URLs of the services of videos, last frames and stitches; empty for our own renderers.
    fn urls(self, studio: &str) -> [String; 3] {
        let [none, at_root] = ["", studio].map(str::to_owned);
        match self {
            Self::Own => [none.clone(), none.clone(), none],
            Self::Videos => [at_root, none.clone(), none],
            // The last-frame service stitches too.
            Self::Services => [at_root.clone(), at_root, none],
            Self::Seed => ["videos", "frames", "stitches"].map(|service| format!("{studio}/seed/{service}")),
            Self::Example => [RECEIVER.to_owned(), none.clone(), none],
        }
    }

    /// Lets the functions use these backends from now on.
    pub async fn choose(self, stack: &Stack) {
        let before = PRESENT.lock().expect("no test panics here").replace(self);
        if before == Some(self) {
            return;
        }
        let names = ["VIDEO_GENERATION_SERVICE", "LAST_FRAME_SERVICE_URL", "STITCH_SERVICE_URL"];
        for function in stack.aws.functions().await {
            let mut variables = stack.aws.variables(&function).await;
            if variables.get(PROJECTS).is_none() {
                continue;
            }
            for (name, url) in names.into_iter().zip(self.urls(&stack.studio)) {
                variables[name] = json!(url);
            }
            for (name, value) in TIMERS {
                variables[name] = json!(value);
            }
            stack.aws.set_variables(&function, &variables).await;
        }
    }
}
