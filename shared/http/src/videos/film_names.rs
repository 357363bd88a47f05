//! The names that clients use for the members of a scene's content and of what it contains. Of the names of one member,
//! the first with a value that is not empty counts. [`super::film_schema`] describes the same names.

/// The names of a member.
pub(crate) type Names = &'static [&'static str];

/// The title of a scene.
pub(crate) const TITLE: Names = &["title", "heading", "headline", "productName", "name", "text"];
/// The title of a testimonial.
pub(crate) const QUOTE: Names = &["quote", "testimonial", "text", "title"];
/// The title of a quiz.
pub(crate) const QUESTION: Names = &["question", "title", "heading"];
/// The line below the title.
pub(crate) const SUBTITLE: Names = &["subtitle", "subheading", "subtext", "tagline"];
/// A paragraph.
pub(crate) const BODY: Names = &["description", "body", "paragraph", "message", "text"];
/// The small line above the title.
pub(crate) const KICKER: Names = &["kicker", "eyebrow", "badge", "label", "tag"];
/// The number of a lesson.
pub(crate) const LESSON: Names = &["lessonNumber", "lesson", "number", "chapter"];
/// The text of a button.
pub(crate) const BUTTON: Names = &["buttonText", "button", "ctaText", "cta"];
/// The small line at the end.
pub(crate) const FOOTNOTE: Names = &["footnote", "price", "url", "website", "contact", "footer", "note"];
/// The author.
pub(crate) const AUTHOR: Names = &["author"];
/// The author of a testimonial.
pub(crate) const QUOTED: Names = &["author", "name", "customer", "person"];
/// What the author is.
pub(crate) const ROLE: Names = &["role", "position", "jobTitle", "authorTitle", "company"];
/// The list of items.
pub(crate) const ITEMS: Names = &[
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
/// Columns of a comparison that have a member each; the second column of a pair is the recommended one.
pub(crate) const SIDES: [(&str, &str); 4] = [("left", "right"), ("before", "after"), ("old", "new"), ("them", "us")];
/// The correct answer of a quiz.
pub(crate) const ANSWER: Names = &["correctAnswer", "correctIndex", "correct", "answer", "answerIndex"];
/// Images of a scene, each of which counts.
pub(crate) const IMAGES: Names = &["image", "imageUrl", "productImage", "photo", "avatar", "picture"];
/// The list of further images of a scene.
pub(crate) const MORE_IMAGES: &str = "images";

/// The title of an item.
pub(crate) const ITEM_TITLE: Names = &["title", "name", "heading", "text", "answer", "option", "step"];
/// The text below the title of an item.
pub(crate) const ITEM_TEXT: Names = &["description", "text", "subtitle", "label", "detail", "body"];
/// The number or the price of an item.
pub(crate) const ITEM_VALUE: Names = &["value", "number", "stat", "price", "amount"];
/// The unit of a number.
pub(crate) const ITEM_UNIT: Names = &["suffix", "unit"];
/// The icon of an item.
pub(crate) const ITEM_ICON: Names = &["icon", "emoji"];
/// Marks of an item, each of which counts.
pub(crate) const ITEM_MARKS: Names =
    &["correct", "isCorrect", "highlight", "highlighted", "recommended", "featured", "winner"];
/// The points of a column.
pub(crate) const ITEM_POINTS: Names = &["points", "features", "items", "pros", "list", "bullets"];
/// The image of an item.
pub(crate) const ITEM_IMAGE: Names = &["image", "imageUrl", "img", "photo", "picture"];

/// The text of a point.
pub(crate) const POINT: Names = &["text", "title", "name", "label"];
/// The address of an image that is an object.
pub(crate) const IMAGE: Names = &["url", "src", "key", "image"];
/// The word of an object.
pub(crate) const WORD: Names = &["type", "name"];
