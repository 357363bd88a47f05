//! Describes the content of a scene and its items.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::{FlagGiven, SceneImage, SceneText};
use crate::videos::film_content::MOST_ITEMS;
use crate::videos::film_values::TEXT_LIMIT;

/// What a scene shows. Each type draws the members that it has a place for (docs/videos.md); members that are not listed
/// here are ignored. Several names mean the same, because clients use them all.
#[derive(Debug, Default, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SceneContent {
    /// The title: the first of `title`, `heading`, `headline`, `productName`, `name` and `text` that is not empty; of
    /// `testimonial`, the quote, the first of `quote`, `testimonial`, `text` and `title`; of `quiz`, the question, the
    /// first of `question`, `title` and `heading`.
    pub title: SceneText,
    /// The title, if the names before it are empty.
    pub heading: SceneText,
    /// The title, if the names before it are empty.
    pub headline: SceneText,
    /// The title, if the names before it are empty.
    pub product_name: SceneText,
    /// Of `testimonial`: the quote.
    pub quote: SceneText,
    /// Of `testimonial`: the quote, if `quote` is empty.
    pub testimonial: SceneText,
    /// Of `quiz`: the question.
    pub question: SceneText,
    /// The line below the title: the first of `subtitle`, `subheading`, `subtext` and `tagline` that is not empty.
    pub subtitle: SceneText,
    /// The same as `subtitle`, if the names before it are empty.
    pub subheading: SceneText,
    /// The same as `subtitle`, if the names before it are empty.
    pub subtext: SceneText,
    /// The same as `subtitle`, if the names before it are empty.
    pub tagline: SceneText,
    /// A paragraph: the first of `description`, `body`, `paragraph`, `message` and `text` that is not empty.
    pub description: SceneText,
    /// The same as `description`, if the names before it are empty.
    pub body: SceneText,
    /// The same as `description`, if the names before it are empty.
    pub paragraph: SceneText,
    /// The same as `description`, if the names before it are empty.
    pub message: SceneText,
    /// The title, or else the paragraph, if the names before it are empty.
    pub text: SceneText,
    /// The small line above the title: the first of `kicker`, `eyebrow`, `badge`, `label` and `tag` that is not empty.
    pub kicker: SceneText,
    /// The same as `kicker`, if the names before it are empty.
    pub eyebrow: SceneText,
    /// The same as `kicker`, if the names before it are empty.
    pub badge: SceneText,
    /// The same as `kicker`, if the names before it are empty.
    pub label: SceneText,
    /// The same as `kicker`, if the names before it are empty.
    pub tag: SceneText,
    /// The text of a button: the first of `buttonText`, `button`, `ctaText` and `cta` that is not empty.
    pub button_text: SceneText,
    /// The same as `buttonText`, if the names before it are empty.
    pub button: SceneText,
    /// The same as `buttonText`, if the names before it are empty.
    pub cta_text: SceneText,
    /// The same as `buttonText`, if the names before it are empty.
    pub cta: SceneText,
    /// The small line at the end: the first of `footnote`, `price`, `url`, `website`, `contact`, `footer` and `note`
    /// that is not empty.
    pub footnote: SceneText,
    /// The same as `footnote`, if the names before it are empty.
    pub price: SceneText,
    /// The same as `footnote`, if the names before it are empty.
    pub url: SceneText,
    /// The same as `footnote`, if the names before it are empty.
    pub website: SceneText,
    /// The same as `footnote`, if the names before it are empty.
    pub contact: SceneText,
    /// The same as `footnote`, if the names before it are empty.
    pub footer: SceneText,
    /// The same as `footnote`, if the names before it are empty.
    pub note: SceneText,
    /// The author: of `testimonial`, the first of `author`, `name`, `customer` and `person` that is not empty.
    pub author: SceneText,
    /// The title, if the names before it are empty; of `testimonial`, the author.
    pub name: SceneText,
    /// Of `testimonial`: the author, if the names before it are empty.
    pub customer: SceneText,
    /// Of `testimonial`: the author, if the names before it are empty.
    pub person: SceneText,
    /// What the author is: the first of `role`, `position`, `jobTitle`, `authorTitle` and `company` that is not empty.
    pub role: SceneText,
    /// The same as `role`, if the names before it are empty.
    pub position: SceneText,
    /// The same as `role`, if the names before it are empty.
    pub job_title: SceneText,
    /// The same as `role`, if the names before it are empty.
    pub author_title: SceneText,
    /// The same as `role`, if the names before it are empty.
    pub company: SceneText,
    /// Of `lesson-title`, if it has no kicker: `3` shows as "Lesson 3", another value as it is. The first of
    /// `lessonNumber`, `lesson`, `number` and `chapter` that is not empty.
    pub lesson_number: SceneText,
    /// The same as `lessonNumber`, if the names before it are empty.
    pub lesson: SceneText,
    /// The same as `lessonNumber`, if the names before it are empty.
    pub number: SceneText,
    /// The same as `lessonNumber`, if the names before it are empty.
    pub chapter: SceneText,
    /// The items of the scene: the first of these sixteen lists that is not empty, in the order of this description.
    #[schemars(length(max = MOST_ITEMS))]
    pub items: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub features: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub points: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub steps: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub stats: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub statistics: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub products: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub options: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub answers: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub choices: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub takeaways: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub columns: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub bullets: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub list: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub cells: Option<Vec<SceneItem>>,
    /// The same as `items`, if the names before it are empty.
    #[schemars(length(max = MOST_ITEMS))]
    pub rows: Option<Vec<SceneItem>>,
    /// Of `comparison`: the first column. Its title is "Left" if it has none. A text alone is its title, if there is no
    /// list.
    pub left: Option<SceneColumn>,
    /// Of `comparison`: the second column, which is highlighted.
    pub right: Option<SceneColumn>,
    /// Of `comparison`: the first column. Its title is "Before" if it has none. A text alone is its title, if there is
    /// no list.
    pub before: Option<SceneColumn>,
    /// Of `comparison`: the second column, which is highlighted.
    pub after: Option<SceneColumn>,
    /// Of `comparison`: the first column. Its title is "Old" if it has none. A text alone is its title, if there is no
    /// list.
    pub old: Option<SceneColumn>,
    /// Of `comparison`: the second column, which is highlighted.
    pub new: Option<SceneColumn>,
    /// Of `comparison`: the first column. Its title is "Them" if it has none. A text alone is its title, if there is no
    /// list.
    pub them: Option<SceneColumn>,
    /// Of `comparison`: the second column, which is highlighted.
    pub us: Option<SceneColumn>,
    /// Of `quiz`: the correct answer, by its index from 0 or by its text; a number is tried as an index first, a text
    /// as the text of an answer first. The first of `correctAnswer`, `correctIndex`, `correct`, `answer` and
    /// `answerIndex` that is not empty.
    pub correct_answer: SceneText,
    /// The same as `correctAnswer`, if the names before it are empty.
    pub correct_index: SceneText,
    /// The same as `correctAnswer`, if the names before it are empty.
    pub correct: SceneText,
    /// The same as `correctAnswer`, if the names before it are empty.
    pub answer: SceneText,
    /// The same as `correctAnswer`, if the names before it are empty.
    pub answer_index: SceneText,
    /// An image: each of these six that is not empty is one.
    pub image: Option<SceneImage>,
    /// An image.
    pub image_url: Option<SceneImage>,
    /// An image.
    pub product_image: Option<SceneImage>,
    /// An image.
    pub photo: Option<SceneImage>,
    /// An image.
    pub avatar: Option<SceneImage>,
    /// An image.
    pub picture: Option<SceneImage>,
    /// Further images.
    pub images: Option<Vec<SceneImage>>,
}

