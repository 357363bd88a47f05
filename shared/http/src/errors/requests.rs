//! Requests about errors (docs/contract/errors.md, Raised errors).

use reelhook_app::errors::inbox::Search;
use reelhook_app::errors::report::ClientReport;
use reelhook_app::errors::store::ErrorCursor;
use reelhook_app::errors::view::{ErrorIdText, ErrorTypeText, SeverityText};
use reelhook_app::views::scenes::ProjectIdText;
use reelhook_domain::ProjectId;
use reelhook_domain::errors::cause::{ErrorType, Severity};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::errors::problem::ErrorProblem;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::routes;
use crate::typed::fields::{Flag, Shortened, Text, Whole, blank_is_absent, with_cursor};

/// The most errors in one answer.
const MOST: i64 = 200;
/// The maximum length of an id in a path, in bytes.
const ID_LIMIT: usize = 200;
/// The default number of errors in one answer.
const LISTED: usize = 100;

/// The parameters of a list of errors.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(transform = with_cursor)]
pub struct ErrorListQuery {
    /// Only errors of this severity. An unknown one has no errors.
    #[schemars(with = "Option<SeverityText>")]
    severity: Option<String>,
    /// Only errors of this type. An unknown one has no errors.
    #[schemars(with = "Option<ErrorTypeText>")]
    r#type: Option<String>,
    /// Only errors about this project and its scenes. An unknown one has no errors.
    #[schemars(with = "Option<ProjectIdText>")]
    project: Option<String>,
    /// `true` for errors whose cause has ended, instead of active ones. Another word has no errors.
    #[schemars(with = "Option<bool>")]
    resolved: Option<String>,
    /// The most errors in the answer.
    #[schemars(extend("default" = LISTED))]
    limit: Option<Whole<1, MOST>>,
}

/// The request to dismiss one error, or all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DismissRequest {
    /// The error; ignored with `all`.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Option<ErrorIdText>")]
    error_id: Option<Text<200>>,
    /// Whether to dismiss all active errors that can be dismissed.
    all: Option<Flag>,
}

/// An error that a client reports about itself. Texts are shortened, 8 KiB in all are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// The error.
    error: Option<ReportedError>,
    /// More about it, such as React's `componentStack`.
    #[schemars(with = "Option<Value>")]
    error_info: Option<Value>,
    /// The page; its query is not kept.
    #[serde(default)]
    url: Shortened<2000>,
    /// The browser.
    #[serde(default)]
    user_agent: Shortened<256>,
    /// The client's time.
    #[serde(default)]
    timestamp: Shortened<64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
struct ReportedError {
    /// A sentence.
    #[serde(default)]
    message: Shortened<1024>,
    /// Where it was thrown.
    #[serde(default)]
    stack: Shortened<4096>,
    /// The name of its class.
    #[serde(default)]
    name: Shortened<128>,
}

impl From<ErrorReport> for ClientReport {
    fn from(report: ErrorReport) -> Self {
        let info = report.error_info.filter(|info| !info.is_null()).map(|info| match info {
            Value::String(text) => text,
            other => other.to_string(),
        });
        let (message, stack, name) =
            report.error.map_or((None, None, None), |error| (error.message.0, error.stack.0, error.name.0));
        Self {
            name,
            message,
            stack,
            info,
            url: report.url.0,
            user_agent: report.user_agent.0,
            timestamp: report.timestamp.0,
        }
    }
}

/// The routes of the errors API, except its stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// GET /api/v1/errors; none for a filter that no error passes.
    List(Option<Box<Search>>),
    /// GET /api/v1/errors/{id}
    One(String),
    /// POST /api/v1/errors/dismiss for one error.
    Dismiss(String),
    /// POST /api/v1/errors/dismiss for all.
    DismissAll,
    /// GET /api/v1/errors/stats
    Stats,
    /// POST /api/v1/errors/log
    Log(Box<ClientReport>),
}

