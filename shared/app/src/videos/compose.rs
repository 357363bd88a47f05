//! The built-in workflow for jobs that no external worker runs. It takes movies from the catalogue, writes a script
//! from fixed sentences, composes a film of cards, and reports the same seven steps as an external worker.

use crate::views::captions::step_name;
use async_trait::async_trait;
use reelhook_domain::videos::film::{Content, Entrance, FRAME_RATE, Film, ImageRef, Music, Quality, Scene};
use reelhook_domain::videos::film::{SceneKind, Theme, Transition};
use reelhook_domain::{Event, Job, Policy, StepStatus, StepUpdate, WebUrl, brief};
use serde_json::{Value, json};

use crate::catalog::{CatalogStore, Choice, Movie, names, preview};
use crate::change::{ChangeError, Changed, change};
use crate::clock::ClockAndRandom;
use crate::jobs::store::JobStore;
use crate::store::StoreError;
use crate::videos::assets::AssetSource;
use crate::videos::draw_error::DrawError;
use crate::videos::ports::Composer;

/// The built-in workflow.
pub struct Workflow<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Loads posters.
    pub assets: &'a dyn AssetSource,
    /// Movies.
    pub catalog: &'a dyn CatalogStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
}

#[async_trait]
impl Composer for Workflow<'_> {
    async fn compose(&self, job: &Job) -> Result<Option<Film>, DrawError> {
        self.report_step(job, 0, StepStatus::Started, Value::Null).await?;
        self.report_step(job, 1, StepStatus::Started, Value::Null).await?;
        let choice = choice(&job.request.input);
        let movies = preview(self.catalog, &choice).await?;
        if movies.is_empty() {
            let (genre, platform) = (shown(&choice.genres), shown(&choice.platforms));
            let country = &choice.country;
            return Err(DrawError::Input(format!("No movies found: {genre} on {platform} in {country}")));
        }
        let listed: Vec<Value> = movies.iter().map(listed).collect();
        if !self.report_step(job, 1, StepStatus::Completed, json!({ "movies": listed, "count": movies.len() })).await? {
            return Ok(None);
        }
        let words = Words::of(&choice.country);
        let script: Vec<String> = movies.iter().enumerate().map(|(index, movie)| words.hook(index, movie)).collect();
        let mut posters = Vec::with_capacity(movies.len());
        for movie in &movies {
            posters.push(self.poster(job, movie).await);
        }
        let steps = [
            (2, json!({ "script": script, "language": words.language })),
            (3, json!({ "posters": posters.iter().flatten().count() })),
            (4, json!({ "presenter": "drawn cards" })),
            (5, json!({ "cards": movies.len() + 2 })),
            (6, json!({ "scroll": "drawn cards" })),
        ];
        for (number, details) in steps {
            self.report_step(job, number, StepStatus::Started, Value::Null).await?;
            if !self.report_step(job, number, StepStatus::Completed, details).await? {
                return Ok(None);
            }
        }
        let continues = self.report_step(job, 7, StepStatus::Started, Value::Null).await?;
        let theme = template_theme(&job.request.input["template"]).unwrap_or_else(|| genre_theme(&choice.genres[0]));
        Ok(continues.then(|| film(&choice, theme, &movies, posters, &script, &words)))
    }
}

