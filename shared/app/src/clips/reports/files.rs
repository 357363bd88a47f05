//! What a file that a worker names is: a file of our bucket, of the worker or of another host, or nothing.

use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJobId, WebUrl, steers};

use crate::Url;

/// The folder of the bucket in which workers may name files. Other folders have the files of other families.
const FOLDER: &str = "clips";
/// The longest key of an object, in bytes.
const KEY_LIMIT: usize = 1024;
/// The folders of a worker that it serves at `/outputs/`.
const OUTPUTS: [&str; 2] = ["outputs", "output"];
/// Layers of percent-encoding that are removed to see whether a segment leads out of its folder.
const LAYERS: usize = 8;

/// Where the worker serves its files, and which bucket is ours.
#[derive(Debug, Clone)]
pub struct WorkerFiles {
    /// CLIPPING_WORKER_URL; none without a worker.
    pub worker: Option<Url>,
    /// BUCKET.
    pub bucket: String,
}

impl WorkerFiles {
    /// The file that a worker of this job names; none if it can't be used.
    pub fn file(&self, job: &ClipJobId, named: &str) -> Option<File> {
        if named.len() > WebUrl::LIMIT || named.chars().any(steers) {
            return None;
        }
        match named.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("s3") => {
                let (bucket, key) = rest.split_once('/')?;
                (bucket == self.bucket).then(|| stored(job, key)).flatten()
            }
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
                self.linked(job, WebUrl::parse(named)?)
            }
            Some(_) => None,
            None => self.at_worker(named).map(File::outside),
        }
    }

    /// A file that is linked: of our bucket, or of another host.
    fn linked(&self, job: &ClipJobId, url: WebUrl) -> Option<File> {
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        match self.key_in(&url) {
            Some(key) => stored(job, &decoded(key)?),
            None => Some(File::outside(url)),
        }
    }

    /// The key in a link of our bucket, percent-encoded: `https://<bucket>.s3.<region>.amazonaws.com/<key>`, or
    /// `https://s3.<region>.amazonaws.com/<bucket>/<key>`.
    fn key_in<'a>(&self, url: &'a WebUrl) -> Option<&'a str> {
        let (host, path) = (url.host_str()?, url.path().strip_prefix('/')?);
        match host.strip_prefix(self.bucket.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            Some(service) if is_s3(service) => Some(path),
            _ if is_s3(host) => path.strip_prefix(self.bucket.as_str())?.strip_prefix('/'),
            _ => None,
        }
    }

    /// The URL of a path of the worker: what follows `/outputs/` or `/output/` is at `<worker>/outputs/`.
    fn at_worker(&self, path: &str) -> Option<WebUrl> {
        let segments: Vec<&str> = path.split('/').collect();
        let outputs = segments.iter().position(|segment| OUTPUTS.contains(segment))?;
        let (folder, rest) = (segments[..outputs].first(), &segments[outputs + 1..]);
        // A path begins with `/`, or with the folder itself.
        if folder.is_some_and(|first| !first.is_empty()) || rest.is_empty() || !rest.iter().all(|part| is_plain(part)) {
            return None;
        }
        let mut url = self.worker.clone()?;
        url.set_query(None);
        url.set_fragment(None);
        url.path_segments_mut().ok()?.pop_if_empty().push(OUTPUTS[0]).extend(rest);
        WebUrl::try_from(url).ok().filter(|url| url.as_written().len() <= WebUrl::LIMIT)
    }
}

/// The file of our bucket with this key, if a worker of this job may name it.
fn stored(job: &ClipJobId, key: &str) -> Option<File> {
    let segments: Vec<&str> = key.split('/').collect();
    let [FOLDER, folder, ..] = segments[..] else { return None };
    let fits = key.len() <= KEY_LIMIT && segments.iter().all(|segment| is_plain(segment));
    let of_another = folder != job.as_str() && ClipJobId::parse(folder).is_ok_and(|other| other.as_str() == folder);
    (fits && !of_another).then(|| File::stored(key))
}

/// Whether a host name is one of S3.
fn is_s3(host: &str) -> bool {
    let service = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com");
    service.is_some_and(|service| service == "s3" || service.starts_with("s3.") || service.starts_with("s3-"))
}

/// Whether a segment of a path names something in its folder, however often it is percent-encoded.
fn is_plain(segment: &str) -> bool {
    stays(segment, LAYERS)
}