impl Route {
    /// Reads the route.
    ///
    /// # Errors
    /// [`routes::unknown`]; [`ErrorProblem`]; [`Problem`] names an invalid parameter.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "v1", "errors"]) => Ok(Self::List(read_search(request)?.map(Box::new))),
            ("GET", ["api", "v1", "errors", "stats"]) => Ok(Self::Stats),
            ("POST", ["api", "v1", "errors", "dismiss"]) => read_dismissal(request),
            ("POST", ["api", "v1", "errors", "log"]) => Ok(Self::Log(Box::new(request.body::<ErrorReport>()?.into()))),
            ("GET", ["api", "v1", "errors", id]) if !is_word(id) => {
                // The table has no longer keys.
                if id.len() > ID_LIMIT {
                    Err(Problem::Error(ErrorProblem::NotFound))
                } else {
                    Ok(Self::One((*id).to_owned()))
                }
            }
            _ => Err(routes::unknown(request)),
        }
    }
}

/// Whether a segment is a route of its own, and not an id.
fn is_word(segment: &str) -> bool {
    matches!(segment, "dismiss" | "log" | "stats" | "stream")
}

fn read_search(request: &ApiRequest) -> Result<Option<Search>, Problem> {
    let given: ErrorListQuery = request.parameters()?;
    let after = request.cursor(|text| ErrorCursor::parse(&text))?;
    let severity = given.severity.map(|name| Severity::parse(&name));
    let kind = given.r#type.map(|name| ErrorType::parse(&name));
    let project = given.project.map(|id| ProjectId::parse(&id).ok());
    let resolved = match given.resolved.as_deref() {
        None | Some("false") => Some(false),
        Some("true") => Some(true),
        Some(_) => None,
    };
    let has_unknown_word = severity == Some(None) || kind == Some(None) || project == Some(None);
    let (Some(resolved), false) = (resolved, has_unknown_word) else { return Ok(None) };
    let (severity, kind, project) = (severity.flatten(), kind.flatten(), project.flatten());
    let limit = given.limit.map_or(LISTED, Whole::get);
    if let (Some(severity), Some(after)) = (severity, &after)
        && !after.is_of(severity)
    {
        return Err(bad("cursor", "the `nextCursor` of an answer about the same `severity`"));
    }
    Ok(Some(Search { severity, kind, project, resolved, after, limit }))
}

fn read_dismissal(request: &ApiRequest) -> Result<Route, Problem> {
    let given: DismissRequest = request.optional_body()?;
    if given.all.is_some_and(|Flag(all)| all) {
        return Ok(Route::DismissAll);
    }
    let id = given.error_id.ok_or(Problem::Error(ErrorProblem::IdMissing))?;
    Ok(Route::Dismiss(id.into_string()))
}

#[cfg(test)]
mod tests {
    use reelhook_domain::Timestamp;
    use reelhook_domain::errors::cause::{Cause, Raise};
    use reelhook_domain::errors::error::ErrorRow;
    use serde_json::json;

    use super::*;
    use crate::request::{get_request, posting};

    fn list(query: &[(&str, &str)]) -> Result<Option<Search>, Problem> {
        match Route::read(&get_request("/api/v1/errors", query))? {
            Route::List(search) => Ok(search.map(|search| *search)),
            other => panic!("{other:?}"),
        }
    }

    fn dismissal(body: &Value) -> Result<Route, Problem> {
        Route::read(&posting("/api/v1/errors/dismiss", body))
    }

    #[test]
    fn active_errors_are_listed_unless_the_query_says_otherwise() {
        let all = Search { severity: None, kind: None, project: None, resolved: false, after: None, limit: LISTED };
        for query in [&[][..], &[("resolved", "false")], &[("severity", ""), ("type", "")]] {
            assert_eq!(list(query), Ok(Some(all.clone())), "{query:?}");
        }
        let query = [("severity", "error"), ("type", "generation"), ("resolved", "true"), ("limit", "5")];
        let search = list(&query).unwrap().unwrap();
        assert_eq!((search.severity, search.kind), (Some(Severity::Error), Some(ErrorType::Generation)));
        assert_eq!((search.resolved, search.limit), (true, 5));
        let search = list(&[("project", "proj_1")]).unwrap().unwrap();
        assert_eq!(search.project, ProjectId::parse("proj_1").ok());
    }

