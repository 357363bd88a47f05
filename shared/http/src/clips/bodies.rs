//! The bodies of requests about clip jobs. Members that are not known are ignored.

use reelhook_app::webhooks::endpoints::receiver_url;
use reelhook_domain::WebUrl;
use reelhook_domain::clips::request::{ClipRequest, Layout, MAX_CLIPS, MAX_KEYWORDS, MAX_RANGES, Range, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::clips::fields::{CaptionsField, DurationField, FileField, LengthsField, PageField, Place};
use crate::metadata::MetadataField;
use crate::problem::{Problem, bad};
use crate::typed::fields::{Flag, Text, Whole, blank_is_absent};

/// The longest URL for webhooks, in characters.
const URL_LIMIT: usize = 2000;

/// A new clip job, of `youtubeUrl` or `videoUrl`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewClipJob")]
pub struct ClipJobBody {
    /// A page of a video site; it needs a clipping worker.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Option<PageField>")]
    youtube_url: Option<PageField>,
    /// A video file: its URL, or the `key` of an upload.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Option<FileField>")]
    video_url: Option<FileField>,
    /// How many clips there are at most; by default as many as are worth it, 10 at most.
    requested_clip_count: Option<Whole<1, { MAX_CLIPS as i64 }>>,
    /// The ranges from which clips are cut, which must not overlap; the whole video by default. A clipping worker cuts one
    /// range.
    #[schemars(length(max = MAX_RANGES))]
    ranges: Option<Vec<RangeBody>>,
    /// The length of the video in seconds, if it is known: credits are reserved for it where there are no ranges.
    duration_seconds: Option<DurationField>,
    /// The lengths that clips may have, in seconds; any of them by default.
    clip_durations: Option<LengthsField>,
    /// The platform for which clips are made, such as `tiktok`. A worker gets it; where Reelhook cuts, TikTok, Instagram,
    /// Reels and Shorts make clips vertical.
    target_platform: Option<Text<50>>,
    /// Whether clips get captions, if the worker can write them.
    captions: Option<CaptionsField>,
    /// Words that clips should be about, for a worker.
    #[schemars(length(max = MAX_KEYWORDS))]
    keywords: Option<Vec<Text<100>>>,
    /// The shape of the clips, if Reelhook cuts them: `vertical` is 9:16 with a crop; by default that of `targetPlatform`,
    /// else `original`.
    layout: Option<LayoutName>,
    /// Whether an earlier job is answered, unless it failed or was canceled: one whose request was the same, but for
    /// `callbackUrl` and `metadata`.
    reuse: Option<Flag>,
    /// A URL for webhooks about the job, as `webhookUrl` of a video.
    callback_url: Option<Text<URL_LIMIT>>,
    /// The same as `callbackUrl`, which takes precedence.
    webhook_url: Option<Text<URL_LIMIT>>,
    /// The caller's own data.
    metadata: Option<MetadataField>,
}

/// A range of the source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(rename = "ClipRange")]
pub struct RangeBody {
    /// Where it starts, in seconds.
    start: Place,
    /// Where it ends, in seconds.
    end: Place,
}

/// What an estimate is about. Other members of a new clip job may be there and do not count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EstimateBody {
    /// The ranges from which clips are cut, one where a clipping worker cuts; the whole video by default.
    #[schemars(length(max = MAX_RANGES))]
    ranges: Option<Vec<RangeBody>>,
    /// The length of the video in seconds, if it is known.
    duration_seconds: Option<DurationField>,
}

/// The shape of clips.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum LayoutName {
    Original,
    Vertical,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::Original => Self::Original,
            LayoutName::Vertical => Self::Vertical,
        }
    }
}

impl ClipJobBody {
    /// What the client asks for, and whether an earlier job may be answered.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong.
    pub(super) fn parts(self, allow_http: bool) -> Result<(ClipRequest, bool), Problem> {
        let source = source(self.youtube_url, self.video_url)?;
        let keywords = self.keywords.unwrap_or_default();
        if keywords.len() > MAX_KEYWORDS {
            let given = keywords.len();
            return Err(bad("keywords", format!("a list of at most {MAX_KEYWORDS} words (got {given})")));
        }
        let callback = match callback("callbackUrl", self.callback_url, allow_http)? {
            None => callback("webhookUrl", self.webhook_url, allow_http)?,
            given => given,
        };
        let captions = self.captions.map(|captions| captions.0).unwrap_or_default();
        let platform = self.target_platform.and_then(Text::filled);
        let of_platform = || platform.as_deref().and_then(Layout::of_platform).unwrap_or_default();
        let layout = self.layout.map_or_else(of_platform, Layout::from);
        let request = ClipRequest {
            source,
            count: self.requested_clip_count.map(Whole::get),
            ranges: ranges(self.ranges.unwrap_or_default())?,
            declared_ms: self.duration_seconds.map(|DurationField(ms)| ms),
            lengths: self.clip_durations.map(|lengths| lengths.0).unwrap_or_default(),
            platform,
            captions: captions.wanted,
            caption_preset: captions.preset,
            keywords: keywords.into_iter().filter_map(Text::filled).collect(),
            layout,
            callback,
            metadata: self.metadata.unwrap_or_default().0,
        };
        Ok((request, self.reuse.is_some_and(|Flag(reuse)| reuse)))
    }
}