/// A point, step, number, product, answer or column.
#[derive(Debug, Clone, Copy, Default)]
pub struct SceneItem;

impl JsonSchema for SceneItem {
    fn schema_name() -> Cow<'static, str> {
        "SceneItem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A point, step, number, product, answer or column: its title alone, or an object",
            "anyOf": [
                { "type": "string", "maxLength": TEXT_LIMIT },
                { "type": "number" },
                { "type": "null" },
                generator.subschema_for::<ItemMembers>(),
            ],
        })
    }
}

/// The members of an item.
#[derive(Debug, Default, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct ItemMembers {
    /// The title: the first of `title`, `name`, `heading`, `text`, `answer`, `option` and `step` that is not empty.
    pub title: SceneText,
    /// The same as `title`, if the names before it are empty.
    pub name: SceneText,
    /// The same as `title`, if the names before it are empty.
    pub heading: SceneText,
    /// The text below the title; the title, if the names before it are empty.
    pub text: SceneText,
    /// The same as `title`, if the names before it are empty.
    pub answer: SceneText,
    /// The same as `title`, if the names before it are empty.
    pub option: SceneText,
    /// The same as `title`, if the names before it are empty.
    pub step: SceneText,
    /// The text below the title: the first of `description`, `text`, `subtitle`, `label`, `detail` and `body` that is
    /// not empty. Of `stats` it is the label of the number.
    pub description: SceneText,
    /// The same as `description`, if the names before it are empty.
    pub subtitle: SceneText,
    /// The same as `description`, if the names before it are empty.
    pub label: SceneText,
    /// The same as `description`, if the names before it are empty.
    pub detail: SceneText,
    /// The same as `description`, if the names before it are empty.
    pub body: SceneText,
    /// A number such as `98 %`, or a price: the first of `value`, `number`, `stat`, `price` and `amount` that is not
    /// empty.
    pub value: SceneText,
    /// The same as `value`, if the names before it are empty.
    pub number: SceneText,
    /// The same as `value`, if the names before it are empty.
    pub stat: SceneText,
    /// The same as `value`, if the names before it are empty.
    pub price: SceneText,
    /// The same as `value`, if the names before it are empty.
    pub amount: SceneText,
    /// Of `stats`: the unit after the number; white space before it is kept.
    pub suffix: SceneText,
    /// The same as `suffix`, if that is empty.
    pub unit: SceneText,
    /// An emoji or a letter; its first 16 characters count.
    pub icon: SceneText,
    /// The same as `icon`, if that is empty.
    pub emoji: SceneText,
    /// Whether the item is the correct answer of a quiz, or is highlighted: true in one of these seven is enough.
    pub correct: FlagGiven,
    /// The same as `correct`.
    pub is_correct: FlagGiven,
    /// The same as `correct`.
    pub highlight: FlagGiven,
    /// The same as `correct`.
    pub highlighted: FlagGiven,
    /// The same as `correct`.
    pub recommended: FlagGiven,
    /// The same as `correct`.
    pub featured: FlagGiven,
    /// The same as `correct`.
    pub winner: FlagGiven,
    /// The points of a column, or a single one: the first of `points`, `features`, `items`, `pros`, `list` and
    /// `bullets` that is not empty.
    pub points: ScenePoints,
    /// The same as `points`, if the names before it are empty.
    pub features: ScenePoints,
    /// The same as `points`, if the names before it are empty.
    pub items: ScenePoints,
    /// The same as `points`, if the names before it are empty.
    pub pros: ScenePoints,
    /// The same as `points`, if the names before it are empty.
    pub list: ScenePoints,
    /// The same as `points`, if the names before it are empty.
    pub bullets: ScenePoints,
    /// The image: the first of `image`, `imageUrl`, `img`, `photo` and `picture` that is not empty.
    pub image: Option<SceneImage>,
    /// The same as `image`, if the names before it are empty.
    pub image_url: Option<SceneImage>,
    /// The same as `image`, if the names before it are empty.
    pub img: Option<SceneImage>,
    /// The same as `image`, if the names before it are empty.
    pub photo: Option<SceneImage>,
    /// The same as `image`, if the names before it are empty.
    pub picture: Option<SceneImage>,
}

