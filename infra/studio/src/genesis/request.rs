//! The submission of a job, validated as the real worker validates it.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::settings::MOST_CLIPS;

/// The clips of a submission that names no number.
const DEFAULT_CLIPS: u32 = 5;

/// A submission.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub video_url: String,
    pub callback_url: Option<String>,
    pub external_job_id: Option<String>,
    pub owner_user_id: Option<String>,
    pub max_clips: u32,
    /// All members, as they were sent.
    pub body: Value,
}

impl Request {
    /// # Errors
    /// The `detail` of a 422: what is invalid.
    pub(crate) fn parse(body: &Bytes) -> Result<Self, Value> {
        let body: Value = serde_json::from_slice(body).map_err(|_| invalid("", "JSON decode error"))?;
        let text = |name: &str| match &body[name] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(invalid(name, "Input should be a valid string")),
        };
        let max_clips = match &body["max_clips"] {
            Value::Null => DEFAULT_CLIPS,
            other => {
                let number = other.as_u64().and_then(|number| u32::try_from(number).ok());
                let valid = number.filter(|number| (1..=MOST_CLIPS).contains(number));
                valid.ok_or_else(|| invalid("max_clips", "Input should be from 1 to 50"))?
            }
        };
        Ok(Self {
            video_url: text("video_url")?.ok_or_else(|| invalid("video_url", "Field required"))?,
            callback_url: text("callback_url")?,
            external_job_id: text("external_job_id")?,
            owner_user_id: text("owner_user_id")?,
            max_clips,
            body,
        })
    }
}

/// A member that is not valid, as FastAPI describes it.
fn invalid(member: &str, message: &str) -> Value {
    json!([{ "type": "value_error", "loc": ["body", member], "msg": message }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let check = |body: &str, member: &str| {
            let detail = Request::parse(&Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
            assert_eq!(detail[0]["loc"], json!(["body", member]), "{body}");
        };
        check("{", "");
        check("{}", "video_url");
        check(r#"{"video_url": 7}"#, "video_url");
        check(r#"{"video_url": "http://a/1.mp4", "max_clips": 0}"#, "max_clips");
        let body = Bytes::from_static(br#"{"video_url": "http://a/1.mp4", "callback_url": null}"#);
        let request = Request::parse(&body).unwrap();
        assert_eq!((request.video_url.as_str(), request.max_clips), ("http://a/1.mp4", DEFAULT_CLIPS));
        assert_eq!(request.callback_url, None);
    }
}
