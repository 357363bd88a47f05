//! The part of a callback's body that is kept until its scene appears.

use serde_json::{Map, Value};

/// The maximum size of a member, in bytes of JSON: longer ones, such as a large `metadata`, are not kept.
const MEMBER_LIMIT: usize = 16 * 1024;
/// The maximum size of all members together, in bytes of JSON.
const BODY_LIMIT: usize = 64 * 1024;

/// The members of a body that fit into an item; the small ones come first, since they hold the result.
pub(super) fn kept(body: &Value) -> Value {
    let Some(members) = body.as_object() else { return Value::Null };
    let sized = members.iter().map(|(name, value)| (name.len() + value.to_string().len(), name, value));
    let mut sized: Vec<_> = sized.filter(|(size, _, _)| *size <= MEMBER_LIMIT).collect();
    sized.sort_by_key(|(size, _, _)| *size);
    let (mut kept, mut left) = (Map::new(), BODY_LIMIT);
    for (size, name, value) in sized {
        if size > left {
            break;
        }
        left -= size;
        kept.insert(name.clone(), value.clone());
    }
    Value::Object(kept)
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
}
