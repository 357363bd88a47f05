//! The content of a scene: which of its members says what, under the names that clients give them.

use reelhook_domain::film::{Content, ImageRef, Item, SceneKind};
use serde_json::{Value, json};

use crate::film::{Images, short, text, wrong};
use crate::problem::Problem;

/// Points, steps, numbers, products, answers or columns of a scene.
const MOST_ITEMS: usize = 12;
/// Names of the list of a scene.
const LISTS: [&str; 16] = [
    "items",
    "features",
    "points",
    "steps",
    "stats",
    "statistics",
    "products",
    "options",
    "answers",
    "choices",
    "takeaways",
    "columns",
    "bullets",
    "list",
    "cells",
    "rows",
];
/// Columns of a comparison that are named by themselves; the one after is put forward.
const SIDES: [(&str, &str); 4] = [("left", "right"), ("before", "after"), ("old", "new"), ("them", "us")];

/// Reads the content of a scene.
///
/// # Errors
/// [`Problem`] names the place and what would be right.
pub(crate) fn content(
    place: &str,
    kind: SceneKind,
    value: &Value,
    images: &mut Images<'_>,
) -> Result<Content, Problem> {
    match value {
        Value::Null => return Ok(Content::default()),
        Value::Object(_) => {}
        _ => return Err(wrong(place, "an object such as {\"title\": \"Welcome\"}")),
    }
    let get = |names: &[&str]| text(value, place, names).map(Option::unwrap_or_default);
    let title: &[&str] = match kind {
        SceneKind::Testimonial => &["quote", "testimonial", "text", "title"],
        SceneKind::Quiz => &["question", "title", "heading"],
        SceneKind::HeroTitle
        | SceneKind::ProductShowcase
        | SceneKind::FeatureList
        | SceneKind::Cta
        | SceneKind::Comparison
        | SceneKind::Stats
        | SceneKind::StepByStep
        | SceneKind::ProductMatrix
        | SceneKind::LessonTitle
        | SceneKind::KeyTakeaways => &["title", "heading", "headline", "productName", "name", "text"],
    };
    let title = get(title)?;
    let body = get(&["description", "body", "paragraph", "message", "text"])?;
    let mut content = Content {
        kicker: get(&["kicker", "eyebrow", "badge", "label", "tag"])?,
        body: if body == title { String::new() } else { body },
        title,
        subtitle: get(&["subtitle", "subheading", "subtext", "tagline"])?,
        button: get(&["buttonText", "button", "ctaText", "cta"])?,
        footnote: get(&["footnote", "price", "url", "website", "contact", "footer", "note"])?,
        author: match kind {
            SceneKind::Testimonial => get(&["author", "name", "customer", "person"])?,
            _ => get(&["author"])?,
        },
        role: get(&["role", "position", "jobTitle", "authorTitle", "company"])?,
        items: items(place, kind, value, images)?,
        images: pictures(place, value, images)?,
    };
    if kind == SceneKind::LessonTitle && content.kicker.is_empty() {
        let number = get(&["lessonNumber", "lesson", "number", "chapter"])?;
        let bare = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        content.kicker = if bare { format!("Lesson {number}") } else { number };
    }
    if kind == SceneKind::Quiz {
        mark_answer(&mut content.items, value);
    }
    Ok(content)
}

fn items(place: &str, kind: SceneKind, value: &Value, images: &mut Images<'_>) -> Result<Vec<Item>, Problem> {
    for (one, other) in SIDES.into_iter().filter(|_| kind == SceneKind::Comparison) {
        if [one, other].iter().any(|side| value[*side].is_object() || value[*side].is_array()) {
            let mut sides = Vec::with_capacity(2);
            for (side, marked) in [(one, false), (other, true)] {
                let place = format!("{place}.{side}");
                // A list alone is what the column says.
                let mut column = match &value[side] {
                    points @ Value::Array(_) => item(&place, kind, &json!({ "points": points }), images)?,
                    column => item(&place, kind, column, images)?,
                };
                column.marked |= marked;
                if column.title.is_empty() {
                    column.title = side[..1].to_uppercase() + &side[1..];
                }
                sides.push(column);
            }
            return Ok(sides);
        }
    }
    let Some((name, list)) = LISTS.iter().find_map(|name| Some((name, value.get(*name)?))) else {
        return Ok(Vec::new());
    };
    let place = format!("{place}.{name}");
    let list = match list {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err(wrong(&place, "a list")),
    };
    if list.len() > MOST_ITEMS {
        return Err(wrong(&place, format!("a list of at most {MOST_ITEMS}, and not of {}", list.len())));
    }
    list.iter().enumerate().map(|(index, entry)| item(&format!("{place}[{index}]"), kind, entry, images)).collect()
}

