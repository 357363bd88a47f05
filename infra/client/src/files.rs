//! Downloads: a file comes into `NAME.part` beside its place, continues there after an interruption, and gets its name
//! only once all of it is there.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::ProgressBar;
use reelhook_terminal::{ui, visible};
use reqwest::Response;
use reqwest::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, LOCATION, RANGE,
};
use serde_json::Value;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::api::{Api, backoff, cause, retry_after};
use crate::failure::{Failure, Refusal};

/// At most this many redirects are followed: the API redirects to the object store.
const MAX_REDIRECTS: u32 = 5;
/// A download ends after this many attempts in a row that brought nothing.
const MAX_FAILURES: u32 = 5;

/// Downloads a link to a path, which must not exist unless `replace`. Returns the number of bytes.
pub async fn download(api: &Api, link: &str, target: &Path, replace: bool) -> Result<u64, Failure> {
    if !replace && target.exists() {
        let sentence = format!("{} exists already: --force replaces it", target.display());
        return Err(Failure::Usage(sentence));
    }
    let (url, part) = (api.link(link)?, Part::beside(target));
    let mut failures = 0;
    loop {
        let before = part.length();
        match transfer(api, url.clone(), &part).await {
            Ok(bytes) => {
                part.finish(target)?;
                return Ok(bytes);
            }
            Err(Broken::ForGood(failure)) => return Err(failure),
            Err(Broken::Here(reason, named)) => {
                failures = if part.length() > before { 1 } else { failures + 1 };
                if failures == MAX_FAILURES {
                    let sentence = format!("{reason}; the same command continues the download");
                    return Err(Failure::Unavailable(sentence));
                }
                let wait = named.unwrap_or_default().max(backoff(failures));
                ui::say(format!("{reason}; the download continues in {}", ui::seconds(wait)));
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Why a transfer ended early.
enum Broken {
    /// Another attempt may continue, after the wait that the answer names.
    Here(String, Option<Duration>),
    /// None will.
    ForGood(Failure),
}

fn here(reason: impl Into<String>) -> Broken {
    Broken::Here(reason.into(), None)
}

impl From<anyhow::Error> for Broken {
    fn from(error: anyhow::Error) -> Self {
        Self::ForGood(Failure::Local(error))
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::ForGood(failure)
    }
}

/// What is there of a file, and the `ETag` that says of which content. Both are beside the file's place.
struct Part {
    path: PathBuf,
    tag: PathBuf,
}

impl Part {
    fn beside(target: &Path) -> Self {
        let with = |end: &str| {
            let mut name = target.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Self { path: with(".part"), tag: with(".part.etag") }
    }

    fn length(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// The length and the `ETag` of a part that can be continued.
    fn known(&self) -> Option<(u64, HeaderValue)> {
        let tag = HeaderValue::from_bytes(&fs::read(&self.tag).ok()?).ok()?;
        Some((self.length(), tag)).filter(|(length, _)| *length > 0)
    }

    /// Forgets what is there. The tag goes first: without it nothing is continued.
    fn clear(&self) -> anyhow::Result<()> {
        for path in [&self.tag, &self.path] {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(error).with_context(|| format!("remove {}", path.display()));
            }
        }
        Ok(())
    }

    /// Opens an empty part of a content. Only a strong `ETag` names its bytes.
    async fn begin(&self, etag: Option<&HeaderValue>) -> anyhow::Result<File> {
        self.clear()?;
        let file = File::create(&self.path).await.with_context(|| format!("create {}", self.path.display()))?;
        if let Some(etag) = etag.filter(|etag| etag.as_bytes().starts_with(b"\"")) {
            fs::write(&self.tag, etag.as_bytes()).with_context(|| format!("write {}", self.tag.display()))?;
        }
        Ok(file)
    }

    async fn go_on(&self) -> anyhow::Result<File> {
        let opened = OpenOptions::new().append(true).open(&self.path).await;
        opened.with_context(|| format!("open {}", self.path.display()))
    }

    /// Gives the file its name.
    fn finish(&self, target: &Path) -> anyhow::Result<()> {
        fs::rename(&self.path, target).with_context(|| format!("rename {}", self.path.display()))?;
        self.clear()
    }
}

/// Transfers what is missing. Returns the length of the file, which is that of the part.
async fn transfer(api: &Api, url: Url, part: &Part) -> Result<u64, Broken> {
    let known = part.known();
    let mut headers = HeaderMap::new();
    if let Some((length, tag)) = &known {
        let range = HeaderValue::from_str(&format!("bytes={length}-")).context("the range of the rest")?;
        headers.insert(RANGE, range);
        headers.insert(IF_MATCH, tag.clone());
    }
    let response = open(api, url, headers).await?;
    let (mut file, total) = match (response.status().as_u16(), known) {
        // For example a network's sign-in, which answers for the server.
        (200, _) if is_page(response.headers()) => {
            let host = response.url().host_str().map(visible::line).unwrap_or_default();
            let sentence = format!("{host} answered with an HTML page and not with the file");
            return Err(Failure::Unavailable(sentence).into());
        }
        (200, _) => (part.begin(response.headers().get(ETAG)).await?, length(response.headers())),
        (206, Some((length, _))) => match range(response.headers()) {
            Some((start, total)) if start == length => (part.go_on().await?, Some(total)),
            _ => {
                part.clear()?;
                return Err(here("the answer has another range than the one that is missing"));
            }
        },
        // The content has changed, or the part is longer than the file.
        (412 | 416, Some(_)) => {
            part.clear()?;
            return Err(here("the file has changed since its first part came"));
        }
        (status, _) => {
            let named = retry_after(response.headers());
            let refusal = refusal(status, response).await;
            let is_temporary = refusal.is_ours();
            return Err(match is_temporary {
                true => Broken::Here(refusal.to_string(), named),
                false => Broken::ForGood(Failure::Refused(refusal)),
            });
        }
    };
    let bar = ui::byte_bar(total);
    let outcome = copy(response, &mut file, part.length(), &bar).await;
    bar.finish_and_clear();
    let length = outcome?;
    match total {
        Some(total) if total != length => {
            if length > total {
                part.clear()?;
            }
            Err(here(format!("{length} of {total} bytes came")))
        }
        _ => Ok(length),
    }
}

/// Opens a link, over redirects. One from https to http is not followed.
async fn open(api: &Api, mut url: Url, headers: HeaderMap) -> Result<Response, Broken> {
    for _ in 0..=MAX_REDIRECTS {
        let response = api.open_link(&url, headers.clone()).await;
        let response = response.map_err(|error| here(format!("the download failed: {}", cause(&error))))?;
        if !response.status().is_redirection() || response.status().as_u16() == 304 {
            return Ok(response);
        }
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let next = location.and_then(|location| url.join(location).ok());
        let next = next.filter(|next| next.scheme() == "https" || (next.scheme() == "http" && url.scheme() == "http"));
        url = next.ok_or_else(|| Failure::Unavailable("the download is redirected to no usable address".to_owned()))?;
    }
    Err(Failure::Unavailable(format!("the download is redirected more than {MAX_REDIRECTS} times")).into())
}

/// Writes the answer's body; returns the length of the file then.
async fn copy(mut response: Response, file: &mut File, before: u64, bar: &ProgressBar) -> Result<u64, Broken> {
    let mut length = before;
    bar.set_position(length);
    bar.reset_eta();
    let outcome = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                file.write_all(&chunk).await.context("write the file")?;
                length += chunk.len() as u64;
                bar.set_position(length);
            }
            Ok(None) => break Ok(length),
            Err(error) => break Err(here(format!("the download broke off: {}", cause(&error)))),
        }
    };
    // What has come stays, whatever ended the transfer.
    file.flush().await.context("write the file")?;
    file.sync_all().await.context("write the file")?;
    outcome
}

/// An error of the API, or of the server to which it redirected.
async fn refusal(status: u16, mut response: Response) -> Refusal {
    let host = response.url().host_str().map(visible::line).unwrap_or_default();
    let body = match response.chunk().await {
        Ok(Some(chunk)) => serde_json::from_slice(&chunk).unwrap_or(Value::Null),
        Ok(None) | Err(_) => Value::Null,
    };
    match body.is_object() {
        true => Refusal::read(status, &body),
        false => Refusal::read(status, &serde_json::json!({ "error": format!("{host} does not have the file") })),
    }
}

/// Whether an answer is an HTML page. The types of files vary: object stores keep the one that they were given.
fn is_page(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"text/html"))
}

