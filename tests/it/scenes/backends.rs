//! What makes the tasks of projects: our own renderers or the mock services, chosen by variables of the functions.

use std::sync::Mutex;

use serde_json::json;

use crate::stack::Stack;

/// The variable that only functions have that know projects.
const PROJECTS: &str = "PROJECTS_TABLE";
/// Short timers, a price, and slots for many scenes.
const TIMERS: [(&str, &str); 6] = [
    ("TASK_POLL_SECONDS", "1"),
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
}

impl Backends {
    /// The paths of the services of videos, last frames and stitches; none for our own renderers.
    fn paths(self) -> [Option<&'static str>; 3] {
        match self {
            Self::Own => [None; 3],
            Self::Videos => [Some(""), None, None],
            // The last-frame service stitches too.
            Self::Services => [Some(""), Some(""), None],
            Self::Seed => [Some("/seed/videos"), Some("/seed/frames"), Some("/seed/stitches")],
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
            for (name, path) in names.into_iter().zip(self.paths()) {
                variables[name] = json!(path.map(|path| format!("{}{path}", stack.studio)).unwrap_or_default());
            }
            for (name, value) in TIMERS {
                variables[name] = json!(value);
            }
            stack.aws.set_variables(&function, &variables).await;
        }
    }
}