fn item(place: &str, kind: SceneKind, value: &Value, images: &mut Images<'_>) -> Result<Item, Problem> {
    match value {
        Value::String(text) => return Ok(Item { title: short(place, text)?, ..Item::default() }),
        Value::Number(number) => return Ok(Item { title: number.to_string(), ..Item::default() }),
        Value::Null => return Ok(Item::default()),
        Value::Object(_) => {}
        Value::Bool(_) | Value::Array(_) => return Err(wrong(place, "a text or an object with a `title`")),
    }
    let get = |names: &[&str]| text(value, place, names).map(Option::unwrap_or_default);
    let title = get(&["title", "name", "heading", "text", "answer", "option", "step"])?;
    let below = get(&["description", "text", "subtitle", "label", "detail", "body"])?;
    let number = get(&["value", "number", "stat", "price", "amount"])?;
    let (title, below) = match kind {
        // A number has one line below it, whatever that is called.
        SceneKind::Stats => (String::new(), if below.is_empty() { title } else { below }),
        _ if title.is_empty() => (below, String::new()),
        _ if title == below => (title, String::new()),
        _ => (title, below),
    };
    let image = ["image", "imageUrl", "img", "photo", "picture"].iter().find(|name| !value[**name].is_null());
    Ok(Item {
        title,
        text: below,
        value: if kind == SceneKind::Stats { number + &get(&["suffix", "unit"])? } else { number },
        icon: get(&["icon", "emoji"])?.chars().take(16).collect(),
        marked: ["correct", "isCorrect", "highlight", "highlighted", "recommended", "featured", "winner"]
            .iter()
            .any(|name| value[*name] == true),
        points: points(place, value)?,
        image: image.map(|name| images.read(&format!("{place}.{name}"), &value[*name])).transpose()?,
    })
}

/// The points of a column.
fn points(place: &str, value: &Value) -> Result<Vec<String>, Problem> {
    let names = ["points", "features", "items", "pros", "list", "bullets"];
    let Some((name, list)) = names.iter().find_map(|name| Some((name, value[*name].as_array()?))) else {
        return Ok(Vec::new());
    };
    let place = format!("{place}.{name}");
    if list.len() > MOST_ITEMS {
        return Err(wrong(&place, format!("a list of at most {MOST_ITEMS}, and not of {}", list.len())));
    }
    let point = |(index, entry): (usize, &Value)| match entry {
        Value::String(text) => short(&format!("{place}[{index}]"), text),
        other => Ok(text(other, &place, &["text", "title", "name", "label"])?.unwrap_or_default()),
    };
    list.iter().enumerate().map(point).collect()
}

fn pictures(place: &str, value: &Value, images: &mut Images<'_>) -> Result<Vec<ImageRef>, Problem> {
    let mut found = Vec::new();
    for name in ["image", "imageUrl", "productImage", "photo", "avatar", "picture"] {
        if !value[name].is_null() {
            found.push(images.read(&format!("{place}.{name}"), &value[name])?);
        }
    }
    match &value["images"] {
        Value::Null => {}
        Value::Array(list) => {
            for (index, image) in list.iter().enumerate().take(crate::film::MOST_IMAGES + 1) {
                found.push(images.read(&format!("{place}.images[{index}]"), image)?);
            }
        }
        _ => return Err(wrong(&format!("{place}.images"), "a list of pictures")),
    }
    Ok(found)
}

/// Marks the right answer, which is told by its place or by its text.
fn mark_answer(items: &mut [Item], value: &Value) {
    let names = ["correctAnswer", "correctIndex", "correct", "answer", "answerIndex"];
    let Some(told) = names.iter().map(|name| &value[*name]).find(|told| !told.is_null()) else { return };
    let by_place = told.as_u64().and_then(|place| usize::try_from(place).ok());
    let by_text = told.as_str().and_then(|text| items.iter().position(|item| item.title == text.trim()));
    if let Some(item) = by_place.or(by_text).and_then(|place| items.get_mut(place)) {
        item.marked = true;
    }
}