/// Whether a text with at most so many layers of percent-encoding names something in its folder.
fn stays(text: &str, layers: usize) -> bool {
    let leads_out = matches!(text, "" | "." | "..") || text.chars().any(|c| c == '\\' || c == '/' || steers(c));
    !leads_out && layers > 0 && decoded(text).is_some_and(|inner| inner == text || stays(&inner, layers - 1))
}

/// The text without one layer of percent-encoding; none if it is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let mut byte = [first];
        rest = match after.split_at_checked(2).filter(|_| first == b'%') {
            Some((digits, after)) if hex::decode_to_slice(digits, &mut byte).is_ok() => after,
            Some(_) | None => {
                byte = [first];
                after
            }
        };
        bytes.extend(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "clip_550e8400-e29b-41d4-a716-446655440000";
    const OTHER: &str = "clip_550e8400-e29b-41d4-a716-446655440001";

    fn read(worker: Option<&str>, named: &str) -> Option<File> {
        let worker = worker.map(|url| Url::parse(url).unwrap());
        let files = WorkerFiles { worker, bucket: "our-bucket".to_owned() };
        files.file(&ClipJobId::parse(JOB).unwrap(), named)
    }

    /// The URL of a file that is not ours.
    fn outside(named: &str) -> Option<String> {
        let file = read(Some("https://worker.example"), named)?;
        assert_eq!(file.key, None, "{named}");
        file.source.map(|url| url.as_written().to_owned())
    }

    /// The key of a file of our bucket.
    fn key(named: &str) -> Option<String> {
        let file = read(Some("https://worker.example"), named)?;
        assert_eq!(file.source, None, "{named}");
        file.key
    }

    #[test]
    fn a_path_of_the_worker_is_a_url_of_the_worker() {
        for (named, expected) in [
            ("/app/output/j/clip_00.mp4", "https://worker.example/outputs/j/clip_00.mp4"),
            ("/outputs/j/clip_00.mp4", "https://worker.example/outputs/j/clip_00.mp4"),
            ("outputs/j/clip_00.mp4", "https://worker.example/outputs/j/clip_00.mp4"),
            ("output/plan.json", "https://worker.example/outputs/plan.json"),
            ("/data/outputs/a/output/b.mp4", "https://worker.example/outputs/a/output/b.mp4"),
            ("/app/output/j/clip one?.mp4", "https://worker.example/outputs/j/clip%20one%3F.mp4"),
            ("/app/output/j/#1 é.mp4", "https://worker.example/outputs/j/%231%20%C3%A9.mp4"),
            ("/app/output/j/100%.mp4", "https://worker.example/outputs/j/100%25.mp4"),
            ("/app/output/j/..clip...mp4", "https://worker.example/outputs/j/..clip...mp4"),
            ("/app/output/a:b@c/clip.mp4", "https://worker.example/outputs/a:b@c/clip.mp4"),
        ] {
            assert_eq!(outside(named).as_deref(), Some(expected), "{named}");
        }
        for (worker, expected) in [
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/outputs/j/a.mp4"),
            ("https://w.example/genesis", "https://w.example/genesis/outputs/j/a.mp4"),
            ("https://w.example/genesis/?key=1#x", "https://w.example/genesis/outputs/j/a.mp4"),
        ] {
            let file = read(Some(worker), "/outputs/j/a.mp4").unwrap();
            assert_eq!(file.source.unwrap().as_written(), expected, "{worker}");
        }
        assert_eq!(read(None, "/outputs/j/a.mp4"), None, "without a worker it names no file");
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for named in [
            "",
            "/",
            "/etc/passwd",
            "clip_00.mp4",
            "/outputs",
            "/outputs/",
            "/outputs/j/",
            "/outputs//etc/x",
            "/outputs/./x",
            "/outputs/../../etc/x",
            "/outputs/j/../../../etc/x",
            "/outputs/%2e%2e/x",
            "/outputs/%2E./x",
            "/outputs/.%2e/x",
            "/outputs/%252e%252e/x",
            "/outputs/%25252e%25252e/x",
            "/outputs/j%2f..%2fx",
            "/outputs/j/%5c..%5cx",
            "/outputs/..\\x",
            "\\outputs\\x",
            "/outputs/j/a\u{0}.mp4",
            "/outputs/j/a%00.mp4",
            "/outputs/j/a%0d%0a.mp4",
            "/outputs/j/a\n.mp4",
            "/outputs/j/%ff.mp4",
            "/app/output/../x",
            "data/outputs/x.mp4",
            "/myoutputs/x.mp4",
            "//evil.example/x.mp4",
            &format!("/outputs/{}", "x".repeat(3000)),
            &format!("/outputs/{}", "é".repeat(1000)),
            &format!("/outputs/%{}2e/x", "25".repeat(20)),
        ] {
            assert_eq!(read(Some("https://worker.example"), named), None, "{named}");
        }
    }

    #[test]
    fn a_link_of_our_bucket_is_a_key() {
        for named in [
            "s3://our-bucket/clips/clip_00.mp4",
            "S3://our-bucket/clips/clip_00.mp4",
            "https://our-bucket.s3.amazonaws.com/clips/clip_00.mp4",
            "https://our-bucket.s3.us-east-1.amazonaws.com/clips/clip_00.mp4?X-Amz-Signature=1",
            "https://our-bucket.s3-eu-west-1.amazonaws.com/clips/clip%5F00.mp4",
            "https://our-bucket.s3.dualstack.us-east-1.amazonaws.com/clips/clip_00.mp4",
            "https://our-bucket.s3.cn-north-1.amazonaws.com.cn/clips/clip_00.mp4",
            "https://s3.amazonaws.com/our-bucket/clips/clip_00.mp4",
            "https://s3.us-east-1.amazonaws.com/our-bucket/clips/clip_00.mp4",
            "HTTPS://S3.us-east-1.AMAZONAWS.com/our-bucket/clips/clip_00.mp4",
        ] {
            assert_eq!(key(named).as_deref(), Some("clips/clip_00.mp4"), "{named}");
        }
        let own = format!("clips/{JOB}/0-1.mp4");
        assert_eq!(key(&format!("s3://our-bucket/{own}")), Some(own));
        assert_eq!(key("s3://our-bucket/clips/a b/1.mp4").as_deref(), Some("clips/a b/1.mp4"));
        let uuid = "clips/550e8400-e29b-41d4-a716-446655440001/1.mp4";
        assert_eq!(key(&format!("s3://our-bucket/{uuid}")).as_deref(), Some(uuid), "a folder of the worker's own");
    }

    #[test]
    fn no_worker_names_files_of_others() {
        for named in [
            "s3://other-bucket/clips/clip_00.mp4",
            "s3://our-bucket",
            "s3://our-bucket/",
            "s3://our-bucket/clips",
            "s3://our-bucket/clips/",
            "s3://our-bucket/projects/proj_1/final/1/video.mp4",
            "s3://our-bucket/logs/job_1/log.ndjson.gz",
            "s3://our-bucket/clips/../projects/x.mp4",
            "s3://our-bucket/clips/%2e%2e/x.mp4",
            "s3://our-bucket//clips/x.mp4",
            "https://our-bucket.s3.amazonaws.com/projects/x.mp4",
            "https://our-bucket.s3.amazonaws.com/clips/%2e%2e%2fprojects/x.mp4",
            "https://our-bucket.s3.amazonaws.com/clips/../projects/x.mp4",
            "https://our-bucket.s3.amazonaws.com/clips/%ff.mp4",
            "https://s3.amazonaws.com/our-bucket/projects/x.mp4",
            &format!("s3://our-bucket/clips/{OTHER}/0-1.mp4"),
            &format!("https://our-bucket.s3.amazonaws.com/clips/{OTHER}/0-1.mp4"),
            &format!("s3://our-bucket/clips/{}", "x".repeat(1100)),
        ] {
            assert_eq!(read(Some("https://worker.example"), named), None, "{named}");
        }
    }

    #[test]
    fn another_link_is_a_file_of_another_host() {
        for named in [
            "https://bucket.s3.amazonaws.com/clips/clip_00.mp4",
            "https://our-bucket.s3.evil.example/clips/x.mp4",
            "https://our-bucket.s3.amazonaws.com.evil.example/clips/x.mp4",
            "https://x-our-bucket.s3.amazonaws.com/clips/x.mp4",
            "https://s3.amazonaws.com/our-bucket-2/clips/x.mp4",
            "https://worker.example/outputs/j/clip_00.mp4",
            "http://worker.example/outputs/j/clip_00.mp4",
        ] {
            assert_eq!(outside(named).as_deref(), Some(named));
        }
        for named in [
            "ftp://a.example/x.mp4",
            "file:///outputs/x.mp4",
            "javascript:alert(1)",
            "data:video/mp4,x",
            "https://",
            "https://user:secret@a.example/x.mp4",
            "gs://our-bucket/clips/x.mp4",
            &format!("https://a.example/{}", "x".repeat(3000)),
        ] {
            assert_eq!(read(Some("https://worker.example"), named), None, "{named}");
        }
    }
}
