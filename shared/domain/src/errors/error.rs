//! An error as a row: grouped by cause and subject, with its occurrences, and what raising, resolving and dismissing
//! make of it.

use std::time::Duration;

use serde_json::{Map, Value};
use strum::IntoStaticStr;
use uuid::Uuid;

use crate::errors::cause::{Cause, Raise};
use crate::{ProjectId, Timestamp, cut};

/// How long a dismissed error is kept.
const DISMISSED_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long another error is kept after its last change.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// The maximum length of a message, in bytes.
const MESSAGE_LIMIT: usize = 2048;
/// The maximum length of one fact, in bytes.
const FACT_LIMIT: usize = 4096;
/// The maximum length of all facts together, in bytes.
const CONTEXT_LIMIT: usize = 16 * 1024;
/// The UUID namespace of the digits in ids.
const ERRORS: Uuid = Uuid::from_u128(0x2d4e_84a1_0b57_5c1c_8b1f_53c5_9a7e_e016);
/// Digits at the end of an id.
const DIGITS: usize = 7;

/// The state of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum ErrorState {
    /// People still have to see it.
    Open,
    /// Its cause has ended.
    Resolved,
    /// A person dismissed it, or it dismissed itself.
    Dismissed,
}

impl ErrorState {
    /// The name in stored rows.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// An error.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorRow {
    /// `err_<unix ms>_<7 base36>`: the time of its first raise, and digits that follow from cause and subject.
    pub id: String,
    /// Its cause.
    pub cause: Cause,
    /// What it is about.
    pub about: String,
    /// The newest sentence.
    pub message: String,
    /// The newest facts.
    pub context: Map<String, Value>,
    /// How often it was raised.
    pub occurrences: u64,
    /// When it was first raised.
    pub first_seen: Timestamp,
    /// When it was last raised.
    pub last_seen: Timestamp,
    /// When its cause ended; none while it lasts.
    pub resolved_at: Option<Timestamp>,
    /// When a person dismissed it.
    pub dismissed_at: Option<Timestamp>,
    /// How often it was opened: by its first raise, and by each after it was resolved or dismissed.
    pub openings: u32,
    /// When it was last opened, by the clock of the writer.
    pub opened_at: Timestamp,
    /// Rises by one with each change.
    pub version: u64,
    /// When it last changed, by the clock of the writer; each change is later than the one before.
    pub updated_at: Timestamp,
}

impl ErrorRow {
    /// A new error, raised at `at` and written at `now`.
    pub fn raised(raise: &Raise, at: Timestamp, now: Timestamp) -> Self {
        Self {
            id: id(raise.cause, &raise.about, at),
            cause: raise.cause,
            about: raise.about.clone(),
            message: cut(&raise.message, MESSAGE_LIMIT).to_owned(),
            context: bounded(&raise.context),
            occurrences: 1,
            first_seen: at,
            last_seen: at,
            resolved_at: None,
            dismissed_at: None,
            openings: 1,
            opened_at: now,
            version: 1,
            updated_at: now,
        }
    }

    /// Whether it is about this project, or about one of its scenes.
    pub fn is_about(&self, project: &ProjectId) -> bool {
        let rest = self.about.strip_prefix(project.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The error after another raise: one more occurrence; opened again if it was resolved or dismissed. A raise from
    /// before the end of the cause, which arrives late, does not open it.
    pub fn raised_again(&self, raise: &Raise, at: Timestamp, now: Timestamp) -> Self {
        let mut next = Self {
            message: cut(&raise.message, MESSAGE_LIMIT).to_owned(),
            context: bounded(&raise.context),
            occurrences: self.occurrences + 1,
            last_seen: at.max(self.last_seen),
            ..self.changed(now)
        };
        let is_late = self.resolved_at.is_some_and(|resolved| at < resolved);
        if !self.is_active(now) && !is_late {
            next.resolved_at = None;
            next.dismissed_at = None;
            next.openings += 1;
            next.opened_at = next.updated_at;
        }
        next
    }

    /// The error after its cause ended at `at`; none if it had ended before, or was raised later.
    pub fn resolved(&self, at: Timestamp, now: Timestamp) -> Option<Self> {
        let ends = self.resolved_at.is_none() && at >= self.last_seen;
        ends.then(|| Self { resolved_at: Some(at), ..self.changed(now) })
    }

    /// The error after a person dismissed it; none if that is not possible or was done before.
    pub fn dismissed(&self, now: Timestamp) -> Option<Self> {
        let may = self.cause.is_dismissible() && self.dismissed_at(now).is_none();
        may.then(|| Self { dismissed_at: Some(now), ..self.changed(now) })
    }

    /// When it dismisses itself; none if it does not.
    pub fn dismisses_itself_at(&self) -> Option<Timestamp> {
        self.cause.auto_dismiss().map(|wait| self.opened_at.after(wait))
    }

    /// When it was dismissed, by a person or by itself.
    pub fn dismissed_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.dismissed_at.or(self.dismisses_itself_at().filter(|at| *at <= now))
    }

    /// Where it stands.
    pub fn state(&self, now: Timestamp) -> ErrorState {
        if self.dismissed_at(now).is_some() {
            ErrorState::Dismissed
        } else if self.resolved_at.is_some() {
            ErrorState::Resolved
        } else {
            ErrorState::Open
        }
    }

    /// Whether people still have to see it: it is neither resolved nor dismissed.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.state(now) == ErrorState::Open
    }

