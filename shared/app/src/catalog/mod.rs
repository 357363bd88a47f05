//! The catalogue: the platforms and genres of a country, and the best movies for a choice (docs/contract/catalog.md).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// The maximum number of movies in a preview.
pub const PREVIEW: usize = 3;
/// The maximum number of platforms, and of genres, in one choice.
pub const NAMES: usize = 20;
/// The number of partitions that are read at the same time.
const READS_AT_ONCE: usize = 40;
/// The country whose lists unknown countries get.
const FALLBACK: &str = "US";

/// A movie of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Movie {
    /// The id, unique within the country.
    pub id: u64,
    /// The title in the country.
    pub title: String,
    /// The platform that shows it.
    pub platform: String,
    /// The year of release.
    pub year: u32,
    /// The score at IMDb.
    pub imdb_score: f64,
    /// The number of votes at IMDb.
    pub imdb_votes: u64,
    /// The length of the film or of one episode, in minutes.
    pub runtime_minutes: u32,
    /// The https URL of the trailer; empty if there is none.
    #[serde(default)]
    pub trailer_url: String,
    /// The https URL of the poster; empty if there is none.
    #[serde(default)]
    pub poster_url: String,
    /// The https URL at the platform; empty if there is none.
    #[serde(default)]
    pub streaming_url: String,
    /// The genres.
    pub genres: Vec<String>,
    /// The content type, `Film` or `Série`.
    pub content_type: String,
}

/// A visual style of videos, which a job names as its `template`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Template {
    /// The id that a job names.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The description of the style.
    pub description: String,
}

/// The embedded lists of infra/catalog/lists.json, which the catalogue import also reads.
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

/// The platforms of a country; an unknown country gets the US list.
pub fn platforms(country: &str) -> &'static [String] {
    of_country(&LISTS.platforms, country)
}

/// The genres of a country; an unknown country gets the US list.
pub fn genres(country: &str) -> &'static [String] {
    of_country(&LISTS.genres, country)
}

/// The templates that forms offer besides `auto`, which follows the genre.
pub fn templates() -> &'static [Template] {
    &LISTS.templates
}

fn of_country(lists: &'static BTreeMap<String, Vec<String>>, country: &str) -> &'static [String] {
    lists.get(country).or_else(|| lists.get(FALLBACK)).map_or(&[], Vec::as_slice)
}

/// The partition key of a platform's movies of a genre in a country. The catalogue import builds the same keys.
pub fn partition(country: &str, platform: &str, genre: &str) -> String {
    let platform = platform.trim().to_lowercase();
    let platform = LISTS.aliases.get(&platform).unwrap_or(&platform);
    format!("{}#{platform}#{}", country.to_uppercase(), genre.trim().to_lowercase())
}

/// The names in a comma-separated text, as forms with check boxes send them: at least one, at most [`NAMES`].
pub fn names(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<String> = parts.take(NAMES).map(str::to_owned).collect();
    if names.is_empty() { vec![text.to_owned()] } else { names }
}

/// Reads the movies of the catalogue.
#[async_trait]
pub trait CatalogStore: Send + Sync {
    /// The best movies of a partition by score, then votes; of one content type or of all.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn best(&self, partition: &str, content_type: Option<&str>, limit: usize) -> Result<Vec<Movie>, StoreError>;
}

/// The criteria for movies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The country code in upper case.
    pub country: String,
    /// The platforms, at least one.
    pub platforms: Vec<String>,
    /// The genres, at least one.
    pub genres: Vec<String>,
    /// The content type, `Film` or `Série`; none means all.
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
    for chunk in partitions.chunks(READS_AT_ONCE) {
        let reads = chunk.iter().map(|partition| store.best(partition, choice.content_type.as_deref(), PREVIEW));
        movies.extend(try_join_all(reads).await?.into_iter().flatten());
    }
    movies.sort_by(|a, b| {
        b.imdb_score.total_cmp(&a.imdb_score).then(b.imdb_votes.cmp(&a.imdb_votes)).then(a.id.cmp(&b.id))
    });
    // A movie is in one partition per genre, so it may be read several times.
    movies.dedup_by_key(|movie| movie.id);
    movies.truncate(PREVIEW);
    Ok(movies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_country_has_its_lists_and_unknown_countries_get_the_us_lists() {
        assert_eq!((platforms("US").len(), genres("US").len(), genres("FR").len()), (13, 19, 18));
        assert_eq!(genres("XX"), genres("US"));
    }

    #[test]
    fn names_in_a_text_are_separated_by_commas() {
        let check = |text: &str, expected: &[&str]| assert_eq!(names(text), expected, "{text}");
        check("Netflix", &["Netflix"]);
        check("Netflix, Hulu ,,Apple TV+", &["Netflix", "Hulu", "Apple TV+"]);
        check(" , ", &[" , "]);
        check("", &[""]);
        assert_eq!(names(&"a,".repeat(500)).len(), NAMES);
        let mut shipped = LISTS.platforms.values().chain(LISTS.genres.values()).flatten();
        assert!(shipped.all(|name| !name.contains(',')), "no name contains a comma");
    }

    #[test]
    fn aliases_of_a_platform_share_a_partition() {
        let check = |given: &str, expected: &str| assert_eq!(partition("us", given, "Horror"), expected);
        for name in ["Prime", "Amazon Prime Video", "amazon", "Prime Video"] {
            check(name, "US#prime#horror");
        }
        check("Disney Plus", "US#disney+#horror");
        check("Free", "US#free#horror");
    }
}