impl EstimateBody {
    /// The ranges, and the length of the video in milliseconds.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong.
    pub(super) fn parts(self) -> Result<(Vec<Range>, Option<u64>), Problem> {
        let declared_ms = self.duration_seconds.map(|DurationField(ms)| ms);
        Ok((ranges(self.ranges.unwrap_or_default())?, declared_ms))
    }
}

impl RangeBody {
    /// The range, at a path that ends with a dot or is empty.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong.
    pub(super) fn range(&self, path: &str) -> Result<Range, Problem> {
        let (start_ms, end_ms) = (self.start.0, self.end.0);
        if start_ms < end_ms {
            return Ok(Range { start_ms, end_ms });
        }
        let right = format!("less than `{path}end` (got {} and {})", seconds(start_ms), seconds(end_ms));
        Err(bad(format!("{path}start"), right))
    }
}

fn source(page: Option<PageField>, file: Option<FileField>) -> Result<Source, Problem> {
    match (page, file) {
        (Some(PageField(source)), None) | (None, Some(FileField(source))) => Ok(source),
        (None, None) => Err(bad("videoUrl", "present, or else `youtubeUrl`")),
        (Some(_), Some(_)) => Err(bad("videoUrl", "absent beside `youtubeUrl`: a job has one source")),
    }
}

fn callback<const MOST: usize>(
    name: &str,
    given: Option<Text<MOST>>,
    allow_http: bool,
) -> Result<Option<WebUrl>, Problem> {
    let text = given.and_then(Text::filled);
    text.map(|text| receiver_url(&text, allow_http)).transpose().map_err(|right| bad(name, right))
}

/// Ranges in the order of the source, without overlaps.
fn ranges(given: Vec<RangeBody>) -> Result<Vec<Range>, Problem> {
    if given.len() > MAX_RANGES {
        return Err(bad("ranges", format!("a list of at most {MAX_RANGES} ranges (got {})", given.len())));
    }
    let read = given.iter().enumerate().map(|(index, body)| Ok((index, body.range(&format!("ranges[{index}]."))?)));
    let mut ranges = read.collect::<Result<Vec<(usize, Range)>, Problem>>()?;
    ranges.sort_by_key(|(_, range)| range.start_ms);
    for ((_, before), (index, range)) in ranges.iter().zip(ranges.iter().skip(1)) {
        if range.start_ms < before.end_ms {
            let (end, start) = (seconds(before.end_ms), seconds(range.start_ms));
            let right =
                format!("at least {end}, where the range before it ends (got {start}): ranges must not overlap");
            return Err(bad(format!("ranges[{index}].start"), right));
        }
    }
    Ok(ranges.into_iter().map(|(_, range)| range).collect())
}

