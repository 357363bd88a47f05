//! Reads a request for a video, in JSON or as a form with images (docs/contract/videos.md, Requesting; seed 002).

use std::borrow::Cow;

use reelhook_app::Url;
use reelhook_app::videos::requests::VideoRequest;
use reelhook_app::videos::uploads::{ImageType, Upload, VideoType, sniff};
use reelhook_app::views::streamgank::VideoParameters;
use reelhook_app::webhooks::endpoints::check_receiver;
use reelhook_domain::WebUrl;
use reelhook_domain::videos::render::Renderer;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::idempotency::{key_of_body, key_of_form};
use crate::jobs::priority::priority;
use crate::metadata::{self, MetadataField};
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::typed::fields::FieldValue;
use crate::typed::{self, json};
use crate::videos::bodies::{URL_LIMIT, UploadRequest, VideoExtras, VideoUploadRequest};
use crate::videos::film_numbers::keep_digits;
use crate::videos::film_reader::MOST_IMAGES;
use crate::videos::film_values::{first_text, is_empty};
use crate::videos::form::{self, Part};
use crate::videos::problem::VideoProblem;

/// The parts of a request.
#[derive(Default)]
struct Parts {
    config: Value,
    /// The fields of a form beside its configuration.
    fields: VideoExtras,
    files: Vec<Part>,
}

/// Reads a request for a video, which `renderer` renders. `random` supplies the keys of images, and `track` finds the
/// id of a music track by one of its names.
///
/// # Errors
/// [`Problem`] names the wrong value and says what would be right.
pub async fn read(
    request: &ApiRequest,
    caller: &Caller,
    needs_callback: bool,
    allow_http: bool,
    renderer: Renderer,
    mut random: impl FnMut() -> u128,
    track: impl Fn(&str) -> Option<&'static str>,
) -> Result<VideoRequest, Problem> {
    let is_form = form::is_form(request);
    let Parts { config, fields, files } = if is_form {
        of_form(form::read(request).await?)?
    } else {
        Parts { config: request.json_by(read_json)?, ..Parts::default() }
    };
    if config["scenes"].as_array().is_none_or(Vec::is_empty) {
        return Err(Problem::Video(VideoProblem::NoScenes(config)));
    }
    let configured: VideoExtras = typed::read(&config)?;
    let callback = fields.webhook_url.filter(|url| !is_empty(url)).or(configured.webhook_url).unwrap_or_default();
    let key = if is_form {
        let metadata = fields.metadata.as_ref().map_or(Value::Null, |MetadataField(metadata)| json!(metadata));
        key_of_form(request, caller, &config, &callback, &metadata, &files)?
    } else {
        key_of_body(request, caller, &config)?
    };
    let callback = read_callback(&callback, needs_callback, allow_http)?;
    let MetadataField(metadata) = fields.metadata.or(configured.metadata).unwrap_or_default();
    let mut uploads = Vec::with_capacity(files.len());
    let mut attached = Vec::with_capacity(files.len());
    for (index, file) in files.into_iter().enumerate() {
        let media_type = sniff(&file.bytes).unwrap_or_default();
        let size = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        let upload = Upload::new(media_type, size, random())
            .ok_or_else(|| bad(format!("images[{index}]"), "a PNG, JPEG, WebP or GIF image".to_owned()))?;
        attached.push((file.file.unwrap_or_default(), upload.key.clone()));
        uploads.push((upload, file.bytes.to_vec()));
    }
    let parsed = crate::videos::film::read(&config, &attached, renderer, track)?;
    let input = json!(VideoParameters {
        title: parsed.film.title.clone(),
        r#type: first_text(&config, "", &["type"])?.map_or_else(|| "flexible".to_owned(), |(_, named)| named),
        theme: parsed.film.theme,
        quality: parsed.film.quality,
        music: parsed.film.music.as_ref().map(|music| music.track.clone()),
        generate_reels: parsed.film.reels,
        scenes: parsed.film.scenes.len(),
    });
    Ok(VideoRequest {
        film: parsed.film,
        warnings: parsed.warnings,
        input,
        callback,
        metadata,
        priority: priority(configured.priority),
        uploads,
        origin: caller.origin(request),
        key,
        usage: configured.usage.is_some_and(|usage| usage.0),
    })
}

