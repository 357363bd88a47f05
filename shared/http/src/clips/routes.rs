//! Reads requests about clip jobs (docs/contract/clipping.md; seed 004).

use reelhook_app::clips::requests::create::NewClips;
use reelhook_app::views::clips::ClipOrder;
use reelhook_domain::clips::request::Range;
use reelhook_domain::{ClipJobId, ClipStatus};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Caller;
use crate::clips::below;
use crate::clips::bodies::{ClipJobBody, EstimateBody, RangeBody};
use crate::clips::problem::ClipProblem;
use crate::idempotency::key_of_body;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::routes;
use crate::typed;
use crate::typed::fields::{Whole, with_cursor};

/// Jobs of one page of the list by default, and at most.
const PAGE: (i64, i64) = (20, 50);
/// The maximum length of a cursor, in bytes.
const CURSOR_LIMIT: usize = 1024;
/// The most characters of the index of a clip in an answer.
const INDEX_SHOWN: usize = 20;

/// The parameters of the list of clip jobs.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(transform = with_cursor)]
pub struct ClipListQuery {
    /// Only jobs with this status.
    status: Option<StatusName>,
    /// The order of each job's clips.
    #[serde(default)]
    #[schemars(extend("default" = "index"))]
    order: OrderName,
    /// The maximum number of jobs in the answer.
    #[schemars(extend("default" = PAGE.0))]
    limit: Option<Whole<1, { PAGE.1 }>>,
}

/// The parameters of a clip job.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ClipQuery {
    /// The order of its clips.
    #[serde(default)]
    #[schemars(extend("default" = "index"))]
    order: OrderName,
}

/// The status of clip jobs.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum StatusName {
    Queued,
    Running,
    Succeeded,
    Failed,
    Canceled,
}

impl From<StatusName> for ClipStatus {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::Queued => Self::Queued,
            StatusName::Running => Self::Running,
            StatusName::Succeeded => Self::Succeeded,
            StatusName::Failed => Self::Failed,
            StatusName::Canceled => Self::Canceled,
        }
    }
}

/// The order of clips: by their indexes, the best first, or as they are in the source.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum OrderName {
    #[default]
    Index,
    Score,
    Timeline,
}

impl From<OrderName> for ClipOrder {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::Index => Self::Index,
            OrderName::Score => Self::Score,
            OrderName::Timeline => Self::Timeline,
        }
    }
}

/// A page of the list of clip jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// Only jobs with this status.
    pub status: Option<ClipStatus>,
    /// The order of each job's clips.
    pub order: ClipOrder,
    /// The position at which the list continues.
    pub cursor: Option<String>,
    /// Jobs at most.
    pub limit: usize,
}

/// A request about clip jobs.
#[derive(Debug, Clone)]
pub enum Route {
    /// GET /ai-clipping-agent/jobs
    List(ListPage),
    /// POST /ai-clipping-agent/jobs
    Create(Box<NewClips>),
    /// POST /ai-clipping-agent/jobs/estimate
    Estimate {
        /// The ranges from which clips are cut; none for the whole video.
        ranges: Vec<Range>,
        /// The length of the video in milliseconds, as the client declares it.
        declared_ms: Option<u64>,
    },
    /// GET /ai-clipping-agent/jobs/{id}
    Read(ClipJobId, ClipOrder),
    /// POST /ai-clipping-agent/jobs/{id}/cancel
    Cancel(ClipJobId),
    /// DELETE /ai-clipping-agent/jobs/{id}
    Delete(ClipJobId),
    /// POST /ai-clipping-agent/jobs/{id}/retry
    Retry(ClipJobId),
    /// POST /ai-clipping-agent/jobs/{id}/clips/{index}
    Recut(ClipJobId, u32, Range),
}

