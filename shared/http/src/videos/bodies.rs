//! The bodies of VidBuilder's requests. The film specification of a request for a video has a reader of its own
//! ([`super::film`]).

use std::borrow::Cow;
use std::marker::PhantomData;

use reelhook_app::videos::films::IMAGE_LIMIT;
use reelhook_app::videos::uploads::{ImageType, Upload, VIDEO_LIMIT, VideoType};
use reelhook_app::views::wire::MetadataText;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::jobs::priority::PriorityField;
use crate::metadata::MetadataField;
use crate::typed::fields::{FieldValue, Flag, Parsed, Whole};
use crate::videos::film_reader::MOST_IMAGES;
use crate::videos::film_schema::VideoConfig;

/// The maximum length of a URL for webhooks, in bytes.
pub(super) const URL_LIMIT: usize = 2000;

/// An image to upload.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadRequest {
    /// The media type, in any case, with or without parameters. `image/jpg` and other old names are accepted, too; the
    /// `headers` of the answer have the type with which the image is uploaded.
    content_type: Parsed<ImageType>,
    /// The size in bytes.
    size: Whole<1, { IMAGE_LIMIT as i64 }>,
}

impl UploadRequest {
    /// The upload under a random key.
    pub(super) fn upload(self, random: u128) -> Upload {
        Upload::of(self.content_type.0, self.size.get(), random)
    }
}

/// A video to upload, from which clips are cut.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoUploadRequest {
    /// The media type, in any case, with or without parameters.
    content_type: Parsed<VideoType>,
    /// The size in bytes.
    size: Whole<1, { VIDEO_LIMIT as i64 }>,
}

impl VideoUploadRequest {
    /// The upload under a random key.
    pub(super) fn upload(self, random: u128) -> Upload {
        Upload::of_video(self.content_type.0, self.size.get(), random)
    }
}

/// A file to upload.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "NewUpload")]
pub enum NewUpload {
    /// An image, for a video.
    Image(UploadRequest),
    /// A video, for clips.
    Video(VideoUploadRequest),
}

impl FieldValue for VideoType {
    type Described = VideoTypeText;
    const RIGHT: &'static str = "`video/mp4`, `video/quicktime`, `video/webm` or `video/x-matroska`";

    fn of_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// Describes the media type of a video.
#[derive(Debug)]
pub struct VideoTypeText;

impl JsonSchema for VideoTypeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "VideoType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^ *[Vv][Ii][Dd][Ee][Oo]/",
            "examples": ["video/mp4", "video/quicktime", "video/webm", "video/x-matroska"],
        })
    }
}

impl FieldValue for ImageType {
    type Described = ImageTypeText;
    const RIGHT: &'static str = "`image/png`, `image/jpeg`, `image/webp` or `image/gif`";

    fn of_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// Describes the media type of an image.
#[derive(Debug)]
pub struct ImageTypeText;

impl JsonSchema for ImageTypeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ImageType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^ *[Ii][Mm][Aa][Gg][Ee]/",
            "examples": ["image/png", "image/jpeg", "image/webp", "image/gif"],
        })
    }
}

/// A request for a video.
#[derive(Debug, JsonSchema)]
#[schemars(transform = require_webhook_url)]
pub struct VideoRequest {
    /// The film specification.
    #[serde(flatten)]
    pub config: VideoConfig,
    /// What belongs to the request as a whole.
    #[serde(flatten)]
    pub extras: VideoExtras,
}

/// A request for a video that the caller waits for.
#[derive(Debug, JsonSchema)]
pub struct VideoRequestSync {
    /// The film specification.
    #[serde(flatten)]
    pub config: VideoConfig,
    /// What belongs to the request as a whole.
    #[serde(flatten)]
    pub extras: VideoExtras,
}

