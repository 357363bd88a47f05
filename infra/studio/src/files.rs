//! Serves the videos, whole or in ranges, as players ask for them.

use std::ops::Range;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use uuid::Uuid;

use crate::answers::Problem;
use crate::video::VideoMaker;

pub(crate) fn routes(video: VideoMaker) -> Router {
    Router::new().route("/files/{name}", get(get_file)).with_state(video)
}

async fn get_file(
    State(video): State<VideoMaker>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found(format!("no video `{name}`"));
    // Only an id can name a file, so no path leads out of the directory.
    let id = name.strip_suffix(".mp4").ok_or_else(missing)?;
    let id = Uuid::parse_str(id).map_err(|_| missing())?;
    let path = video.path_of(&id.to_string());
    let bytes = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
    let Ok(Ok(bytes)) = bytes else {
        return Err(missing());
    };

    let kind = (header::CONTENT_TYPE, "video/mp4".to_owned());
    let accepts = (header::ACCEPT_RANGES, "bytes".to_owned());
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let size = bytes.len();
    match asked.map_or(Asked::Whole, |asked| asked_range(asked, size)) {
        Asked::Whole => Ok(([kind, accepts], bytes).into_response()),
        Asked::Part(part) => {
            let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            let headers = [kind, accepts, (header::CONTENT_RANGE, range)];
            Ok((StatusCode::PARTIAL_CONTENT, headers, bytes[part].to_vec()).into_response())
        }
        Asked::Beyond => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response())
        }
    }
}

#[derive(Debug, PartialEq)]
enum Asked {
    /// Also for what is not understood, as HTTP demands.
    Whole,
    Part(Range<usize>),
    Beyond,
}

/// One range of bytes; several at once are answered with the whole file.
fn asked_range(header: &str, size: usize) -> Asked {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::Whole;
    };
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..(last.saturating_add(1)).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(length)) if first.is_empty() => size.saturating_sub(length)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() {
        return Asked::Beyond;
    }
    Asked::Part(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        let check = |header: &str, expected: Asked| {
            assert_eq!(asked_range(header, 100), expected, "{header}");
        };
        check("bytes=0-9", Asked::Part(0..10));
        check("bytes=90-", Asked::Part(90..100));
        check("bytes=-10", Asked::Part(90..100));
        check("bytes=-500", Asked::Part(0..100));
        check("bytes=50-5000", Asked::Part(50..100));
        check("bytes=100-", Asked::Beyond);
        check("bytes=200-300", Asked::Beyond);
        check("bytes=-0", Asked::Beyond);
        check("bytes=0-1,5-6", Asked::Whole);
        check("bytes=9-3", Asked::Whole);
        check("lines=1-2", Asked::Whole);
    }
}