impl Route {
    /// Reads the route. `allow_http` says whether webhooks may be sent to http URLs.
    ///
    /// # Errors
    /// [`Problem`] for an unknown route, or names what is wrong.
    pub fn read(request: &ApiRequest, caller: &Caller, allow_http: bool) -> Result<Self, Problem> {
        let segments = request.segments();
        let unknown = || routes::unknown(request);
        let Some(["jobs", rest @ ..]) = below(&segments) else { return Err(unknown()) };
        match (request.method.as_str(), rest) {
            ("GET", []) => read_list(request),
            ("POST", []) => read_new(request, caller, allow_http),
            ("POST", ["estimate"]) => {
                let (ranges, declared_ms) = request.optional_body::<EstimateBody>()?.parts()?;
                Ok(Self::Estimate { ranges, declared_ms })
            }
            // It is a word, and no id.
            (_, ["estimate"]) => Err(unknown()),
            ("GET", [one]) => Ok(Self::Read(id(one)?, request.parameters::<ClipQuery>()?.order.into())),
            ("DELETE", [one]) => Ok(Self::Delete(id(one)?)),
            ("POST", [one, "cancel"]) => Ok(Self::Cancel(id(one)?)),
            ("POST", [one, "retry"]) => Ok(Self::Retry(id(one)?)),
            ("POST", [one, "clips", clip]) => {
                let (job, index) = (id(one)?, index(clip)?);
                Ok(Self::Recut(job, index, request.body::<RangeBody>()?.range("")?))
            }
            _ => Err(unknown()),
        }
    }
}

/// The id of a clip job, as clients know it.
pub(crate) fn id(text: &str) -> Result<ClipJobId, Problem> {
    let found = ClipJobId::parse(text).ok().filter(|id| id.uuid().eq_ignore_ascii_case(text) || id.as_str() == text);
    found.ok_or(Problem::Clip(ClipProblem::NotFound))
}

fn index(text: &str) -> Result<u32, Problem> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| Problem::Clip(ClipProblem::ClipNotFound(text.chars().take(INDEX_SHOWN).collect())))
}

/// The cursor of a page: a text of the store.
pub(crate) fn cursor(request: &ApiRequest) -> Result<Option<String>, Problem> {
    request.cursor(|text| (text.len() <= CURSOR_LIMIT).then_some(text))
}

fn read_list(request: &ApiRequest) -> Result<Route, Problem> {
    let given: ClipListQuery = request.parameters()?;
    Ok(Route::List(ListPage {
        status: given.status.map(Into::into),
        order: given.order.into(),
        cursor: cursor(request)?,
        limit: given.limit.map_or(PAGE.0 as usize, Whole::get),
    }))
}

fn read_new(request: &ApiRequest, caller: &Caller, allow_http: bool) -> Result<Route, Problem> {
    let body = request.json()?;
    let (wanted, reuse) = typed::read::<ClipJobBody>(&body)?.parts(allow_http)?;
    let key = key_of_body(request, caller, &body)?;
    Ok(Route::Create(Box::new(NewClips { request: wanted, reuse, origin: caller.origin(request), key })))
}

#[cfg(test)]
mod tests {
    use reelhook_domain::OwnerId;
    use serde_json::{Value, json};

    use super::*;
    use crate::problem::RequestProblem;
    use crate::request::{get_request, posting};

    const JOB: &str = "550e8400-e29b-41d4-a716-446655440000";

    fn caller() -> Caller {
        Caller::known_as("ann")
    }

    fn get(path: &str, query: &[(&str, &str)]) -> Result<Route, Problem> {
        Route::read(&get_request(path, query), &caller(), false)
    }

    fn post(path: &str, body: &Value) -> Result<Route, Problem> {
        Route::read(&posting(path, body), &caller(), false)
    }

