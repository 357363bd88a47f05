//! Serves videos and images, whole or in ranges as players request them; some links expire.

use std::ops::Range;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use uuid::Uuid;

use crate::bounded_log::now_ms;
use crate::responses::Problem;
use crate::video::VideoMaker;

pub(crate) fn routes(video: VideoMaker) -> Router {
    Router::new().route("/files/{name}", get(get_file)).with_state(video)
}

#[derive(Deserialize)]
struct Link {
    /// The link is valid until this time, in Unix milliseconds.
    expires: Option<u64>,
}

async fn get_file(
    State(video): State<VideoMaker>,
    Path(name): Path<String>,
    Query(link): Query<Link>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if link.expires.is_some_and(|expires| expires <= now_ms()) {
        return Err(Problem { status: StatusCode::FORBIDDEN, message: "the link has expired".to_owned() });
    }
    let missing = || Problem::not_found(format!("no file `{name}`"));
    let (file, kind) = file_of(&name).ok_or_else(missing)?;
    let path = video.path_of(&file);
    let bytes = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
    let Ok(Ok(bytes)) = bytes else {
        return Err(missing());
    };
    Ok(file_response(bytes, kind, &headers))
}

/// A file, whole or the range that the headers request.
pub(crate) fn file_response(bytes: Vec<u8>, kind: &str, headers: &HeaderMap) -> Response {
    let kind = (header::CONTENT_TYPE, kind.to_owned());
    let accepts = (header::ACCEPT_RANGES, "bytes".to_owned());
    let header = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let size = bytes.len();
    match header.map_or(RequestedRange::Whole, |header| parse_range(header, size)) {
        RequestedRange::Whole => ([kind, accepts], bytes).into_response(),
        RequestedRange::Part(part) => {
            let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            let headers = [kind, accepts, (header::CONTENT_RANGE, range)];
            (StatusCode::PARTIAL_CONTENT, headers, bytes[part].to_vec()).into_response()
        }
        RequestedRange::OutOfBounds => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response()
        }
    }
}

/// The file of this name and its type. A name is an id with an extension, so that no path leads out of the directory.
fn file_of(name: &str) -> Option<(String, &'static str)> {
    let (id, extension) = name.rsplit_once('.')?;
    let id = Uuid::parse_str(id).ok()?;
    let kind = match extension {
        "mp4" => "video/mp4",
        "png" => "image/png",
        "jpg" => "image/jpeg",
        _ => return None,
    };
    Some((format!("{id}.{extension}"), kind))
}

#[derive(Debug, PartialEq)]
enum RequestedRange {
    /// The whole file, also if the header cannot be parsed, as HTTP requires.
    Whole,
    Part(Range<usize>),
    OutOfBounds,
}

/// Parses one range of bytes; several ranges get the whole file.
fn parse_range(header: &str, size: usize) -> RequestedRange {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return RequestedRange::Whole;
    };
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..(last.saturating_add(1)).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(length)) if first.is_empty() => size.saturating_sub(length)..size,
        _ => return RequestedRange::Whole,
    };
    if range.is_empty() {
        return RequestedRange::OutOfBounds;
    }
    RequestedRange::Part(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_with_known_extensions_are_files() {
        let id = "69ba407b-72a9-4050-a9fb-559827b9623d";
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(file_of(name).map(|(_, kind)| kind), expected, "{name}");
        };
        check(&format!("{id}.mp4"), Some("video/mp4"));
        check(&format!("{id}.png"), Some("image/png"));
        check(&format!("{id}.jpg"), Some("image/jpeg"));
        check(&format!("{id}.txt"), None);
        check("../secret.mp4", None);
        check(id, None);
    }

    #[test]
    fn ranges_are_limited_to_the_file() {
        let check = |header: &str, expected: RequestedRange| {
            assert_eq!(parse_range(header, 100), expected, "{header}");
        };
        check("bytes=0-9", RequestedRange::Part(0..10));
        check("bytes=90-", RequestedRange::Part(90..100));
        check("bytes=-10", RequestedRange::Part(90..100));
        check("bytes=-500", RequestedRange::Part(0..100));
        check("bytes=50-5000", RequestedRange::Part(50..100));
        check("bytes=100-", RequestedRange::OutOfBounds);
        check("bytes=200-300", RequestedRange::OutOfBounds);
        check("bytes=-0", RequestedRange::OutOfBounds);
        check("bytes=0-1,5-6", RequestedRange::Whole);
        check("bytes=9-3", RequestedRange::Whole);
        check("lines=1-2", RequestedRange::Whole);
    }
}