/// What a request has besides its film specification.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoExtras {
    /// The URL for webhooks about the video: https, without a user or password; http only if ALLOW_HTTP_WEBHOOKS allows
    /// it.
    #[schemars(with = "Option<WebhookUrl>")]
    pub(super) webhook_url: Option<Value>,
    /// The caller's own data.
    pub(super) metadata: Option<MetadataField>,
    /// Whether what the job of the video uses is counted, and shown as `usage` once it has ended.
    #[schemars(extend("default" = false))]
    pub(super) usage: Option<Flag>,
    /// The order among the caller's own waiting videos and jobs: higher ones start first.
    #[schemars(extend("default" = 5))]
    pub(super) priority: Option<PriorityField>,
}

/// Requires the URL for webhooks: the caller does not wait.
fn require_webhook_url(schema: &mut Schema) {
    let members = schema.ensure_object();
    members["properties"]["webhookUrl"]["type"] = json!("string");
    members.insert("required".to_owned(), json!(["scenes", "webhookUrl"]));
}

/// Describes a URL for webhooks.
#[derive(Debug)]
struct WebhookUrl;

impl JsonSchema for WebhookUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "WebhookUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "uri",
            "maxLength": URL_LIMIT,
            "examples": ["https://your-app.com/webhook/video-status"],
        })
    }
}

/// A request for a video as a form of at most 4 MiB. Other fields are ignored.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["config"]))]
pub struct VideoForm {
    /// The film specification.
    pub config: JsonText<VideoConfig>,
    /// The URL for webhooks about the video, unless `config` has it.
    #[schemars(length(max = URL_LIMIT))]
    pub webhook_url: String,
    /// The caller's own data, unless `config` has it.
    pub metadata: JsonText<MetadataText>,
    /// Images: PNG, JPEG, WebP or GIF. Scenes name them by file name or number; the other images go, in order, to the
    /// scenes that can show an image and have none. `image` and `images[]` are accepted, too.
    #[schemars(length(max = MOST_IMAGES))]
    pub images: Vec<FormFile>,
}

/// Describes JSON as a text.
#[derive(Debug)]
pub struct JsonText<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for JsonText<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("JsonText_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let content = generator.subschema_for::<T>();
        json_schema!({ "type": "string", "contentMediaType": "application/json", "contentSchema": content })
    }
}

/// Describes a file of a form.
#[derive(Debug)]
pub struct FormFile;

impl JsonSchema for FormFile {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FormFile".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "contentMediaType": "application/octet-stream" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::posting;

    #[test]
    fn a_wrong_field_of_an_upload_is_named() {
        let read = |body: &Value| posting("/api/uploads", body).body::<UploadRequest>();
        let upload = read(&json!({ "contentType": "image/jpg", "size": "1234.0" })).unwrap().upload(7);
        assert_eq!((upload.content_type, upload.bytes), ("image/jpeg", 1234));
        for (name, value, right) in [
            ("contentType", json!("image/tiff"), "`image/png`, `image/jpeg`, `image/webp` or `image/gif`"),
            ("contentType", json!(null), "`image/png`, `image/jpeg`, `image/webp` or `image/gif`"),
            ("size", json!(0), "a whole number from 1 to 10485760"),
            ("size", json!("large"), "a whole number from 1 to 10485760"),
        ] {
            let mut body = json!({ "contentType": "image/png", "size": 1234 });
            body[name] = value;
            let problem = read(&body).unwrap_err();
            assert_eq!(problem.path(), Some(name));
            assert_eq!(problem.parts().2, format!("`{name}` must be {right}"));
        }
        assert_eq!(read(&json!({ "size": 1 })).unwrap_err().path(), Some("contentType"));
    }

    #[test]
    fn only_a_request_that_does_not_wait_needs_a_url_for_webhooks() {
        let (needed, optional) = (schemars::schema_for!(VideoRequest), schemars::schema_for!(VideoRequestSync));
        let (needed, optional) = (needed.as_value(), optional.as_value());
        assert_eq!(
            (&needed["required"], &optional["required"]),
            (&json!(["scenes", "webhookUrl"]), &json!(["scenes"]))
        );
        let kinds = |schema: &Value| schema["properties"]["webhookUrl"]["type"].clone();
        assert_eq!((kinds(needed), kinds(optional)), (json!("string"), json!(["string", "null"])));
    }
}