impl Workflow<'_> {
    /// A movie's poster, unless it can't be drawn: a missing poster does not fail the job.
    async fn poster(&self, job: &Job, movie: &Movie) -> Option<ImageRef> {
        if movie.poster_url.is_empty() {
            return None;
        }
        let omitted =
            |why: &str| tracing::warn!(job_id = %job.id, movie = movie.id, why = brief(why), "poster omitted");
        let Some(url) = WebUrl::parse(&movie.poster_url) else {
            omitted("its URL is neither http nor https");
            return None;
        };
        let image = ImageRef::Url(url);
        match self.assets.asset(&job.id, &image).await {
            Err(DrawError::Input(why)) => {
                omitted(&why);
                None
            }
            Ok(_) | Err(DrawError::Asset { .. } | DrawError::Renderer(_) | DrawError::Store(_)) => Some(image),
        }
    }

    /// Reports a step as an external worker does. It returns whether the job continues.
    async fn report_step(&self, job: &Job, number: u8, status: StepStatus, details: Value) -> Result<bool, DrawError> {
        let now = self.clock.now();
        let mut update = StepUpdate::plain(number, step_name(number), status, now.millis());
        if number == 1 && status == StepStatus::Completed {
            update.extracted = Some(details["movies"].to_string());
        }
        update.details = Some(details).filter(|details| !details.is_null());
        let event = Event::Step { attempt: Some(job.run.attempt), update };
        match change(self.jobs, self.clock, self.policy, &job.id, &event).await {
            Ok(Changed::Applied(saved)) => Ok(!saved.status.is_final()),
            Ok(Changed::Ignored(_, saved)) => Ok(!saved.status.is_final() && saved.run.attempt == job.run.attempt),
            Ok(Changed::Rejected(..) | Changed::NotFound) => Ok(false),
            Err(ChangeError::Store(error)) => Err(error.into()),
            Err(error @ ChangeError::Contended(_)) => {
                Err(StoreError::Busy { operation: "report step", source: error.to_string().into() }.into())
            }
        }
    }
}

fn choice(input: &Value) -> Choice {
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    Choice {
        country: text("country").to_uppercase(),
        platforms: names(&text("platform")),
        genres: names(&text("genre")),
        content_type: input["contentType"].as_str().map(str::to_owned),
    }
}

/// The names that fit on a card.
fn shown(names: &[String]) -> String {
    names[..names.len().min(2)].join(", ")
}

fn listed(movie: &Movie) -> Value {
    json!({
        "id": movie.id, "title": movie.title, "platform": movie.platform, "year": movie.year.to_string(),
        "imdb_score": movie.imdb_score, "imdb_votes": movie.imdb_votes, "runtime": format!("{} min", movie.runtime_minutes),
        "genres": movie.genres,
    })
}

/// The sentences of a script, in the country's language if they are translated.
struct Words {
    language: &'static str,
    top: &'static str,
    on: &'static str,
    hooks: [&'static str; 3],
    last: &'static str,
    button: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    top: "Top {n} {genre}",
    on: "Tonight on {platform}",
    hooks: [
        "**{votes}** viewers made it the one to beat.",
        "**{runtime} minutes** that you will not feel.",
        "The one that your friends will ask you about.",
    ],
    last: "What will you watch **first**?",
    button: "Watch on {platform}",
};

const FRENCH: Words = Words {
    language: "fr",
    top: "Top {n} {genre}",
    on: "Ce soir sur {platform}",
    hooks: [
        "**{votes}** votes : c’est lui qu’il faut battre.",
        "**{runtime} minutes** que vous ne verrez pas passer.",
        "Celui dont vos amis vont vous parler.",
    ],
    last: "Lequel regardez-vous **en premier** ?",
    button: "À voir sur {platform}",
};

impl Words {
    fn of(country: &str) -> Self {
        match country {
            "FR" | "BE" | "CH" | "LU" | "MC" => FRENCH,
            _ => ENGLISH,
        }
    }

