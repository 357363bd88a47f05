//! The part of a callback's body that is kept until its scene appears: large members are left out, and of a large
//! `metadata` the ids and as many of its small members as fit stay.

use serde_json::{Map, Value};

use crate::projects::metadata::OURS;

/// The maximum size of a member, in bytes of JSON: longer ones are not kept, and of `metadata` as much as fits.
const MEMBER_LIMIT: usize = 16 * 1024;
/// The maximum size of all members together, in bytes of JSON, beside a `metadata` that does not fit into it as a whole.
const BODY_LIMIT: usize = 64 * 1024;

/// The members of a body that fit into an item.
pub(super) fn kept(body: &Value) -> Value {
    let Some(members) = body.as_object() else { return Value::Null };
    let mut kept = fitting(members, BODY_LIMIT);
    if !kept.contains_key("metadata") {
        let part = members.get("metadata").and_then(Value::as_object).map(|metadata| fitting(metadata, MEMBER_LIMIT));
        let part = part.filter(|part| !part.is_empty());
        kept.extend(part.map(|part| ("metadata".to_owned(), Value::Object(part))));
    }
    Value::Object(kept)
}

/// The members that fit together: first the ids, which say what is meant, then the small ones, which hold the result.
fn fitting(members: &Map<String, Value>, most: usize) -> Map<String, Value> {
    let sized = members.iter().map(|(name, value)| (name.len() + value.to_string().len(), name, value));
    let mut sized: Vec<_> = sized.filter(|(size, _, _)| *size <= MEMBER_LIMIT).collect();
    sized.sort_by_key(|(size, name, _)| (!OURS.contains(&name.as_str()), *size));
    let (mut fitting, mut left) = (Map::new(), most);
    for (size, name, value) in sized {
        if size <= left {
            left -= size;
            fitting.insert(name.clone(), value.clone());
        }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_small_body_is_kept_whole() {
        let body = json!({ "status": "completed", "video_url": "https://v.example/1.mp4", "metadata": { "a": [1.5] } });
        assert_eq!(kept(&body), body);
    }

    #[test]
    fn large_members_are_left_out_and_the_result_stays() {
        let large = "x".repeat(MEMBER_LIMIT);
        let body =
            json!({ "metadata": { "note": large }, "status": "completed", "video_url": "https://v.example/1.mp4" });
        assert_eq!(kept(&body), json!({ "status": "completed", "video_url": "https://v.example/1.mp4" }));
        let mut many: Map<String, Value> =
            (0..100).map(|n| (format!("member_{n}"), json!("x".repeat(MEMBER_LIMIT - 100)))).collect();
        many.insert("status".to_owned(), json!("failed"));
        let kept = kept(&Value::Object(many));
        assert_eq!(kept["status"], "failed");
        assert!(kept.to_string().len() <= BODY_LIMIT + 1024);
        assert_eq!(super::kept(&json!([1])), Value::Null);
    }

    #[test]
    fn of_large_metadata_the_ids_and_the_small_members_stay() {
        let large = |bytes: usize| json!("x".repeat(bytes));
        let ids = json!({ "submission": "proj_1.video.1.1.scene_1", "scene_id": "scene_1", "project_id": "proj_1" });
        let mut metadata = ids.clone();
        for (name, value) in [("seed", json!(7)), ("note", large(9_000)), ("log", large(9_500)), ("raw", large(40_000))]
        {
            metadata[name] = value;
        }
        let body = kept(&json!({ "status": "completed", "metadata": metadata }));
        let mut expected = ids;
        expected["seed"] = json!(7);
        expected["note"] = large(9_000);
        assert_eq!(body, json!({ "status": "completed", "metadata": expected }));

        let mut many: Map<String, Value> = (0..4_000).map(|n| (format!("a{n:04}"), json!(n))).collect();
        many.insert("submission".to_owned(), json!("proj_1.video.1.1.scene_1"));
        let body = kept(&json!({ "metadata": many }));
        let members = body["metadata"].as_object().unwrap();
        assert!(members.contains_key("submission") && members.len() < 4_000);
    }
}
