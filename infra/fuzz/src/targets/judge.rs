//! What every refusal of a request must be: of the caller, with a known code, short, about a field, and an answer that can be
//! sent in the form of each family.

use reelhook_http::problem::{Problem, RequestProblem};
use serde::de::IgnoredAny;

/// The longest sentence of an error, in bytes.
const SENTENCE: usize = 4096;
/// The longest answer with an error, in bytes.
const ANSWER: usize = 16 * 1024;

/// What was read; none for a refusal, which is judged.
///
/// # Panics
/// When the refusal breaks a property.
pub fn judged<T>(read: Result<T, Problem>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(problem) => {
            judge(&problem);
            None
        }
    }
}

fn judge(problem: &Problem) {
    let (status, code, sentence) = problem.parts();
    assert!((400..500).contains(&status), "an input is refused with {status}: {problem:?}");
    let is_known = Problem::CODES.iter().flat_map(|family| family.iter()).any(|known| *known == (code, status));
    assert!(is_known, "`{code}` with {status} is no known code");
    assert!(!sentence.is_empty() && sentence.len() <= SENTENCE, "a sentence of {} bytes", sentence.len());
    if let Problem::Request(RequestProblem::BadField(path, right)) = problem {
        assert!(
            !path.is_empty() && !right.is_empty(),
            "a refusal names the field and what would be right: {problem:?}"
        );
        assert!(!path.chars().any(char::is_control), "a path on one line: {path:?}");
    }
    let forms = [
        problem.streamgank("r-1"),
        problem.vidbuilder("r-1"),
        problem.scenes("r-1"),
        problem.clips("r-1"),
        problem.callback("r-1"),
    ];
    for answer in forms {
        assert_eq!(answer.status, status, "{problem:?}");
        assert!(answer.body.len() <= ANSWER, "an error of {} bytes", answer.body.len());
        assert!(serde_json::from_str::<IgnoredAny>(&answer.body).is_ok(), "no JSON: {}", answer.body);
        assert_eq!(answer.into_response().status().as_u16(), status, "a header can't be sent: {problem:?}");
    }
}
