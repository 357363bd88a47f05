//! Answers about errors.

use std::collections::BTreeMap;

use reelhook_app::errors::inbox::{Found, Stats};
use reelhook_app::errors::view::{ErrorIdText, ErrorView};
use reelhook_app::views::wire::{Time, Yes};
use reelhook_domain::Timestamp;
use reelhook_domain::errors::cause::Severity;
use reelhook_domain::errors::error::ErrorRow;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::request::ApiRequest;

/// A page of errors.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorList<'a> {
    success: Yes,
    /// The number of errors in this answer.
    count: usize,
    /// The errors, the most severe first, then the newest first.
    #[schemars(with = "Vec<ErrorView<'static>>")]
    errors: Vec<ErrorView<'a>>,
    /// The cursor of the next page; absent at the end. A page may have fewer errors than `limit`, or none, and a cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// One error.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OneError<'a> {
    success: Yes,
    /// The error.
    #[schemars(with = "ErrorView<'static>")]
    error: ErrorView<'a>,
}

/// An error was dismissed, or some were.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorsDismissed<'a> {
    success: Yes,
    /// A sentence.
    message: String,
    /// The error; absent after `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ErrorIdText")]
    error_id: Option<&'a str>,
    /// When it was first dismissed; absent after `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    dismissed_at: Option<Time>,
    /// The number of errors that were dismissed; only after `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    count: Option<usize>,
}

/// The numbers of errors.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorStats {
    success: Yes,
    /// The numbers.
    stats: ErrorNumbers,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct ErrorNumbers {
    /// Active and dismissed errors.
    total: u64,
    /// Errors that are neither resolved nor dismissed.
    active: u64,
    /// Errors that were dismissed in the last 24 hours.
    dismissed: u64,
    /// Active errors by severity.
    by_severity: BySeverity,
    /// Active errors by type; types without errors are absent.
    by_type: BTreeMap<&'static str, u64>,
    /// Only if counting stopped at its bound, so that there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<Yes>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct BySeverity {
    critical: u64,
    error: u64,
    warning: u64,
    info: u64,
}

/// A report of a client was kept.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorLogged {
    success: Yes,
}

/// A page of errors; none for a filter that no error passes.
pub fn list_answer(found: &Found, now: Timestamp) -> ApiAnswer {
    let errors: Vec<ErrorView<'_>> = found.errors.iter().map(|error| ErrorView::new(error, now)).collect();
    let next_cursor = found.next.as_ref().map(|cursor| ApiRequest::write_cursor(&cursor.to_string()));
    ApiAnswer::json(200, &ErrorList { success: Yes, count: errors.len(), errors, next_cursor })
}

/// One error.
pub fn one_answer(error: &ErrorRow, now: Timestamp) -> ApiAnswer {
    ApiAnswer::json(200, &OneError { success: Yes, error: ErrorView::new(error, now) })
}

/// An error was dismissed, now or before.
pub fn dismissed_answer(error: &ErrorRow, now: Timestamp) -> ApiAnswer {
    let answer = ErrorsDismissed {
        success: Yes,
        message: "Error dismissed".to_owned(),
        error_id: Some(&error.id),
        dismissed_at: error.dismissed_at(now).map(Time),
        count: None,
    };
    ApiAnswer::json(200, &answer)
}

/// So many errors were dismissed.
pub fn all_dismissed_answer(count: usize) -> ApiAnswer {
    let message = format!("Dismissed {count} error(s)");
    let answer = ErrorsDismissed { success: Yes, message, error_id: None, dismissed_at: None, count: Some(count) };
    ApiAnswer::json(200, &answer)
}

/// The numbers of errors.
pub fn stats_answer(stats: &Stats) -> ApiAnswer {
    let of = |severity: Severity| stats.by_severity.get(&severity).copied().unwrap_or_default();
    let numbers = ErrorNumbers {
        total: stats.active + stats.dismissed,
        active: stats.active,
        dismissed: stats.dismissed,
        by_severity: BySeverity {
            critical: of(Severity::Critical),
            error: of(Severity::Error),
            warning: of(Severity::Warning),
            info: of(Severity::Info),
        },
        by_type: stats.by_type.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
        partial: stats.partial.then_some(Yes),
    };
    ApiAnswer::json(200, &ErrorStats { success: Yes, stats: numbers })
}

/// A report was kept.
pub fn logged_answer() -> ApiAnswer {
    ApiAnswer::json(200, &ErrorLogged { success: Yes })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reelhook_domain::errors::cause::{Cause, ErrorType, Raise};

    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    #[test]
    fn answers_have_the_members_of_the_contract_in_order() {
        assert_eq!(list_answer(&Found::default(), NOON).body, r#"{"success":true,"count":0,"errors":[]}"#);
        assert_eq!(all_dismissed_answer(3).body, r#"{"success":true,"message":"Dismissed 3 error(s)","count":3}"#);
        assert_eq!(logged_answer().body, r#"{"success":true}"#);
        let stats = Stats {
            active: 2,
            dismissed: 1,
            by_severity: [(Severity::Error, 2)].into(),
            by_type: [(ErrorType::Generation, 2)].into(),
            partial: false,
        };
        let expected = r#"{"success":true,"stats":{"total":3,"active":2,"dismissed":1,"bySeverity":{"critical":0,"error":2,"warning":0,"info":0},"byType":{"generation":2}}}"#;
        assert_eq!(stats_answer(&stats).body, expected);
    }

    #[test]
    fn a_dismissal_names_the_time_of_the_first() {
        let raise = Raise {
            cause: Cause::VideoFailed,
            about: "proj_1/a".to_owned(),
            message: "It failed".to_owned(),
            context: Default::default(),
        };
        let error = ErrorRow::raised(&raise, NOON, NOON).dismissed(NOON).unwrap();
        let later = NOON.after(Duration::from_secs(60));
        let expected = format!(
            r#"{{"success":true,"message":"Error dismissed","errorId":"{}","dismissedAt":"2024-01-01T12:00:00.000Z"}}"#,
            error.id
        );
        assert_eq!(dismissed_answer(&error, later).body, expected);
    }
}
