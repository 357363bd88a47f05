//! Videos that are specified scene by scene, with their music.

use std::borrow::Cow;

use reelhook_app::views::vidbuilder::{
    VideoAccepted, VideoCompletedData, VideoFailedData, VideoJobIdText, VideoMade, VideoStartedData, VideoStatus,
};
use reelhook_http::typed::fields::Text;
use reelhook_http::videos::answers::{MusicTracks, UploadAnswer, VideoDeleted, VideoList, VideoQueue};
use reelhook_http::videos::bodies::{NewUpload, VideoForm, VideoRequest, VideoRequestSync};
use reelhook_http::videos::routes::VideoListQuery;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::jobs::ONCE;
use crate::operation::{Access, Callback, Operation, operation, schema_of};

/// The operations about videos.
pub fn operations() -> Vec<Operation> {
    vec![
        making("POST /api/generate-video-async", "makeVideo", "Make a video from scenes")
            .about(
                "The answer comes immediately. `webhookUrl` gets a notification when the video starts to render, and \
                 another one when it is completed or has failed. `POST /api/job/{id}/cancel` cancels it.",
            )
            .body::<VideoRequest>()
            .form::<VideoForm>("multipart/form-data")
            .codes(&["webhook_url_missing"])
            .callbacks(notifications(["onVideoCallbackStarted", "onVideoCallbackCompleted", "onVideoCallbackFailed"])),
        making("POST /api/generate-flexible-video", "makeVideoAndWait", "Make a video from scenes, and wait for it")
            .about(WAIT)
            .body::<VideoRequestSync>()
            .form::<VideoForm>("multipart/form-data")
            .answer::<VideoMade>(200, "The video is finished")
            .codes(&["job_not_found", "video_failed"])
            .callbacks(notifications([
                "onVideoWaitedForStarted",
                "onVideoWaitedForCompleted",
                "onVideoWaitedForFailed",
            ])),
        of_videos("POST /api/uploads", "uploadImage", "Get a URL for the upload of an image or a video")
            .about(
                "`uploadUrl` of the answer accepts one PUT of exactly this type and size, straight to S3, for 15 \
                 minutes. Scenes then name the image by its `key`, and clip jobs the video. Uploads are kept for 30 \
                 days.",
            )
            .body::<NewUpload>()
            .answer::<UploadAnswer>(201, "The URL and the key"),
        of_videos("GET /api/job-status/{id}", "getVideoStatus", "Get the status of a video")
            .path::<VideoJobIdText>("id", "The video")
            .answer::<VideoStatus>(200, "The status; of a completed video, with all that its notification has")
            .codes(&["job_not_found"]),
        of_videos("GET /api/download/{id}", "downloadVideo", "Download a video")
            .access(Access::Link)
            .path::<Text<128>>("id", "The id of the video, with `_reels` for the vertical rendition; `.mp4` may follow")
            .empty_answer(302, "A redirect to a link of S3, which is valid for an hour", &["Location", "Cache-Control"])
            .codes(&["video_not_found"]),
        of_videos("GET /api/videos", "listVideos", "List videos, newest first")
            .about(
                "The list has the videos of VidBuilder's jobs. A page examines `limit` completed jobs and has those \
                 that still have their video, so it may have fewer than `limit`, or none, and a \
                 `nextCursor`.\n\nParameters `metadata.<name>=<value>` select videos whose metadata has all of these \
                 members. Such a request examines at most 1,000 jobs. They are not in the list of parameters, because \
                 some generated clients write them as `metadata[<name>]=<value>`: append them to the query yourself.",
            )
            .query::<VideoListQuery>()
            .answer::<VideoList>(200, "A page of videos"),
        of_videos("DELETE /api/videos/{id}", "deleteVideo", "Delete a video, and keep its job")
            .about(
                "The vertical rendition is deleted, too. Links stop working immediately; the files are deleted within \
                 seconds.",
            )
            .path::<VideoJobIdText>("id", "The video")
            .answer::<VideoDeleted>(200, "The video is deleted")
            .codes(&["video_gone"]),
        of_videos("GET /api/queue-status", "getVideoQueue", "Get the numbers of the queue")
            .about("Videos and StreamGank's jobs share one queue.")
            .answer::<VideoQueue>(200, "The numbers"),
        of_videos("GET /api/music-tracks", "listMusicTracks", "List the music tracks")
            .answer::<MusicTracks>(200, "All tracks"),
        of_videos("GET /api/music-tracks/{name}", "getMusicTrack", "Get a music track")
            .access(Access::Link)
            .stateless()
            .path::<Text<128>>(
                "name",
                "The file name, the file name without `.mp3`, or the id; a signed link is for the file name",
            )
            .answer_with::<Audio>(200, "The track", "audio/mpeg", &[])
            .codes(&["track_not_found"]),
    ]
}

/// An operation in VidBuilder's format.
fn of_videos(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("videos", route, id, summary).vidbuilder()
}

/// An operation that makes a video.
fn making(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    of_videos(route, id, summary)
        .idempotent(ONCE)
        .answer::<VideoAccepted>(202, "The video waits in the queue, or renders")
        .codes(&[
            "daily_limit",
            "no_scenes",
            "webhook_url_format",
            "webhook_url_protocol",
            "bad_config",
            "bad_form",
            "form_too_large",
        ])
}

/// The notifications about a video to `webhookUrl`.
fn notifications([started, completed, failed]: [&'static str; 3]) -> [Callback; 3] {
    [
        Callback {
            name: "started",
            id: started,
            summary: "The video starts to render",
            about: STARTED,
            event: "video.started",
            data: schema_of::<VideoStartedData>,
        },
        Callback {
            name: "completed",
            id: completed,
            summary: "The video is finished",
            about: SENT,
            event: "video.completed",
            data: schema_of::<VideoCompletedData>,
        },
        Callback {
            name: "failed",
            id: failed,
            summary: "The video failed or was cancelled",
            about: SENT,
            event: "video.failed",
            data: schema_of::<VideoFailedData>,
        },
    ]
}

/// A track as audio.
struct Audio;

impl JsonSchema for Audio {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Audio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "contentMediaType": "audio/mpeg" })
    }
}

/// How long a request waits.
const WAIT: &str = "Over the API the wait is 25 s; then the answer is that of `POST /api/generate-video-async`, and \
                    the job continues. If `MaxWaiters` requests are already waiting, that answer comes immediately. \
                    The stack's output `VideosWaitUrl` is a Function URL that waits for 14.5 minutes and accepts the \
                    same keys.";
/// How a notification is sent.
const SENT: &str = "The notification has `User-Agent: VidBuilder/1.0` and a timeout of 30 s. It is retried after 30 \
                    s, 2 min and 5 min.";
/// How the first notification is sent.
const STARTED: &str = "The notification has `User-Agent: VidBuilder/1.0` and a timeout of 30 s. It is retried after \
                       30 s, 2 min and 5 min, but no longer once the video has ended.";