    /// When it is removed: 24 hours after it was dismissed, else 30 days after its last change.
    pub fn kept_until(&self) -> Timestamp {
        match self.dismissed_at.or(self.dismisses_itself_at()) {
            Some(dismissed) => dismissed.after(DISMISSED_KEPT),
            None => self.updated_at.after(KEPT),
        }
    }

    /// Whether readers no longer see it.
    pub fn is_gone(&self, now: Timestamp) -> bool {
        self.kept_until() <= now
    }

    fn changed(&self, now: Timestamp) -> Self {
        let later = self.updated_at.after(Duration::from_millis(1));
        Self { version: self.version + 1, updated_at: now.max(later), ..self.clone() }
    }
}

/// The id of an error that was first raised at `at`: the same for a replay of that raise.
fn id(cause: Cause, about: &str, at: Timestamp) -> String {
    let mut rest = Uuid::new_v5(&ERRORS, format!("{}/{about}", cause.name()).as_bytes()).as_u128();
    let mut digits = ['0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = char::from_digit((rest % 36) as u32, 36).unwrap_or('0');
        rest /= 36;
    }
    format!("err_{}_{}", at.millis(), digits.iter().collect::<String>())
}

/// Facts within their limits: a longer one becomes the start of its text, and those beyond the limit of all are left
/// out.
fn bounded(context: &Map<String, Value>) -> Map<String, Value> {
    let mut left = CONTEXT_LIMIT;
    let mut kept = Map::new();
    for (name, value) in context {
        let value = match value {
            Value::String(text) => Value::from(cut(text, FACT_LIMIT)),
            other => {
                let text = other.to_string();
                if text.len() <= FACT_LIMIT { other.clone() } else { Value::from(cut(&text, FACT_LIMIT)) }
            }
        };
        let size = name.len() + value.to_string().len();
        if size > left {
            break;
        }
        left -= size;
        kept.insert(name.clone(), value);
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn after(seconds: u64) -> Timestamp {
        NOON.after(Duration::from_secs(seconds))
    }

    fn raise(cause: Cause) -> Raise {
        let context = json!({ "project_id": "proj_1" }).as_object().cloned().unwrap_or_default();
        Raise { cause, about: "proj_1/scene_1".to_owned(), message: "It failed".to_owned(), context }
    }

    fn open(cause: Cause) -> ErrorRow {
        ErrorRow::raised(&raise(cause), NOON, NOON)
    }

    #[test]
    fn an_id_follows_from_time_cause_and_subject() {
        let error = open(Cause::VideoFailed);
        let digits = error.id.strip_prefix("err_1704110400000_").expect("the time");
        assert!(digits.len() == 7 && digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()));
        assert_eq!(ErrorRow::raised(&raise(Cause::VideoFailed), NOON, after(9)).id, error.id, "a replay");
        assert_ne!(open(Cause::FrameFailed).id, error.id);
        let other = Raise { about: "proj_1/scene_2".to_owned(), ..raise(Cause::VideoFailed) };
        assert_ne!(ErrorRow::raised(&other, NOON, NOON).id, error.id);
    }

    #[test]
    fn an_error_is_about_a_project_or_one_of_its_scenes() {
        let is_about = |about: &str| {
            let error = ErrorRow { about: about.to_owned(), ..open(Cause::VideoFailed) };
            error.is_about(&ProjectId::parse("proj_1").expect("an id"))
        };
        assert!(is_about("proj_1") && is_about("proj_1/scene_1"));
        for other in ["", "proj_12", "proj_2", "proj_2/proj_1", "a/proj_1", "proj_"] {
            assert!(!is_about(other), "{other}");
        }
    }

    #[test]
    fn each_raise_is_an_occurrence_and_the_newest_sentence_counts() {
        let mut error = open(Cause::UnknownScene);
        for second in 1..5 {
            let again = Raise { message: format!("Attempt {second}"), ..raise(Cause::UnknownScene) };
            error = error.raised_again(&again, after(second), after(second));
        }
        assert_eq!((error.occurrences, error.openings, error.version), (5, 1, 5));
        assert_eq!((error.first_seen, error.last_seen), (NOON, after(4)));
        assert_eq!(error.message, "Attempt 4");
    }

    #[test]
    fn an_error_whose_cause_ends_is_resolved_once_and_reopened_when_it_returns() {
        let resolved = open(Cause::VideoFailed).resolved(after(10), after(10)).expect("it was open");
        assert_eq!((resolved.resolved_at, resolved.state(after(10))), (Some(after(10)), ErrorState::Resolved));
        assert_eq!(resolved.resolved(after(20), after(20)), None);
        let again = resolved.raised_again(&raise(Cause::VideoFailed), after(30), after(30));
        assert_eq!((again.resolved_at, again.openings, again.occurrences), (None, 2, 2));
        assert!(again.is_active(after(30)) && again.opened_at == after(30));
    }

    #[test]
    fn a_late_raise_does_not_reopen_and_a_late_end_does_not_resolve() {
        let resolved = open(Cause::VideoFailed).resolved(after(10), after(10)).expect("it was open");
        let late = resolved.raised_again(&raise(Cause::VideoFailed), after(5), after(20));
        assert_eq!((late.resolved_at, late.occurrences, late.openings), (Some(after(10)), 2, 1));
        let again = resolved.raised_again(&raise(Cause::VideoFailed), after(30), after(30));
        assert_eq!(again.resolved(after(10), after(40)), None);
    }

    #[test]
    fn a_dismissed_error_comes_back_with_the_next_raise() {
        let dismissed = open(Cause::VideoFailed).dismissed(after(10)).expect("it was active");
        assert_eq!((dismissed.dismissed_at, dismissed.dismissed(after(20))), (Some(after(10)), None));
        let again = dismissed.raised_again(&raise(Cause::VideoFailed), after(30), after(30));
        assert_eq!((again.dismissed_at, again.openings, again.state(after(30))), (None, 2, ErrorState::Open));
    }

    #[test]
    fn a_fault_of_our_own_is_not_dismissed() {
        assert_eq!(open(Cause::DeadLetters).dismissed(after(10)), None);
    }

    #[test]
    fn a_success_leaves_by_itself_after_five_seconds() {
        let success = open(Cause::ProjectCompleted);
        assert!(success.is_active(after(4)) && !success.is_active(after(5)));
        assert_eq!(success.dismissed_at(after(60)), Some(after(5)));
        assert_eq!(success.dismissed(after(60)), None, "it is dismissed already");
        let again = success.raised_again(&raise(Cause::ProjectCompleted), after(60), after(60));
        assert!(again.is_active(after(64)) && again.openings == 2);
        let late = ErrorRow::raised(&raise(Cause::ProjectCompleted), NOON, after(600));
        assert!(late.is_active(after(604)), "it is shown for five seconds however late it is written");
    }

    #[test]
    fn dismissed_errors_are_kept_for_a_day_and_others_for_thirty() {
        let day = 24 * 3600;
        let error = open(Cause::VideoFailed);
        assert!(!error.is_gone(after(30 * day - 1)) && error.is_gone(after(30 * day)));
        let dismissed = error.dismissed(after(10)).expect("it was active");
        assert!(!dismissed.is_gone(after(day + 9)) && dismissed.is_gone(after(day + 10)));
        assert!(open(Cause::ProjectCompleted).is_gone(after(day + 5)));
        let again = dismissed.raised_again(&raise(Cause::VideoFailed), after(60), after(60));
        assert_eq!(again.kept_until(), after(30 * day + 60));
    }

    #[test]
    fn each_change_is_later_than_the_one_before() {
        let mut error = open(Cause::VideoFailed);
        for _ in 0..3 {
            let next = error.raised_again(&raise(Cause::VideoFailed), NOON, NOON);
            assert!(next.updated_at > error.updated_at && next.version == error.version + 1);
            error = next;
        }
    }

    #[test]
    fn facts_are_kept_within_limits() {
        let mut long = raise(Cause::ClientReport);
        long.message = "é".repeat(3000);
        long.context.insert("stack".to_owned(), json!("x".repeat(9000)));
        long.context.insert("list".to_owned(), json!(vec![1; 9000]));
        for number in 0..10 {
            long.context.insert(format!("more_{number}"), json!("y".repeat(4000)));
        }
        let error = ErrorRow::raised(&long, NOON, NOON);
        assert!(error.message.len() <= MESSAGE_LIMIT);
        assert_eq!(error.context["project_id"], "proj_1");
        assert_eq!(error.context["stack"].as_str().map(str::len), Some(FACT_LIMIT));
        assert!(error.context["list"].as_str().is_some_and(|text| text.starts_with("[1,1")));
        assert!(Value::Object(error.context).to_string().len() <= CONTEXT_LIMIT + 200);
    }
}
