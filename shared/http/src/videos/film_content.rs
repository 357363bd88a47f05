//! Reads the content of a scene and maps the names that clients use to its fields.

use reelhook_domain::videos::film::{Content, ImageRef, Item, SceneKind};
use serde_json::Value;

use crate::problem::Problem;
use crate::videos::film_names::{self as names, Names};
use crate::videos::film_reader::{FilmReader, Images, MOST_IMAGES};
use crate::videos::film_values::{at, first, flag, is_empty, text, whole, wrong};

/// The maximum number of items (points, steps, numbers, products, answers or columns) in a scene.
pub(super) const MOST_ITEMS: usize = 12;

/// Reads the content of a scene.
///
/// # Errors
/// [`Problem`] names the path of the wrong value and says what would be right.
pub(crate) fn content(
    path: &str,
    kind: SceneKind,
    value: &Value,
    reader: &mut FilmReader<'_>,
) -> Result<Content, Problem> {
    match value {
        empty if is_empty(empty) => return Ok(Content::default()),
        Value::Object(_) => {}
        _ => return Err(wrong(path, "an object such as {\"title\": \"Welcome\"}")),
    }
    let mut get = |names: Names| reader.text(value, path, names);
    let title = get(match kind {
        SceneKind::Testimonial => names::QUOTE,
        SceneKind::Quiz => names::QUESTION,
        SceneKind::HeroTitle
        | SceneKind::ProductShowcase
        | SceneKind::FeatureList
        | SceneKind::Cta
        | SceneKind::Comparison
        | SceneKind::Stats
        | SceneKind::StepByStep
        | SceneKind::ProductMatrix
        | SceneKind::LessonTitle
        | SceneKind::KeyTakeaways => names::TITLE,
    })?;
    let body = get(names::BODY)?;
    let mut kicker = get(names::KICKER)?;
    if kind == SceneKind::LessonTitle && kicker.is_empty() {
        let number = get(names::LESSON)?;
        let bare = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        kicker = if bare { format!("Lesson {number}") } else { number };
    }
    let mut content = Content {
        kicker,
        body: if body == title { String::new() } else { body },
        title,
        subtitle: get(names::SUBTITLE)?,
        button: get(names::BUTTON)?,
        footnote: get(names::FOOTNOTE)?,
        author: get(if kind == SceneKind::Testimonial { names::QUOTED } else { names::AUTHOR })?,
        role: get(names::ROLE)?,
        items: items(path, kind, value, reader)?,
        images: read_images(path, value, &mut reader.images)?,
    };
    if kind == SceneKind::Quiz {
        mark_answer(&mut content.items, value);
    }
    // Empty items are removed last, because the correct answer may be given by its index among all items.
    content.items.retain(has_text);
    Ok(content)
}

fn has_text(item: &Item) -> bool {
    let Item { title, text, value, icon, marked: _, points, image } = item;
    [title, text, value, icon].iter().any(|text| !text.is_empty()) || !points.is_empty() || image.is_some()
}

fn items(path: &str, kind: SceneKind, value: &Value, reader: &mut FilmReader<'_>) -> Result<Vec<Item>, Problem> {
    let list = first(value, names::ITEMS);
    if kind == SceneKind::Comparison
        && let Some((one, other)) = sides(value, list.is_some())
    {
        return Ok(vec![
            column(path, one, value, reader)?,
            Item { marked: true, ..column(path, other, value, reader)? },
        ]);
    }
    let Some((name, list)) = list else { return Ok(Vec::new()) };
    let path = at(path, name);
    let list = list.as_array().ok_or_else(|| wrong(&path, "a list"))?;
    check_length(&path, list)?;
    list.iter().enumerate().map(|(index, entry)| item(&format!("{path}[{index}]"), kind, entry, reader)).collect()
}

fn check_length(path: &str, list: &[Value]) -> Result<(), Problem> {
    if list.len() > MOST_ITEMS {
        return Err(wrong(path, format!("a list of at most {MOST_ITEMS} entries (got {})", list.len())));
    }
    Ok(())
}

/// The pair of columns that have a member each. Plain texts are columns only if there is no list.
fn sides(value: &Value, has_list: bool) -> Option<(&'static str, &'static str)> {
    let is_column = |side: &str| match &value[side] {
        empty if is_empty(empty) => false,
        Value::Array(_) | Value::Object(_) => true,
        Value::String(_) | Value::Number(_) => !has_list,
        Value::Null | Value::Bool(_) => false,
    };
    names::SIDES.into_iter().find(|&(one, other)| is_column(one) || is_column(other))
}

/// A column that has a member of its own.
fn column(path: &str, side: &str, value: &Value, reader: &mut FilmReader<'_>) -> Result<Item, Problem> {
    let path = at(path, side);
    let mut column = match &value[side] {
        // A plain list is the points of the column.
        Value::Array(list) => Item { points: points(&path, list, reader)?, ..Item::default() },
        column => item(&path, SceneKind::Comparison, column, reader)?,
    };
    if column.title.is_empty() {
        column.title = side[..1].to_uppercase() + &side[1..];
    }
    Ok(column)
}

