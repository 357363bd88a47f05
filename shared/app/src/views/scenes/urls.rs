//! What the view of a project needs besides the project: URLs of its files, and its long texts.

use std::collections::BTreeMap;
use std::fmt;

use reelhook_domain::projects::media::File;
use reelhook_domain::projects::scene::LongText;

/// Long texts by their keys in the bucket.
pub type Texts = BTreeMap<String, String>;

/// What is shown beside a project.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The URL of a file.
    pub url: &'a dyn Fn(&File) -> Option<String>,
    /// The long texts that were read.
    pub texts: &'a Texts,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

impl<'a> Shown<'a> {
    /// The URL of a file; none if there is no file.
    pub(super) fn url(&self, file: Option<&File>) -> Option<String> {
        (self.url)(file?)
    }

    /// A long text, as far as it was read, and the URL of one that is stored.
    pub(super) fn text(&self, text: &'a LongText) -> (Option<&'a str>, Option<String>) {
        match text {
            LongText::Inline(text) => (Some(text), None),
            LongText::Stored(key) => (self.texts.get(key).map(String::as_str), (self.url)(&File::stored(key.as_str()))),
        }
    }
}
