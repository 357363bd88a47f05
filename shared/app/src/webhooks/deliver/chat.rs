//! Events as messages of chat services: Slack's blocks and Discord's embeds, within the limits that these services document.

use reelhook_domain::{OutboundEvent, Timestamp};
use serde_json::{Value, json};
use url::Url;

/// The most characters of one fact: even if all of them are escaped, it fits into a field.
const FIELD_LIMIT: usize = 200;
/// The most characters of the sentences, for the same reason.
const QUOTE_LIMIT: usize = 550;
/// The most bytes of a link in Slack's escaping; a longer link is left out.
const LINK_LIMIT: usize = 1000;

/// The content of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChatText<'a> {
    /// The event's name.
    pub event: &'a str,
    /// Its data, which is untrusted input in a triggered event.
    pub data: &'a Value,
    /// The time of the event.
    pub at: Timestamp,
}

/// A message without the markup of a service.
struct Parts {
    title: String,
    color: u32,
    facts: Vec<(&'static str, String)>,
    sentence: Option<String>,
    video: Option<String>,
}

const GREEN: u32 = 0x2e_b6_7d;
const RED: u32 = 0xe0_1e_5a;
const YELLOW: u32 = 0xec_b2_2e;
const GRAY: u32 = 0x86_8e_96;

fn title(event: &str) -> (String, u32) {
    let Some(event) = OutboundEvent::parse(event) else { return (format!("🔔 StreamGank {event}"), GRAY) };
    let (title, color) = match event {
        OutboundEvent::Completed => ("✅ StreamGank Job Completed", GREEN),
        OutboundEvent::Failed | OutboundEvent::FailedNoRetry => ("❌ StreamGank Job Failed", RED),
        OutboundEvent::Cancelled => ("🚫 StreamGank Job Cancelled", GRAY),
        OutboundEvent::ExtractionCompleted => ("⏸️ StreamGank Extraction Completed", GREEN),
        OutboundEvent::ScriptCompleted => ("🎬 StreamGank Script Completed", GREEN),
        OutboundEvent::CompletedWithIssues => ("⚠️ StreamGank Job Completed With Issues", YELLOW),
        OutboundEvent::Timeout => ("⏱️ StreamGank Job Timed Out", RED),
        OutboundEvent::WorkflowIncomplete => ("⚠️ StreamGank Workflow Incomplete", YELLOW),
        OutboundEvent::RenderTimeout => ("⏱️ StreamGank Render Timed Out", YELLOW),
        OutboundEvent::Deleted => ("🗑️ StreamGank Job Deleted", GRAY),
        OutboundEvent::VideoStarted => ("🎬 Video Started", GRAY),
        OutboundEvent::VideoCompleted => ("✅ Video Completed", GREEN),
        OutboundEvent::VideoFailed => ("❌ Video Failed", RED),
        OutboundEvent::ProjectStarted => ("🎬 Project Started", GRAY),
        OutboundEvent::ProjectCompleted => ("✅ Project Completed", GREEN),
        OutboundEvent::ProjectFailed => ("❌ Project Failed", RED),
        OutboundEvent::ProjectCancelled => ("🚫 Project Cancelled", GRAY),
        OutboundEvent::SceneGenerated => ("🎞️ Scene Generated", GRAY),
        OutboundEvent::SceneVerified => ("✅ Scene Verified", GREEN),
        OutboundEvent::SceneRejected => ("⚠️ Scene Rejected", YELLOW),
        OutboundEvent::ClipsStarted => ("🎬 Clips Started", GRAY),
        OutboundEvent::ClipReady => ("🎞️ Clip Ready", GRAY),
        OutboundEvent::ClipsCompleted => ("✅ Clips Completed", GREEN),
        OutboundEvent::ClipsFailed => ("❌ Clips Failed", RED),
        OutboundEvent::ClipsCanceled => ("🚫 Clips Canceled", GRAY),
        OutboundEvent::ErrorRaised => ("⚠️ Error Raised", RED),
        OutboundEvent::ErrorResolved => ("✅ Error Resolved", GREEN),
        OutboundEvent::EndpointFailing => ("⚠️ Webhook Endpoint Fails", YELLOW),
        OutboundEvent::EndpointDisabled => ("⛔ Webhook Endpoint Disabled", RED),
        OutboundEvent::EndpointRecovered => ("✅ Webhook Endpoint Recovered", GREEN),
        OutboundEvent::DeliveryExhausted => ("❌ Webhook Given Up", RED),
        OutboundEvent::Test => ("🔔 StreamGank webhook.test", GRAY),
    };
    (title.to_owned(), color)
}

fn parts(of: &ChatText<'_>) -> Parts {
    let (title, color) = title(of.event);
    let data = of.data;
    let text = |value: &Value, most: usize| value.as_str().filter(|text| !text.is_empty()).map(|text| cut(text, most));
    let facts = [
        ("Job ID", &data["job_id"]),
        ("Job ID", &data["jobId"]),
        ("Project", &data["project_name"]),
        ("Scene", &data["scene_number"]),
        ("Error ID", &data["error_id"]),
        ("Duration", &data["duration"]),
        ("Country", &data["parameters"]["country"]),
        ("Platform", &data["parameters"]["platform"]),
        ("Genre", &data["parameters"]["genre"]),
        ("Step", &data["current_step"]),
    ];
    let sentences = [
        &data["error"],
        &data["errorMessage"],
        &data["no_retry_reason"],
        &data["suggested_solution"],
        &data["message"],
    ];
    let mut distinct: Vec<String> = Vec::new();
    for sentence in sentences.into_iter().filter_map(|value| text(value, QUOTE_LIMIT)) {
        if !distinct.contains(&sentence) {
            distinct.push(sentence);
        }
    }
    let video = data["video_url"].as_str().and_then(|text| Url::parse(text).ok());
    let video = video.filter(|url| matches!(url.scheme(), "http" | "https"));
    // These characters would end the link in the markup of either service.
    let video = video.map(|url| url.as_str().replace('|', "%7C").replace(')', "%29").replace('>', "%3E"));
    Parts {
        title: cut(&title, 150),
        color,
        facts: facts.into_iter().filter_map(|(name, value)| Some((name, text(value, FIELD_LIMIT)?))).collect(),
        sentence: (!distinct.is_empty()).then(|| cut(&distinct.join("\n"), QUOTE_LIMIT)),
        video: video.filter(|text| text.len() + 4 * text.matches('&').count() <= LINK_LIMIT),
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}

/// A message for Slack: a text for notifications, and blocks.
pub(super) fn slack(of: &ChatText<'_>) -> Value {
    let Parts { title, color: _, facts, sentence, video } = parts(of);
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let markdown = |text: String| json!({ "type": "mrkdwn", "text": text });
    let mut lines = vec![escape(&title)];
    let mut blocks = vec![json!({ "type": "header", "text": { "type": "plain_text", "text": title, "emoji": true } })];
    if !facts.is_empty() {
        let fields = facts.iter().map(|(name, text)| markdown(format!("*{name}*\n{}", escape(text))));
        blocks.push(json!({ "type": "section", "fields": fields.collect::<Vec<_>>() }));
        lines.extend(facts.iter().take(2).map(|(name, text)| format!("{name}: {}", escape(text))));
    }
    if let Some(sentence) = sentence {
        blocks.push(json!({ "type": "section", "text": markdown(escape(&sentence)) }));
        lines.push(escape(&sentence));
    }
    if let Some(video) = video {
        blocks.push(json!({ "type": "section", "text": markdown(format!("*Video*\n<{}>", escape(&video))) }));
        lines.push(format!("Video: {}", escape(&video)));
    }
    let when = format!("{} · {}", escape(of.event), of.at);
    blocks.push(json!({ "type": "context", "elements": [markdown(when)] }));
    json!({ "text": lines.join("\n"), "blocks": blocks })
}

/// A message for Discord: one embed, without mentions.
pub(super) fn discord(of: &ChatText<'_>) -> Value {
    let Parts { title, color, facts, sentence, video } = parts(of);
    let escape = |text: &str| {
        text.chars().fold(String::with_capacity(text.len()), |mut escaped, letter| {
            if "\\*_~`|>[]()#-".contains(letter) {
                escaped.push('\\');
            }
            escaped.push(letter);
            escaped
        })
    };
    let fields = facts.iter().map(|(name, text)| json!({ "name": name, "value": escape(text), "inline": true }));
    let mut embed = json!({
        "title": title,
        "color": color,
        "fields": fields.collect::<Vec<_>>(),
        "footer": { "text": cut(of.event, FIELD_LIMIT) },
        "timestamp": of.at.to_string(),
    });
    if let Some(sentence) = sentence {
        embed["description"] = json!(escape(&sentence));
    }
    if let Some(video) = video {
        embed["url"] = json!(video);
        let fields = embed["fields"].as_array_mut().expect("a list");
        fields.push(json!({ "name": "Video", "value": format!("[Watch the video]({video})"), "inline": false }));
    }
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data: &Value) -> ChatText<'_> {
        ChatText { event: "job.completed", data, at: Timestamp(1_704_110_400_000) }
    }