/// `Content-Length`.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Start and total of `Content-Range: bytes 100-199/200`.
fn range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let (range, total) = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_names_its_start_and_the_total() {
        let check = |text: &'static str, expected: Option<(u64, u64)>| {
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, HeaderValue::from_static(text))]);
            assert_eq!(range(&headers), expected, "{text}");
        };
        check("bytes 100-199/200", Some((100, 200)));
        for wrong in ["bytes */200", "bytes 1-2/*", "items 1-2/3", ""] {
            check(wrong, None);
        }
    }

    #[tokio::test]
    async fn a_part_is_continued_only_where_its_content_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let part = Part::beside(&directory.path().join("film.mp4"));
        assert_eq!((part.length(), part.known()), (0, None));
        for (etag, is_known) in [(Some("\"abc\""), true), (Some("W/\"abc\""), false), (None, false)] {
            let etag = etag.map(HeaderValue::from_static);
            let mut file = part.begin(etag.as_ref()).await.unwrap();
            assert_eq!(part.known(), None, "it is empty");
            file.write_all(b"12345").await.unwrap();
            file.flush().await.unwrap();
            assert_eq!(part.known(), etag.filter(|_| is_known).map(|etag| (5, etag)));
        }
        part.finish(&directory.path().join("film.mp4")).unwrap();
        let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["film.mp4"]);
    }
}
