//! The catalogue: which platforms and genres a country has, and the best movies for a choice (contract.md, StreamGank).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// Movies of one preview.
pub const PREVIEW: usize = 3;
/// Platforms, and genres, of one choice.
pub const NAMES: usize = 20;
/// Shelves that are read at once.
const READS_AT_ONCE: usize = 40;
/// The country whose lists others get.
const FALLBACK: &str = "US";

/// A movie of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Movie {
    /// Unique within its country.
    pub id: u64,
    /// Its title there.
    pub title: String,
    /// Where it can be watched.
    pub platform: String,
    /// When it was released.
    pub year: u32,
    /// IMDb's score.
    pub imdb_score: f64,
    /// Votes for it.
    pub imdb_votes: u64,
    /// Of the film, or of one episode.
    pub runtime_minutes: u32,
    /// https, or empty.
    #[serde(default)]
    pub trailer_url: String,
    /// https, or empty.
    #[serde(default)]
    pub poster_url: String,
    /// https, or empty.
    #[serde(default)]
    pub streaming_url: String,
    /// Its genres.
    pub genres: Vec<String>,
    /// `Film` or `Série`.
    pub content_type: String,
}

/// The looks of a video, which `template` of a job names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What a job names.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it looks like.
    pub description: String,
}

/// The shipped lists: infra/catalog/lists.json, which the import reads as well.
#[derive(Debug, Deserialize)]
struct Lists {
    aliases: BTreeMap<String, String>,
    platforms: BTreeMap<String, Vec<String>>,
    genres: BTreeMap<String, Vec<String>>,
    templates: Vec<Template>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../infra/catalog/lists.json")).expect("lists.json is checked by a test")
});

/// The platforms of a country; one that is not known gets the US list.
pub fn platforms(country: &str) -> &'static [String] {
    of_country(&LISTS.platforms, country)
}

/// The genres of a country; one that is not known gets the US list.
pub fn genres(country: &str) -> &'static [String] {
    of_country(&LISTS.genres, country)
}

/// The templates that forms offer, beside `auto`, which goes by the genre.
pub fn templates() -> &'static [Template] {
    &LISTS.templates
}

fn of_country(lists: &'static BTreeMap<String, Vec<String>>, country: &str) -> &'static [String] {
    lists.get(country).or_else(|| lists.get(FALLBACK)).map_or(&[], Vec::as_slice)
}

/// The partition of a platform's movies of a genre in a country; the import builds the same.
pub fn partition(country: &str, platform: &str, genre: &str) -> String {
    let platform = platform.trim().to_lowercase();
    let platform = LISTS.aliases.get(&platform).unwrap_or(&platform);
    format!("{}#{platform}#{}", country.to_uppercase(), genre.trim().to_lowercase())
}

/// The names that a text lists, as forms with check boxes send them: between commas, at most [`NAMES`], at least one.
pub fn names(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<String> = parts.take(NAMES).map(str::to_owned).collect();
    if names.is_empty() { vec![text.to_owned()] } else { names }
}

/// Where movies are kept.
#[async_trait]
pub trait CatalogStore: Send + Sync {
    /// The best movies of a shelf by score, then votes; of one content type or of all.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn best(&self, partition: &str, content_type: Option<&str>, limit: usize) -> Result<Vec<Movie>, StoreError>;
}

/// What movies are wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Upper case.
    pub country: String,
    /// At least one.
    pub platforms: Vec<String>,
    /// At least one.
    pub genres: Vec<String>,
    /// `Film`, `Série`, or all.
    pub content_type: Option<String>,
}

/// The best movies for a choice, at most [`PREVIEW`].
///
/// # Errors
/// [`StoreError`].
pub async fn preview(store: &dyn CatalogStore, choice: &Choice) -> Result<Vec<Movie>, StoreError> {
    let mut partitions: Vec<String> = choice
        .platforms
        .iter()
        .flat_map(|platform| choice.genres.iter().map(|genre| partition(&choice.country, platform, genre)))
        .collect();
    partitions.sort();
    partitions.dedup();
    let mut movies: Vec<Movie> = Vec::new();
    for some in partitions.chunks(READS_AT_ONCE) {
        let reads = some.iter().map(|partition| store.best(partition, choice.content_type.as_deref(), PREVIEW));
        movies.extend(try_join_all(reads).await?.into_iter().flatten());
    }
    movies.sort_by(|a, b| {
        b.imdb_score.total_cmp(&a.imdb_score).then(b.imdb_votes.cmp(&a.imdb_votes)).then(a.id.cmp(&b.id))
    });
    // A movie stands on one shelf for each of its genres.
    movies.dedup_by_key(|movie| movie.id);
    movies.truncate(PREVIEW);
    Ok(movies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_country_has_its_lists_and_others_get_the_us_ones() {
        assert_eq!((platforms("US").len(), genres("US").len(), genres("FR").len()), (13, 19, 18));
        assert_eq!(genres("XX"), genres("US"));
    }

    #[test]
    fn a_text_lists_names_between_commas() {
        let check = |text: &str, expected: &[&str]| assert_eq!(names(text), expected, "{text}");
        check("Netflix", &["Netflix"]);
        check("Netflix, Hulu ,,Apple TV+", &["Netflix", "Hulu", "Apple TV+"]);
        check(" , ", &[" , "]);
        check("", &[""]);
        assert_eq!(names(&"a,".repeat(500)).len(), NAMES);
        let mut shipped = LISTS.platforms.values().chain(LISTS.genres.values()).flatten();
        assert!(shipped.all(|name| !name.contains(',')), "no name holds a comma");
    }

    #[test]
    fn names_of_a_platform_that_mean_the_same_share_a_shelf() {
        let check = |given: &str, expected: &str| assert_eq!(partition("us", given, "Horror"), expected);
        for name in ["Prime", "Amazon Prime Video", "amazon", "Prime Video"] {
            check(name, "US#prime#horror");
        }
        check("Disney Plus", "US#disney+#horror");
        check("Free", "US#free#horror");
    }
}