/// A column of a comparison.
#[derive(Debug, Clone, Copy, Default)]
pub struct SceneColumn;

impl JsonSchema for SceneColumn {
    fn schema_name() -> Cow<'static, str> {
        "SceneColumn".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A column: an item, or a list of its points",
            "anyOf": [
                generator.subschema_for::<SceneItem>(),
                {
                    "type": "array",
                    "maxItems": MOST_ITEMS,
                    "items": generator.subschema_for::<ScenePoint>(),
                },
            ],
        })
    }
}

/// The points of a column.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScenePoints;

impl JsonSchema for ScenePoints {
    fn schema_name() -> Cow<'static, str> {
        "ScenePoints".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Points of a column, or a single one",
            "type": ["array", "string", "number", "null"],
            "maxLength": TEXT_LIMIT,
            "maxItems": MOST_ITEMS,
            "items": generator.subschema_for::<ScenePoint>(),
        })
    }
}

/// A point of a column.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScenePoint;

impl JsonSchema for ScenePoint {
    fn schema_name() -> Cow<'static, str> {
        "ScenePoint".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<SceneText>();
        json_schema!({
            "description": "A point: a text, or an object with one as `text`, `title`, `name` or `label`",
            "anyOf": [
                { "type": "string", "maxLength": TEXT_LIMIT },
                { "type": "number" },
                { "type": "object", "properties": { "text": text, "title": text, "name": text, "label": text } },
                { "type": "null" },
            ],
        })
    }
}