    #[test]
    fn both_paths_lead_to_the_same_requests() {
        for base in ["/ai-clipping-agent", "/api/ai-clipping-agent"] {
            let job = format!("{base}/jobs/{JOB}");
            let id = ClipJobId::parse(JOB).unwrap();
            assert!(matches!(get(&job, &[]), Ok(Route::Read(found, ClipOrder::Index)) if found == id));
            assert!(matches!(post(&format!("{job}/cancel"), &json!({})), Ok(Route::Cancel(found)) if found == id));
            assert!(matches!(post(&format!("{job}/retry"), &json!({})), Ok(Route::Retry(found)) if found == id));
            let estimate = post(&format!("{base}/jobs/estimate"), &json!({ "durationSeconds": 90.5 }));
            let Ok(Route::Estimate { ranges, declared_ms }) = estimate else { panic!("{estimate:?}") };
            assert_eq!((ranges, declared_ms), (Vec::new(), Some(90_500)));
            let recut = post(&format!("{job}/clips/3"), &json!({ "start": 1.5, "end": 4 }));
            let range = Range { start_ms: 1_500, end_ms: 4_000 };
            assert!(matches!(recut, Ok(Route::Recut(found, 3, cut)) if found == id && cut == range));
        }
    }

    #[test]
    fn a_new_job_belongs_to_its_owner() {
        let body = json!({ "videoUrl": "https://media.example/talk.mp4" });
        let owner = OwnerId::parse("ann").unwrap();
        let caller = caller().owned_by(owner.clone());
        let route = Route::read(&posting("/ai-clipping-agent/jobs", &body), &caller, false);
        let new = match route {
            Ok(Route::Create(new)) => new,
            other => panic!("{other:?}"),
        };
        assert_eq!((new.origin.owner, new.reuse, new.key.is_none()), (Some(owner), false, true));
    }

    #[test]
    fn what_is_no_job_and_no_clip_is_not_found() {
        let not_found = Problem::Clip(ClipProblem::NotFound);
        for bad in ["7", "clip_1", "550e8400e29b41d4a716446655440000", &format!("{{{JOB}}}")] {
            assert_eq!(get(&format!("/ai-clipping-agent/jobs/{bad}"), &[]).unwrap_err(), not_found, "{bad}");
        }
        let cut = |index: &str| {
            post(&format!("/ai-clipping-agent/jobs/{JOB}/clips/{index}"), &json!({ "start": 0, "end": 1 }))
        };
        assert!(matches!(cut("+1"), Err(Problem::Clip(ClipProblem::ClipNotFound(_)))));
        assert!(matches!(cut("99999999999"), Err(Problem::Clip(ClipProblem::ClipNotFound(_)))));
        let wrong =
            post(&format!("/ai-clipping-agent/jobs/{JOB}/clips/0"), &json!({ "start": 4, "end": 4 })).unwrap_err();
        assert_eq!(wrong.parts().2, "`start` must be less than `end` (got 4 and 4)");
        let estimate = get("/ai-clipping-agent/jobs/estimate", &[]).unwrap_err();
        assert_eq!(estimate, Problem::Request(RequestProblem::MethodNotAllowed("POST, OPTIONS".to_owned())));
    }

    #[test]
    fn a_page_of_the_list_has_a_status_an_order_and_a_cursor() {
        let list = |query: &[(&str, &str)]| match get("/ai-clipping-agent/jobs", query) {
            Ok(Route::List(page)) => Ok(page),
            Ok(other) => panic!("{other:?}"),
            Err(problem) => Err(problem),
        };
        let all = ListPage { status: None, order: ClipOrder::Index, cursor: None, limit: 20 };
        assert_eq!(list(&[]), Ok(all.clone()));
        let cursor = ApiRequest::write_cursor("7.after");
        let query = [("status", "succeeded"), ("order", "score"), ("limit", "5"), ("cursor", cursor.as_str())];
        let expected = ListPage {
            status: Some(ClipStatus::Succeeded),
            order: ClipOrder::Score,
            cursor: Some("7.after".to_owned()),
            limit: 5,
        };
        assert_eq!(list(&query), Ok(expected));
        for (name, value) in [("status", "done"), ("order", "best"), ("limit", "51"), ("cursor", "%")] {
            assert_eq!(list(&[(name, value)]).unwrap_err().path(), Some(name), "{name}");
        }
    }
}