fn item(path: &str, kind: SceneKind, value: &Value, reader: &mut FilmReader<'_>) -> Result<Item, Problem> {
    match value {
        empty if is_empty(empty) => return Ok(Item::default()),
        Value::String(_) | Value::Number(_) => {
            return Ok(Item { title: reader.entry(path, value)?, ..Item::default() });
        }
        Value::Object(_) => {}
        Value::Null | Value::Bool(_) | Value::Array(_) => {
            return Err(wrong(path, "a text, a number or an object with a `title`"));
        }
    }
    let mut get = |names: Names| reader.text(value, path, names);
    let title = get(names::ITEM_TITLE)?;
    let below = get(names::ITEM_TEXT)?;
    let number = get(names::ITEM_VALUE)?;
    let (title, below) = match kind {
        // A number has one line below it, whatever its member is called.
        SceneKind::Stats => (String::new(), if below.is_empty() { title } else { below }),
        _ if title.is_empty() => (below, String::new()),
        _ if title == below => (title, String::new()),
        _ => (title, below),
    };
    let value_shown = match (kind, number.is_empty()) {
        (SceneKind::Stats, true) => get(names::ITEM_UNIT)?,
        (SceneKind::Stats, false) => number + space_before(value, names::ITEM_UNIT) + &get(names::ITEM_UNIT)?,
        _ => number,
    };
    let icon = get(names::ITEM_ICON)?.chars().take(16).collect();
    let image = match first(value, names::ITEM_IMAGE) {
        Some((name, image)) => reader.images.read(&at(path, name), image)?,
        None => None,
    };
    Ok(Item {
        title,
        text: below,
        value: value_shown,
        icon,
        marked: names::ITEM_MARKS.iter().any(|name| flag(&value[*name]) == Some(true)),
        points: column_points(path, value, reader)?,
        image,
    })
}

/// The leading white space of a text such as ` km`: it separates the number from its unit.
fn space_before(value: &Value, names: Names) -> &str {
    let text = first(value, names).and_then(|(_, text)| text.as_str()).unwrap_or_default();
    let space = &text[..text.len() - text.trim_start().len()];
    if space.contains(char::is_control) { "" } else { space }
}

/// The points of a column that is an object: a list or a single value.
fn column_points(path: &str, value: &Value, reader: &mut FilmReader<'_>) -> Result<Vec<String>, Problem> {
    for name in names::ITEM_POINTS {
        match &value[*name] {
            empty if is_empty(empty) => {}
            Value::Array(list) => return points(&at(path, name), list, reader),
            single @ (Value::String(_) | Value::Number(_)) => {
                return Ok(vec![reader.entry(&at(path, name), single)?]);
            }
            // A value of another type, such as `"features": true`, has another meaning and is ignored.
            Value::Null | Value::Bool(_) | Value::Object(_) => {}
        }
    }
    Ok(Vec::new())
}

/// Points: texts, numbers, or objects with a text.
fn points(path: &str, list: &[Value], reader: &mut FilmReader<'_>) -> Result<Vec<String>, Problem> {
    check_length(path, list)?;
    let mut points = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let point = match entry {
            Value::Object(_) => reader.text(entry, &path, names::POINT)?,
            _ => reader.entry(&path, entry)?,
        };
        points.extend(Some(point).filter(|point| !point.is_empty()));
    }
    Ok(points)
}

fn read_images(path: &str, value: &Value, images: &mut Images<'_>) -> Result<Vec<ImageRef>, Problem> {
    let mut found = Vec::new();
    for name in names::IMAGES {
        found.extend(images.read(&at(path, name), &value[*name])?);
    }
    let path = at(path, names::MORE_IMAGES);
    match &value[names::MORE_IMAGES] {
        empty if is_empty(empty) => {}
        Value::Array(list) => {
            let given = list.iter().enumerate().filter(|(_, image)| !is_empty(image));
            for (index, image) in given.take(MOST_IMAGES + 1) {
                found.extend(images.read(&format!("{path}[{index}]"), image)?);
            }
        }
        _ => return Err(wrong(&path, "a list of images")),
    }
    Ok(found)
}

/// Marks the correct answer, given by its index or its text. A number is read as an index first, a text as the text of
/// an answer first.
fn mark_answer(items: &mut [Item], value: &Value) {
    let Some((name, given)) = first(value, names::ANSWER) else { return };
    let by_index = whole(given).and_then(|index| usize::try_from(index).ok()).filter(|index| *index < items.len());
    let answer = text(name, given).unwrap_or_default();
    let by_text = items.iter().position(|item| !answer.is_empty() && item.title == answer);
    let found = if given.is_string() { by_text.or(by_index) } else { by_index.or(by_text) };
    if let Some(item) = found.and_then(|index| items.get_mut(index)) {
        item.marked = true;
    }
}