    #[test]
    fn an_unknown_filter_word_has_no_errors() {
        for query in [("severity", "loud"), ("type", "Webhook"), ("resolved", "maybe"), ("project", "no id")] {
            assert_eq!(list(&[query]), Ok(None), "{query:?}");
        }
    }

    #[test]
    fn a_cursor_is_that_of_an_answer() {
        let raise = Raise {
            cause: Cause::Poison,
            about: "Jobs".to_owned(),
            message: String::new(),
            context: Default::default(),
        };
        let known = ErrorCursor::of(&ErrorRow::raised(&raise, Timestamp(1), Timestamp(1)));
        let cursor = ApiRequest::write_cursor(&known.to_string());
        assert_eq!(list(&[("cursor", &cursor)]).unwrap().unwrap().after, Some(known));
        for bad in ["!", &ApiRequest::write_cursor("1.2")] {
            assert_eq!(list(&[("cursor", bad)]).unwrap_err().path(), Some("cursor"), "{bad}");
        }
        let of = |severity: &str| list(&[("cursor", cursor.as_str()), ("severity", severity)]);
        assert!(of("critical").is_ok_and(|search| search.is_some()));
        for other in ["error", "warning", "info"] {
            assert_eq!(of(other).unwrap_err().path(), Some("cursor"), "the table has no such cursor: {other}");
        }
        assert_eq!(list(&[("limit", "0")]).unwrap_err().path(), Some("limit"));
    }

    #[test]
    fn all_wins_over_an_id_and_one_of_them_must_be_there() {
        assert_eq!(dismissal(&json!({ "all": true, "errorId": "err_1" })), Ok(Route::DismissAll));
        assert_eq!(dismissal(&json!({ "all": false, "errorId": "err_1" })), Ok(Route::Dismiss("err_1".to_owned())));
        for missing in [json!({}), json!({ "errorId": null }), json!({ "errorId": " ", "all": null })] {
            assert_eq!(dismissal(&missing), Err(Problem::Error(ErrorProblem::IdMissing)), "{missing}");
        }
        let (status, _, sentence) = ErrorProblem::IdMissing.parts();
        assert_eq!((status, sentence.as_str()), (400, "Missing errorId parameter"));
    }

    #[test]
    fn a_report_of_any_shape_is_read() {
        let report = |body: &Value| match Route::read(&posting("/api/v1/errors/log", body)) {
            Ok(Route::Log(report)) => *report,
            other => panic!("{other:?}"),
        };
        let whole = report(&json!({
            "error": { "message": "x is undefined", "stack": "at f", "name": "TypeError" },
            "errorInfo": { "componentStack": "in Page" }, "url": "https://app.example/p", "userAgent": "Browser",
            "timestamp": "2024-01-01T12:00:00Z",
        }));
        assert_eq!((whole.name.as_deref(), whole.message.as_deref()), (Some("TypeError"), Some("x is undefined")));
        assert_eq!(whole.info.as_deref(), Some(r#"{"componentStack":"in Page"}"#));
        assert_eq!(report(&json!({})), ClientReport::default());
        let odd = report(&json!({ "error": { "message": 5 }, "url": null, "errorInfo": "text" }));
        assert_eq!((odd.message, odd.url, odd.info.as_deref()), (None, None, Some("text")));
    }

    #[test]
    fn words_are_no_ids() {
        let one = |path: &str| Route::read(&get_request(path, &[]));
        assert_eq!(one("/api/v1/errors/err_1_a"), Ok(Route::One("err_1_a".to_owned())));
        assert_eq!(one("/api/v1/errors/stats"), Ok(Route::Stats));
        let long = format!("/api/v1/errors/{}", "e".repeat(3000));
        assert_eq!(one(&long), Err(Problem::Error(ErrorProblem::NotFound)));
        assert!(one("/api/v1/errors/dismiss").is_err() && one("/api/v1/errors/log").is_err());
    }
}
