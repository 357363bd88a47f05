//! The content of a scene: which of its members says what, under the names that clients give them.

use reelhook_domain::videos::film::{Content, ImageRef, Item, SceneKind};
use serde_json::Value;

use crate::problem::Problem;
use crate::videos::film::{Images, MOST_IMAGES, Reading};
use crate::videos::film_values::{at, first, flag, is_empty, text, whole, wrong};

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
/// Names of what follows the value of a number.
const UNITS: [&str; 2] = ["suffix", "unit"];
/// Columns of a comparison that are named by themselves; the one after is put forward.
const SIDES: [(&str, &str); 4] = [("left", "right"), ("before", "after"), ("old", "new"), ("them", "us")];

/// Reads the content of a scene.
///
/// # Errors
/// [`Problem`] names the place and what would be right.
pub(crate) fn content(
    path: &str,
    kind: SceneKind,
    value: &Value,
    reading: &mut Reading<'_>,
) -> Result<Content, Problem> {
    match value {
        empty if is_empty(empty) => return Ok(Content::default()),
        Value::Object(_) => {}
        _ => return Err(wrong(path, "an object such as {\"title\": \"Welcome\"}")),
    }
    let mut get = |names: &[&'static str]| reading.text(value, path, names);
    let title: &[&'static str] = match kind {
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
    let mut kicker = get(&["kicker", "eyebrow", "badge", "label", "tag"])?;
    if kind == SceneKind::LessonTitle && kicker.is_empty() {
        let number = get(&["lessonNumber", "lesson", "number", "chapter"])?;
        let bare = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        kicker = if bare { format!("Lesson {number}") } else { number };
    }
    let mut content = Content {
        kicker,
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
        items: items(path, kind, value, reading)?,
        images: read_images(path, value, &mut reading.images)?,
    };
    if kind == SceneKind::Quiz {
        mark_answer(&mut content.items, value);
    }
    // Only now, since the right answer is given by its index among all.
    content.items.retain(has_text);
    Ok(content)
}

fn has_text(item: &Item) -> bool {
    let Item { title, text, value, icon, marked: _, points, image } = item;
    [title, text, value, icon].iter().any(|text| !text.is_empty()) || !points.is_empty() || image.is_some()
}

fn items(path: &str, kind: SceneKind, value: &Value, reading: &mut Reading<'_>) -> Result<Vec<Item>, Problem> {
    let list = first(value, &LISTS);
    if kind == SceneKind::Comparison
        && let Some((one, other)) = sides(value, list.is_some())
    {
        return Ok(vec![
            column(path, one, value, reading)?,
            Item { marked: true, ..column(path, other, value, reading)? },
        ]);
    }
    let Some((name, list)) = list else { return Ok(Vec::new()) };
    let path = at(path, name);
    let list = list.as_array().ok_or_else(|| wrong(&path, "a list"))?;
    check_length(&path, list)?;
    list.iter().enumerate().map(|(index, entry)| item(&format!("{path}[{index}]"), kind, entry, reading)).collect()
}

fn check_length(path: &str, list: &[Value]) -> Result<(), Problem> {
    if list.len() > MOST_ITEMS {
        return Err(wrong(path, format!("a list of at most {MOST_ITEMS}, and not of {}", list.len())));
    }
    Ok(())
}

/// The pair of columns that are named by themselves. Texts alone are columns only where there is no list.
fn sides(value: &Value, has_list: bool) -> Option<(&'static str, &'static str)> {
    let is_column = |side: &str| match &value[side] {
        empty if is_empty(empty) => false,
        Value::Array(_) | Value::Object(_) => true,
        Value::String(_) | Value::Number(_) => !has_list,
        Value::Null | Value::Bool(_) => false,
    };
    SIDES.into_iter().find(|&(one, other)| is_column(one) || is_column(other))
}

/// A column that is named by itself.
fn column(path: &str, side: &str, value: &Value, reading: &mut Reading<'_>) -> Result<Item, Problem> {
    let path = at(path, side);
    let mut column = match &value[side] {
        // A list alone is what the column says.
        Value::Array(list) => Item { points: points(&path, list, reading)?, ..Item::default() },
        column => item(&path, SceneKind::Comparison, column, reading)?,
    };
    if column.title.is_empty() {
        column.title = side[..1].to_uppercase() + &side[1..];
    }
    Ok(column)
}

fn item(path: &str, kind: SceneKind, value: &Value, reading: &mut Reading<'_>) -> Result<Item, Problem> {
    match value {
        empty if is_empty(empty) => return Ok(Item::default()),
        Value::String(_) | Value::Number(_) => {
            return Ok(Item { title: reading.entry(path, value)?, ..Item::default() });
        }
        Value::Object(_) => {}
        Value::Null | Value::Bool(_) | Value::Array(_) => {
            return Err(wrong(path, "a text, a number or an object with a `title`"));
        }
    }
    let mut get = |names: &[&'static str]| reading.text(value, path, names);
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
    let value_shown = match (kind, number.is_empty()) {
        (SceneKind::Stats, true) => get(&UNITS)?,
        (SceneKind::Stats, false) => number + space_before(value, &UNITS) + &get(&UNITS)?,
        _ => number,
    };
    let icon = get(&["icon", "emoji"])?.chars().take(16).collect();
    let image = match first(value, &["image", "imageUrl", "img", "photo", "picture"]) {
        Some((name, image)) => reading.images.read(&at(path, name), image)?,
        None => None,
    };
    Ok(Item {
        title,
        text: below,
        value: value_shown,
        icon,
        marked: ["correct", "isCorrect", "highlight", "highlighted", "recommended", "featured", "winner"]
            .iter()
            .any(|name| flag(&value[*name]) == Some(true)),
        points: column_points(path, value, reading)?,
        image,
    })
}

/// The white space that a text begins with, as in ` km`: it is meant to separate the two.
fn space_before<'a>(value: &'a Value, names: &[&'static str]) -> &'a str {
    let text = first(value, names).and_then(|(_, text)| text.as_str()).unwrap_or_default();
    let space = &text[..text.len() - text.trim_start().len()];
    if space.contains(char::is_control) { "" } else { space }
}

/// The points of a column that is an object: a list, or a single one.
fn column_points(path: &str, value: &Value, reading: &mut Reading<'_>) -> Result<Vec<String>, Problem> {
    for name in ["points", "features", "items", "pros", "list", "bullets"] {
        match &value[name] {
            empty if is_empty(empty) => {}
            Value::Array(list) => return points(&at(path, name), list, reading),
            single @ (Value::String(_) | Value::Number(_)) => {
                return Ok(vec![reading.entry(&at(path, name), single)?]);
            }
            // What has another meaning elsewhere, such as `"features": true`, is passed over.
            Value::Null | Value::Bool(_) | Value::Object(_) => {}
        }
    }
    Ok(Vec::new())
}

/// Points: texts, numbers, or objects with a text.
fn points(path: &str, list: &[Value], reading: &mut Reading<'_>) -> Result<Vec<String>, Problem> {
    check_length(path, list)?;
    let mut points = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let point = match entry {
            Value::Object(_) => reading.text(entry, &path, &["text", "title", "name", "label"])?,
            _ => reading.entry(&path, entry)?,
        };
        points.extend(Some(point).filter(|point| !point.is_empty()));
    }
    Ok(points)
}

fn read_images(path: &str, value: &Value, images: &mut Images<'_>) -> Result<Vec<ImageRef>, Problem> {
    let mut found = Vec::new();
    for name in ["image", "imageUrl", "productImage", "photo", "avatar", "picture"] {
        found.extend(images.read(&at(path, name), &value[name])?);
    }
    match &value["images"] {
        empty if is_empty(empty) => {}
        Value::Array(list) => {
            let pictures = list.iter().enumerate().filter(|(_, image)| !is_empty(image));
            for (index, image) in pictures.take(MOST_IMAGES + 1) {
                found.extend(images.read(&format!("{path}.images[{index}]"), image)?);
            }
        }
        _ => return Err(wrong(&format!("{path}.images"), "a list of pictures")),
    }
    Ok(found)
}

/// Marks the right answer, given by its index or its text. A number is tried as an index first, a text as the text of
/// an answer.
fn mark_answer(items: &mut [Item], value: &Value) {
    let names = ["correctAnswer", "correctIndex", "correct", "answer", "answerIndex"];
    let Some((name, given)) = first(value, &names) else { return };
    let by_place = whole(given).and_then(|path| usize::try_from(path).ok()).filter(|path| *path < items.len());
    let said = text(name, given).unwrap_or_default();
    let by_text = items.iter().position(|item| !said.is_empty() && item.title == said);
    let found = if given.is_string() { by_text.or(by_place) } else { by_place.or(by_text) };
    if let Some(item) = found.and_then(|path| items.get_mut(path)) {
        item.marked = true;
    }
}
