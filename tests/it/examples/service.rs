//! The API itself: health, sign-in, the catalogue, and URLs.

use serde_json::json;

use super::recorder::Recorder;

/// Calls that need nothing before them.
pub async fn calls(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    for operation in ["getHealth", "getApiHealth", "getTest"] {
        recorder.get(operation, &[], "").await;
    }
    let choice = json!({ "country": "US", "platforms": ["Netflix"], "genres": ["Horror"], "contentType": "Film" });
    recorder.send("previewMovies", &[], &choice).await;
    for operation in ["listPlatforms", "listGenres"] {
        recorder.get(operation, &["US"], "").await;
    }
    recorder.get("listTemplates", &[], "").await;
    recorder.send("validateUrl", &[], &json!({ "url": format!("{}/", stack.studio) })).await;
    recorder.send("signIn", &[], &json!({ "password": stack.key })).await;
    recorder.post("signOut", &[]).await;
}