    fn hook(&self, index: usize, movie: &Movie) -> String {
        let sentence = self.hooks[index % self.hooks.len()];
        let votes = grouped(movie.imdb_votes, if self.language == "fr" { '\u{202f}' } else { ',' });
        sentence.replace("{votes}", &votes).replace("{runtime}", &movie.runtime_minutes.to_string())
    }
}

/// A number with a thousands separator.
fn grouped(number: u64, separator: char) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

fn film(
    choice: &Choice,
    theme: Theme,
    movies: &[Movie],
    posters: Vec<Option<ImageRef>>,
    script: &[String],
    words: &Words,
) -> Film {
    let (platform, genre) = (shown(&choice.platforms), shown(&choice.genres));
    let fill_in = |text: &str| text.replace("{platform}", &platform).replace("{genre}", &genre);
    let top = fill_in(words.top).replace("{n}", &movies.len().to_string());
    let first = Content {
        kicker: "StreamGank".to_owned(),
        title: format!("**{top}**"),
        subtitle: fill_in(words.on),
        ..Content::default()
    };
    let last = Content {
        title: words.last.to_owned(),
        subtitle: movies.iter().map(|movie| movie.title.as_str()).collect::<Vec<_>>().join("  ·  "),
        button: fill_in(words.button),
        ..Content::default()
    };
    let mut scenes = vec![scene(SceneKind::HeroTitle, 3.0, first, None)];
    for (index, ((movie, poster), hook)) in movies.iter().zip(posters).zip(script).enumerate() {
        scenes.push(scene(SceneKind::ProductShowcase, 4.0, card(index, movie, poster, hook), Some(Transition::Slide)));
    }
    scenes.push(scene(SceneKind::Cta, 3.0, last, Some(Transition::Zoom)));
    Film {
        title: Some(top),
        theme,
        quality: Quality::Hd,
        reels: false,
        music: Some(Music { track: "cinematic-1".to_owned(), volume: 0.35, fade_in_ms: 500, fade_out_ms: 1500 }),
        scenes,
        places: Vec::new(),
    }
}

fn card(index: usize, movie: &Movie, poster: Option<ImageRef>, hook: &str) -> Content {
    Content {
        kicker: format!("#{}", index + 1),
        title: movie.title.clone(),
        subtitle: format!("{} · {} min · {}", movie.year, movie.runtime_minutes, movie.genres.join(", ")),
        body: hook.to_owned(),
        footnote: format!("IMDb {:.1}", movie.imdb_score),
        images: poster.into_iter().collect(),
        ..Content::default()
    }
}

fn scene(kind: SceneKind, seconds: f64, content: Content, transition: Option<Transition>) -> Scene {
    let frames = (seconds * f64::from(FRAME_RATE)) as u32;
    Scene { kind, frames, content, transition, entrance: Entrance::Rise }
}

/// The theme that a job's template names, if it names one.
fn template_theme(template: &Value) -> Option<Theme> {
    serde_json::from_value(template.clone()).ok()
}

/// The theme that fits a genre.
fn genre_theme(genre: &str) -> Theme {
    let genre = genre.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| genre.contains(word));
    if has(&["horr", "thriller", "crime"]) {
        Theme::Dark
    } else if has(&["com", "kids", "enfants", "anim"]) {
        Theme::Vibrant
    } else if has(&["roman", "dram"]) {
        Theme::Sunset
    } else if has(&["doc", "hist"]) {
        Theme::Nature
    } else {
        Theme::Ocean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::templates;

    #[test]
    fn every_template_of_the_forms_has_a_theme_of_its_own() {
        let named = templates().iter().filter_map(|template| template_theme(&json!(template.id)));
        let mut themes: Vec<Theme> = named.collect();
        assert_eq!(themes.len(), templates().len());
        assert!(Theme::ALL.iter().all(|theme| themes.contains(theme)));
        themes.dedup();
        assert_eq!(themes.len(), Theme::ALL.len());
        for other in [json!("auto"), json!("studio:step_ms=5"), json!(null), json!(7), json!({ "dark": 1 })] {
            assert_eq!(template_theme(&other), None, "{other}");
        }
    }

    #[test]
    fn a_job_uses_all_names_that_were_checked_in_the_form() {
        let input =
            json!({ "country": "us", "platform": "Netflix,Hulu", "genre": "Horror, Crime,Drama", "contentType": null });
        let choice = choice(&input);
        assert_eq!((choice.country.as_str(), choice.content_type.as_ref()), ("US", None));
        assert_eq!((choice.platforms.len(), choice.genres.len()), (2, 3));
        assert_eq!((shown(&choice.platforms), shown(&choice.genres)), ("Netflix, Hulu".into(), "Horror, Crime".into()));
    }

    #[test]
    fn thousands_are_separated() {
        let check = |number: u64, expected: &str| assert_eq!(grouped(number, ','), expected);
        check(7, "7");
        check(999, "999");
        check(1000, "1,000");
        check(1_234_567, "1,234,567");
    }
}