/// Milliseconds as a number of seconds.
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use reelhook_domain::clips::request::Lengths;
    use serde_json::{Value, json};

    use super::*;
    use crate::typed;

    const FILE: &str = "https://media.example/talk.mp4";

    fn read(body: &Value) -> Result<(ClipRequest, bool), Problem> {
        typed::read::<ClipJobBody>(body)?.parts(false)
    }

    fn wrong(body: &Value) -> (String, String) {
        let problem = read(body).unwrap_err();
        (problem.path().unwrap_or_default().to_owned(), problem.parts().2)
    }

    #[test]
    fn a_whole_body_is_read() {
        let body = json!({
            "videoUrl": FILE, "requestedClipCount": "5",
            "ranges": [{ "start": 60, "end": 90.5 }, { "start": 0, "end": 30 }],
            "durationSeconds": 5400, "clipDurations": ["30-60", "15-30"], "targetPlatform": " tiktok ",
            "captions": { "preset": "bold" },
            "keywords": ["rust", " "], "layout": "vertical", "reuse": true, "callbackUrl": "https://client.example/hook",
            "metadata": { "order": "7" }, "unknown": 1,
        });
        let (request, reuse) = read(&body).unwrap();
        assert!(reuse);
        let expected = ClipRequest {
            source: Source::File(WebUrl::parse(FILE).unwrap()),
            count: Some(5),
            ranges: vec![Range { start_ms: 0, end_ms: 30_000 }, Range { start_ms: 60_000, end_ms: 90_500 }],
            declared_ms: Some(5_400_000),
            lengths: vec![Lengths { min_s: 15, max_s: 30 }, Lengths { min_s: 30, max_s: 60 }],
            platform: Some("tiktok".to_owned()),
            captions: true,
            caption_preset: Some("bold".to_owned()),
            keywords: vec!["rust".to_owned()],
            layout: Layout::Vertical,
            callback: WebUrl::parse("https://client.example/hook"),
            metadata: reelhook_domain::Metadata::parse(&json!({ "order": "7" })).unwrap(),
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn a_platform_makes_clips_vertical_unless_the_request_names_a_shape() {
        for (platform, layout, expected) in [
            (json!("TikTok"), Value::Null, Layout::Vertical),
            (json!("YouTube Shorts"), json!("original"), Layout::Original),
            (json!("reels"), json!("vertical"), Layout::Vertical),
            (json!("linkedin"), Value::Null, Layout::Original),
            (Value::Null, Value::Null, Layout::Original),
        ] {
            let body = json!({ "videoUrl": FILE, "targetPlatform": platform, "layout": layout });
            assert_eq!(read(&body).unwrap().0.layout, expected, "{body}");
        }
    }

    #[test]
    fn a_body_needs_one_source() {
        let page = "https://www.youtube.com/watch?v=abc";
        let (request, reuse) = read(&json!({ "youtubeUrl": page, "videoUrl": "" })).unwrap();
        assert_eq!((request.source, reuse), (Source::Page(WebUrl::parse(page).unwrap()), false));
        for body in [json!({}), json!({ "youtubeUrl": page, "videoUrl": FILE }), json!({ "videoUrl": null })] {
            assert_eq!(wrong(&body).0, "videoUrl", "{body}");
        }
        assert_eq!(wrong(&json!({ "youtubeUrl": FILE })).0, "youtubeUrl");
    }

    #[test]
    fn ranges_start_before_they_end_and_do_not_overlap() {
        let ranges = |ranges: Value| wrong(&json!({ "videoUrl": FILE, "ranges": ranges }));
        let (path, sentence) = ranges(json!([{ "start": 0, "end": 5 }, { "start": 30, "end": 20 }]));
        assert_eq!(path, "ranges[1].start");
        assert_eq!(sentence, "`ranges[1].start` must be less than `ranges[1].end` (got 30 and 20)");
        let (path, sentence) = ranges(json!([{ "start": 20, "end": 40 }, { "start": 0, "end": 20.5 }]));
        assert_eq!(path, "ranges[0].start");
        assert!(sentence.contains("at least 20.5, where the range before it ends (got 20)"), "{sentence}");
        assert_eq!(ranges(json!([{ "start": 1 }])).0, "ranges[0].end");
        assert_eq!(ranges(json!([{ "start": 0, "end": "1:30" }])).0, "ranges[0].end");
        assert_eq!(ranges(json!(vec![json!({ "start": 0, "end": 1 }); 21])).0, "ranges");
        let touching = json!({ "videoUrl": FILE, "ranges": [{ "start": 0, "end": 5 }, { "start": 5, "end": 9 }] });
        assert_eq!(read(&touching).unwrap().0.ranges.len(), 2);
    }

    #[test]
    fn a_wrong_member_is_named() {
        for (member, value) in [
            ("requestedClipCount", json!(0)),
            ("requestedClipCount", json!(51)),
            ("durationSeconds", json!(0)),
            ("durationSeconds", json!(14_401)),
            ("clipDurations", json!(["5-10"])),
            ("targetPlatform", json!("x".repeat(51))),
            ("captions", json!(7)),
            ("keywords", json!(vec!["a"; 21])),
            ("layout", json!("square")),
            ("reuse", json!("yes")),
            ("callbackUrl", json!("http://client.example/hook")),
            ("webhookUrl", json!("https://user:password@client.example/")),
            ("callbackUrl", json!(format!("https://client.example/{}", "x".repeat(2000)))),
        ] {
            let mut body = json!({ "videoUrl": FILE });
            body[member] = value;
            assert_eq!(wrong(&body).0, member, "{body}");
        }
        let (path, _) = wrong(&json!({ "videoUrl": FILE, "keywords": ["a", "x".repeat(101)] }));
        assert_eq!(path, "keywords[1]");
    }
}
