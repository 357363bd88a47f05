//! The dashboard's numbers: GET /api/v1/metrics.

use reelhook_app::metrics::board::{MetricSection, Span};
use reelhook_app::views::wire::{Time, Yes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::typed::fields::Whole;

/// The path with its method ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] = &[("/api/v1/metrics", &["GET"])];

/// The most hours: a week.
const MOST: i64 = 168;
/// The default number of hours.
const HOURS: u32 = 3;

/// The parameters of the numbers.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MetricsQuery {
    /// How many hours to look back.
    #[schemars(extend("default" = HOURS))]
    hours: Option<Whole<1, MOST>>,
}

/// The numbers of the dashboard.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsAnswer {
    success: Yes,
    /// The start of the first period.
    from: Time,
    /// The end of the last period.
    to: Time,
    /// The length of a period in seconds.
    period: u64,
    /// What callers feel first, then queues, streams and renderers, then receivers, then money.
    sections: Vec<MetricSection>,
}

/// How many hours a request looks back; none if it asks for something else.
///
/// # Errors
/// [`Problem`] names an invalid parameter.
pub fn hours(request: &ApiRequest) -> Result<Option<u32>, Problem> {
    if !matches!((request.method.as_str(), &request.segments()[..]), ("GET", ["api", "v1", "metrics"])) {
        return Ok(None);
    }
    let given: MetricsQuery = request.parameters()?;
    Ok(Some(given.hours.map_or(HOURS, Whole::get)))
}

/// The numbers of a time.
pub fn answer(span: Span, sections: Vec<MetricSection>) -> ApiAnswer {
    let (from, to, period) = (Time(span.from), Time(span.to), span.period.as_secs());
    ApiAnswer::json(200, &MetricsAnswer { success: Yes, from, to, period, sections })
}

#[cfg(test)]
mod tests {
    use reelhook_domain::Timestamp;

    use super::*;
    use crate::request::get_request;

    #[test]
    fn three_hours_are_read_unless_the_query_says_otherwise() {
        let read = |query: &[(&str, &str)]| hours(&get_request("/api/v1/metrics", query));
        assert_eq!(read(&[]), Ok(Some(3)));
        assert_eq!(read(&[("hours", "24")]), Ok(Some(24)));
        for wrong in ["0", "169", "many"] {
            assert_eq!(read(&[("hours", wrong)]).unwrap_err().path(), Some("hours"), "{wrong}");
        }
        assert_eq!(hours(&get_request("/api/v1/errors", &[])), Ok(None));
    }

    #[test]
    fn the_answer_says_which_time_it_is_about() {
        let span = Span::last(1, Timestamp(1_704_110_400_000));
        let expected = r#"{"success":true,"from":"2024-01-01T11:00:00.000Z","to":"2024-01-01T12:05:00.000Z","period":300,"sections":[]}"#;
        assert_eq!(answer(span, Vec::new()).body, expected);
    }
}