    #[test]
    fn a_completed_job_has_a_message_for_each_service() {
        let data = json!({
            "job_id": "job_1704123456789_abc123",
            "video_url": "https://cdn.creatomate.com/video.mp4?a=1&b=2",
            "duration": "5m 30s",
            "current_step": "Video generation completed!",
            "error": null,
            "parameters": { "country": "FR", "platform": "Netflix", "genre": "Comédie <3 & more" },
        });
        insta::assert_json_snapshot!("slack", slack(&text(&data)));
        insta::assert_json_snapshot!("discord", discord(&text(&data)));
    }

    #[test]
    fn hostile_data_stays_within_every_limit_and_adds_no_markup() {
        (1..220).step_by(3).for_each(hostile);
    }

    fn hostile(length: usize) {
        let long = "<!channel> [x](javascript:1) **b** @everyone ".repeat(400);
        let data = json!({
            "job_id": long, "duration": long, "current_step": long, "error": long, "message": "m&".repeat(5000),
            "no_retry_reason": long, "suggested_solution": format!("x{long}"), "video_url": format!("https://a.example/{}", "a|>)&".repeat(length)),
            "parameters": { "country": long, "platform": long, "genre": long },
        });
        let event = "e".repeat(300);
        let of = ChatText { event: &event, ..text(&data) };
        let slack = slack(&of);
        assert!(!slack.to_string().contains("<!channel>"));
        let blocks = slack["blocks"].as_array().unwrap();
        let letters = |value: &Value| value.as_str().unwrap().chars().count();
        assert!(letters(&blocks[0]["text"]["text"]) <= 150);
        for block in blocks {
            assert!(block["text"]["text"].as_str().is_none_or(|text| text.chars().count() <= 3000), "{block}");
            let fields = block["fields"].as_array().cloned().unwrap_or_default();
            assert!(fields.len() <= 10 && fields.iter().all(|field| letters(&field["text"]) <= 2000), "{block}");
        }
        let discord = discord(&of);
        let embed = &discord["embeds"][0];
        assert!(letters(&embed["title"]) <= 256 && letters(&embed["description"]) <= 4096);
        let fields = embed["fields"].as_array().unwrap();
        let texts = fields.iter().flat_map(|field| [&field["name"], &field["value"]]);
        let sum: usize =
            texts.chain([&embed["title"], &embed["description"], &embed["footer"]["text"]]).map(letters).sum();
        assert!(fields.iter().all(|field| letters(&field["value"]) <= 1024) && sum <= 6000, "{sum}");
        assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }));
    }

    #[test]
    fn only_web_addresses_become_links() {
        for url in ["javascript:alert(1)", "ftp://a.example/x", "video.mp4"] {
            let data = json!({ "video_url": url });
            assert!(!slack(&text(&data)).to_string().contains(url), "{url}");
            assert!(discord(&text(&data))["embeds"][0].get("url").is_none(), "{url}");
        }
    }
}
