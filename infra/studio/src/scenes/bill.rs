//! What a service billed, and what it did with every submission.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::scopes::Scope;

/// What happened to a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Accepted, billed and answered.
    Accepted,
    /// Accepted and billed, but the answer was lost.
    Lost,
    /// A repeat of an accepted Idempotency-Key.
    Repeated,
    /// Refused.
    Refused,
    /// The connection was closed before it was accepted.
    Dropped,
}

impl Outcome {
    fn is_billed(self) -> bool {
        match self {
            Self::Accepted | Self::Lost => true,
            Self::Repeated | Self::Refused | Self::Dropped => false,
        }
    }
}

struct Entry {
    ids: Scope,
    submission: Option<String>,
    seconds: f64,
    outcome: Outcome,
}

/// All submissions of a service.
#[derive(Default)]
pub(crate) struct Bill(Vec<Entry>);

impl Bill {
    pub(crate) fn add(&mut self, ids: &Scope, submission: Option<&str>, seconds: f64, outcome: Outcome) {
        self.0.push(Entry { ids: ids.clone(), submission: submission.map(str::to_owned), seconds, outcome });
    }

    /// The counts in a scope: `billed` tasks and `seconds` of video, by project, scene and submission.
    pub(crate) fn report(&self, scope: &Scope) -> Value {
        let mut seconds = 0.0;
        let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
        let mut by_project: BTreeMap<String, (u64, f64)> = BTreeMap::new();
        let mut by_scene: BTreeMap<String, u64> = BTreeMap::new();
        let mut by_submission: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in self.0.iter().filter(|entry| scope.contains(&entry.ids)) {
            let outcome = match entry.outcome {
                Outcome::Accepted => "accepted",
                Outcome::Lost => "lost",
                Outcome::Repeated => "repeated",
                Outcome::Refused => "refused",
                Outcome::Dropped => "dropped",
            };
            *outcomes.entry(outcome).or_default() += 1;
            if !entry.outcome.is_billed() {
                continue;
            }
            seconds += entry.seconds;
            let project = by_project.entry(entry.ids.project.clone().unwrap_or_else(|| "-".to_owned())).or_default();
            project.0 += 1;
            project.1 += entry.seconds;
            *by_scene.entry(entry.ids.name()).or_default() += 1;
            *by_submission.entry(entry.submission.as_deref().unwrap_or("-")).or_default() += 1;
        }
        let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or_default();
        let by_project: BTreeMap<String, Value> = by_project
            .into_iter()
            .map(|(project, (billed, seconds))| (project, json!({ "billed": billed, "seconds": seconds })))
            .collect();
        json!({
            "billed": count("accepted") + count("lost"),
            "seconds": seconds,
            "accepted": count("accepted"),
            "lost": count("lost"),
            "repeated": count("repeated"),
            "refused": count("refused"),
            "dropped": count("dropped"),
            "by_project": by_project,
            "by_scene": by_scene,
            "by_submission": by_submission,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_accepted_submissions_are_billed() {
        let mut bill = Bill::default();
        let ids = Scope::new(Some("p"), Some("s"));
        for outcome in [Outcome::Refused, Outcome::Dropped, Outcome::Lost, Outcome::Repeated, Outcome::Accepted] {
            bill.add(&ids, Some("p.video.1.1.s"), 2.0, outcome);
        }
        bill.add(&Scope::new(Some("q"), Some("s")), None, 1.0, Outcome::Accepted);
        let all = bill.report(&Scope::default());
        assert_eq!((&all["billed"], &all["seconds"]), (&json!(3), &json!(5.0)));
        let one = bill.report(&Scope::new(Some("p"), None));
        assert_eq!(one["by_project"], json!({"p": {"billed": 2, "seconds": 4.0}}));
        assert_eq!(one["by_scene"], json!({"p/s": 2}));
        assert_eq!(one["by_submission"], json!({"p.video.1.1.s": 2}));
        assert_eq!((&one["lost"], &one["refused"], &one["dropped"]), (&json!(1), &json!(1), &json!(1)));
    }
}