/// The parts of a form: `config`, `webhookUrl`, `metadata`, `images`.
fn of_form(form: Vec<Part>) -> Result<Parts, Problem> {
    let mut parts = Parts::default();
    for part in form {
        match part.name.trim_end_matches("[]") {
            "config" => {
                let config =
                    part.text().map_err(|why| why.problem(|why| Problem::Video(VideoProblem::BadConfig(why))))?;
                parts.config =
                    read_json(&config).map_err(|error| Problem::Video(VideoProblem::BadConfig(error.to_string())))?;
            }
            "webhookUrl" => parts.fields.webhook_url = Some(json!(field(&part)?.trim())),
            "metadata" => parts.fields.metadata = metadata::of_form(&field(&part)?)?,
            "images" | "image" if !part.is_unfilled() => parts.files.push(part),
            // Browsers also send unknown fields, and empty file inputs.
            _ => {}
        }
    }
    if parts.files.len() > MOST_IMAGES {
        let right = format!("at most {MOST_IMAGES} images");
        return Err(bad("images", right));
    }
    Ok(parts)
}

/// The text of a field.
fn field(part: &Part) -> Result<Cow<'_, str>, Problem> {
    part.text()
        .map_err(|why| why.problem(|why| Problem::Video(VideoProblem::BadForm(format!("`{}`: {why}", part.name)))))
}

/// Parses JSON without loss of digits, because viewers read the numbers of a video. In metadata a number stays a number.
fn read_json(text: &str) -> serde_json::Result<Value> {
    let kept = keep_digits(text.as_bytes());
    let mut config = json::parse(&kept)?;
    if matches!(kept, Cow::Owned(_)) && config.get("metadata").is_some() {
        config["metadata"] = json::parse(text.as_bytes())?["metadata"].take();
    }
    Ok(config)
}

fn read_callback(given: &Value, needed: bool, allow_http: bool) -> Result<Option<WebUrl>, Problem> {
    if is_empty(given) {
        return if needed { Err(Problem::Video(VideoProblem::CallbackMissing)) } else { Ok(None) };
    }
    let Value::String(text) = given else { return Err(Problem::Video(VideoProblem::CallbackFormat(given.clone()))) };
    let text = text.trim();
    let received = || given.clone();
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_LIMIT);
    let url = url.ok_or_else(|| Problem::Video(VideoProblem::CallbackFormat(received())))?;
    match url.scheme() {
        "http" if !allow_http => {
            return Err(Problem::Video(VideoProblem::CallbackProtocol(received(), "an HTTPS URL")));
        }
        "http" | "https" => {}
        _ => return Err(Problem::Video(VideoProblem::CallbackProtocol(received(), "a valid HTTP/HTTPS URL"))),
    }
    let url = check_receiver(url, allow_http).map_err(|_| Problem::Video(VideoProblem::CallbackFormat(received())))?;
    Ok(Some(url))
}

/// Reads the type and size of an image or a video to upload: POST /api/uploads `{contentType, size}`.
///
/// # Errors
/// [`Problem`] names the wrong field.
pub fn read_upload(request: &ApiRequest, random: u128) -> Result<Upload, Problem> {
    let body = request.json()?;
    match body["contentType"].as_str() {
        Some(named) if VideoType::parse(named).is_some() => {
            Ok(typed::read::<VideoUploadRequest>(&body)?.upload(random))
        }
        Some(named) if ImageType::parse(named).is_none() => {
            let [images, videos] = [ImageType::RIGHT, VideoType::RIGHT];
            Err(bad("contentType", format!("{images} for an image, {videos} for a video")))
        }
        Some(_) | None => Ok(typed::read::<UploadRequest>(&body)?.upload(random)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::posting;

    fn upload(body: &Value) -> Result<Upload, Problem> {
        read_upload(&posting("/api/uploads", body), 7)
    }

    #[test]
    fn videos_may_be_larger_than_images() {
        let (image, video) =
            (json!({ "contentType": "image/png", "size": 5 }), json!({ "contentType": "video/mp4", "size": 4e9 }));
        assert_eq!(upload(&image).unwrap().content_type, "image/png");
        assert_eq!(upload(&video).map(|upload| (upload.content_type, upload.bytes)), Ok(("video/mp4", 4_000_000_000)));
        for (kind, size, path) in
            [("image/png", 4e9, "size"), ("video/mp4", 4e9 + 1.0, "size"), ("text/html", 5.0, "contentType")]
        {
            let problem = upload(&json!({ "contentType": kind, "size": size })).unwrap_err();
            assert_eq!(problem.path(), Some(path), "{kind}");
        }
        assert_eq!(upload(&json!({ "size": 5 })).unwrap_err().path(), Some("contentType"));
    }
}
