//! An alarm of the stack, and its page of the runbook.

use std::time::{Duration, Instant};

use serde_json::json;

use super::runbook;
use crate::stack::Stack;
use crate::waiting::without_sweeps;

/// The deadline of every wait; exceeding it fails the test.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A page of the runbook with its alarm.
pub struct Page {
    name: &'static str,
    /// The logical id of its alarm.
    pub alarm: &'static str,
}

/// The page with this name, about the alarm with this logical id.
pub const fn page(name: &'static str, alarm: &'static str) -> Page {
    Page { name, alarm }
}

impl Page {
    /// Its path.
    pub fn document(&self) -> String {
        format!("docs/runbook/{}.md", self.name)
    }

    /// The alarm's state.
    async fn state(&self, stack: &Stack) -> String {
        let body = json!({ "AlarmNamePrefix": format!("{}-{}", stack.aws.stack, self.alarm) });
        let target = "GraniteServiceVersion20100801.DescribeAlarms";
        let (status, answer, _) = stack.aws.call("monitoring", "POST", "/", Some(target), &body).await;
        assert_eq!(status, 200, "{answer}");
        let alarms = answer["MetricAlarms"].as_array().expect("a list");
        assert_eq!(alarms.len(), 1, "{}: {answer}", self.alarm);
        alarms[0]["StateValue"].as_str().expect("a state").to_owned()
    }

    /// Waits until the alarm rings no more because of what was before.
    pub async fn is_quiet(&self, stack: &Stack) {
        waits_for(&format!("silence of {}", self.alarm), || async { (self.state(stack).await == "OK").then_some(()) })
            .await;
    }

    /// Waits until the alarm rings.
    pub async fn rings(&self, stack: &Stack) {
        waits_for(&format!("the ringing of {}", self.alarm), || async {
            (self.state(stack).await == "ALARM").then_some(())
        })
        .await;
        println!("{} rings", self.alarm);
    }

    /// Waits until the alarm rings, and does something again and again in the meantime.
    pub async fn rings_while<F: Future<Output = ()>>(&self, stack: &Stack, work: impl Fn() -> F) {
        let deadline = Instant::now() + TIMEOUT;
        let working = async {
            while Instant::now() < deadline {
                work().await;
            }
        };
        tokio::select! {
            () = self.rings(stack) => {}
            () = working => panic!("{} did not ring", self.alarm),
        }
    }

    /// Runs the page's command.
    pub async fn command(&self, stack: &Stack, variables: &[(&str, &str)]) {
        let printed = runbook::run(stack, &self.document(), "heal", variables).await;
        println!("{}: {}", self.name, printed.trim());
    }

    /// Waits until the page's other command says that it is over.
    pub async fn is_over(&self, stack: &Stack) {
        waits_for(&format!("the end of {}", self.alarm), || async {
            runbook::run(stack, &self.document(), "over", &[("ALARM", self.alarm)])
                .await
                .contains("\tOK\t")
                .then_some(())
        })
        .await;
    }

    /// Runs the page's command, and waits until it is over.
    pub async fn heals(&self, stack: &Stack, variables: &[(&str, &str)]) {
        let begun = Instant::now();
        self.command(stack, variables).await;
        self.is_over(stack).await;
        println!("{} was over {:.0} s after the command began", self.alarm, begun.elapsed().as_secs_f64());
    }
}

/// Waits for a condition. A drill may have broken the due sweep, so this never sweeps.
pub async fn waits_for<T, F: Future<Output = Option<T>>>(what: &str, check: impl Fn() -> F) -> T {
    without_sweeps(TIMEOUT, what, check).await
}

/// The time between two faults, or the length of one.
pub async fn pause(time: Duration) {
    tokio::time::interval_at(tokio::time::Instant::now() + time, time).tick().await;
}
