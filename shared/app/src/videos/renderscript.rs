//! Renders films with Creatomate: writes its RenderScript, submits a render, polls it and fetches the video.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_domain::videos::emphasis::plain;
use reelhook_domain::videos::film::{Content, FRAME_RATE, Film, ImageRef, Item, Rendition, Scene, Theme, Transition};
use reelhook_domain::{RenderId, brief};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use crate::jobs::renders::Creatomate;
use crate::outbound::{HttpSender, Method, OutboundRequest, OutboundResponse};
use crate::videos::draw_error::DrawError;
use crate::videos::ports::{RemoteProgress, RemoteRenderer};
use crate::videos::uploads::Links;

/// The total time of one request to Creatomate.
const DEADLINE: Duration = Duration::from_secs(15);
/// The maximum size of an answer, in bytes.
const ANSWER: usize = 1024 * 1024;
/// The total time of one download.
const FETCH: Duration = Duration::from_secs(300);
/// The maximum size of a video, in bytes.
const VIDEO: usize = 512 * 1024 * 1024;
/// The time between two polls of a render.
const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// Creatomate as a renderer of whole films.
pub struct CreatomateRenderer<'a> {
    /// The base URL and the API key of Creatomate.
    pub service: &'a Creatomate,
    /// The guarded client.
    pub http: &'a dyn HttpSender,
    /// Makes links to uploaded images, which Creatomate fetches.
    pub links: &'a dyn Links,
    /// Finds the URL of a music track by its id.
    pub music: &'a (dyn Fn(&str) -> Option<String> + Send + Sync),
}

#[async_trait]
impl RemoteRenderer for CreatomateRenderer<'_> {
    async fn advance(
        &self,
        film: &Film,
        rendition: Rendition,
        render: Option<&RenderId>,
    ) -> Result<RemoteProgress, DrawError> {
        match render {
            None => self.submit(film, rendition).await,
            Some(render) => self.poll(render).await,
        }
    }
}

impl CreatomateRenderer<'_> {
    async fn submit(&self, film: &Film, rendition: Rendition) -> Result<RemoteProgress, DrawError> {
        let mut assets = Vec::new();
        for image in film.scenes.iter().flat_map(Scene::images) {
            let url = match image {
                ImageRef::Url(url) => url.as_written().to_owned(),
                ImageRef::Key(key) => self.links.download(key).await?,
            };
            assets.push((image.clone(), url));
        }
        let track = film.music.as_ref().and_then(|music| (self.music)(&music.track));
        let source = render_script(film, rendition, &assets, track.as_deref());
        let body = self.request(Method::Post, &["v1", "renders"], json!({ "source": source }).to_string()).await?;
        // Creatomate answers with an array of renders or with a single one.
        let first = if body.is_array() { &body[0] } else { &body };
        let render = first["id"].as_str().and_then(|id| RenderId::parse(id).ok());
        let render = render.ok_or_else(|| DrawError::Renderer("Creatomate's answer has no render id".to_owned()))?;
        Ok(RemoteProgress::Waits { render, percent: 0, wait: POLL_INTERVAL })
    }

    async fn poll(&self, render: &RenderId) -> Result<RemoteProgress, DrawError> {
        let waits = |percent| RemoteProgress::Waits { render: render.clone(), percent, wait: POLL_INTERVAL };
        // The render is paid for, so one failed poll does not abandon it.
        let body = match self.request(Method::Get, &["v1", "renders", render.as_str()], String::new()).await {
            Ok(body) => body,
            Err(error) => {
                tracing::warn!(%render, error = brief(&error.to_string()), "failed to poll a render, will retry");
                return Ok(waits(0));
            }
        };
        match body["status"].as_str().unwrap_or_default() {
            "succeeded" => {
                let url = body["url"].as_str().and_then(|url| Url::parse(url).ok());
                let url = url.ok_or_else(|| DrawError::Renderer("Creatomate's answer has no video URL".to_owned()))?;
                match self.fetch(url).await {
                    Ok(video) => Ok(RemoteProgress::Fetched(video)),
                    Err(DrawError::Renderer(why)) => {
                        tracing::warn!(%render, why = brief(&why), "failed to fetch a finished render, will retry");
                        Ok(waits(95))
                    }
                    Err(error) => Err(error),
                }
            }
            "failed" | "cancelled" => {
                let why = body["error_message"].as_str().or_else(|| body["error"].as_str());
                Err(DrawError::Renderer(format!("Creatomate: {}", why.unwrap_or("the render failed"))))
            }
            "rendering" => Ok(waits(50)),
            "transcribing" => Ok(waits(20)),
            _ => Ok(waits(5)),
        }
    }

    async fn fetch(&self, url: Url) -> Result<Bytes, DrawError> {
        let request = OutboundRequest {
            method: Method::Get,
            url,
            headers: Vec::new(),
            body: Bytes::new(),
            deadline: FETCH,
            response_limit: VIDEO,
        };
        let failed = |why: String| DrawError::Renderer(format!("Creatomate's video could not be fetched: {why}"));
        let response = self.http.send(request).await.map_err(|error| failed(error.code().to_owned()))?;
        match response {
            OutboundResponse { status: 200, cut_short: Some(error), .. } => Err(failed(error.code().to_owned())),
            OutboundResponse { status: 200, truncated: false, body, .. } => Ok(body),
            OutboundResponse { truncated: true, .. } => {
                Err(DrawError::Input("the video is larger than 512 MiB".to_owned()))
            }
            OutboundResponse { status, .. } => Err(failed(format!("status {status}"))),
        }
    }

    async fn request(&self, method: Method, path: &[&str], body: String) -> Result<Value, DrawError> {
        let renderer = |why: String| DrawError::Renderer(format!("Creatomate: {why}"));
        let Some(key) = &self.service.key else {
            return Err(renderer("authentication: CREATOMATE_API_KEY is not set".to_owned()));
        };
        let request = OutboundRequest {
            method,
            url: self.service.url(path),
            headers: vec![
                ("authorization".to_owned(), format!("Bearer {}", key.expose_secret())),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: Bytes::from(body),
            deadline: DEADLINE,
            response_limit: ANSWER,
        };
        let response =
            self.http.send(request).await.map_err(|error| renderer(format!("connection {}", error.code())))?;
        let body = response.json().unwrap_or_default();
        let hint = body["hint"].as_str().unwrap_or("no reason given");
        match response.status {
            200..=299 => match response.cut_short {
                Some(error) => Err(renderer(format!("connection {}", error.code()))),
                None => Ok(body),
            },
            401 => Err(renderer(format!("authentication: {hint}"))),
            402 => Err(renderer(format!("payment: {hint}"))),
            400 => Err(DrawError::Input(format!("Creatomate: {hint}"))),
            429 => Err(renderer("too many requests".to_owned())),
            status => Err(renderer(format!("api error, status {status}: {hint}"))),
        }
    }
}

/// A film as Creatomate's RenderScript: a composition for each scene on track 1, music on track 2.
pub fn render_script(film: &Film, rendition: Rendition, assets: &[(ImageRef, String)], track: Option<&str>) -> Value {
    let (width, height) = film.quality.size(rendition);
    let scenes = film.scenes.iter().map(|scene| composition(scene, film.theme, rendition, assets));
    let mut elements: Vec<Value> = scenes.collect();
    if let (Some(music), Some(track)) = (&film.music, track) {
        let seconds = |ms: u32| f64::from(ms) / 1000.0;
        elements.push(json!({
            "type": "audio", "track": 2, "time": 0, "source": track, "loop": true, "duration": null,
            "volume": format!("{:.0}%", music.volume * 100.0),
            "audio_fade_in": seconds(music.fade_in_ms), "audio_fade_out": seconds(music.fade_out_ms),
        }));
    }
    json!({
        "output_format": "mp4", "width": width, "height": height, "frame_rate": FRAME_RATE,
        "duration": f64::from(film.frames()) / f64::from(FRAME_RATE),
        "fill_color": colors(film.theme).0, "elements": elements,
    })
}

/// The colours of a theme: background, text, accent.
fn colors(theme: Theme) -> (&'static str, &'static str, &'static str) {
    match theme {
        Theme::Corporate => ("#0b1f3f", "#ffffff", "#5aa9ff"),
        Theme::Minimal => ("#ffffff", "#14161a", "#2f5bea"),
        Theme::Vibrant => ("#2a0f4f", "#ffffff", "#ff6ec7"),
        Theme::Dark => ("#0b0d12", "#f2f6fa", "#3de1ff"),
        Theme::Nature => ("#12352a", "#fbf6e9", "#b7d968"),
        Theme::Sunset => ("#5c1226", "#fff5ec", "#ffb45c"),
        Theme::Ocean => ("#06303f", "#f1fbfd", "#4fe0c8"),
        Theme::Luxury => ("#0d0c0a", "#f8f2e4", "#d8b35a"),
    }
}

fn composition(scene: &Scene, theme: Theme, rendition: Rendition, assets: &[(ImageRef, String)]) -> Value {
    let (background, ink, accent) = colors(theme);
    let duration = f64::from(scene.frames) / f64::from(FRAME_RATE);
    let image = scene.images().next().and_then(|image| assets.iter().find(|(known, _)| known == image));
    let wide = rendition == Rendition::Landscape;
    let mut elements = Vec::new();
    let text_width = if image.is_some() && wide { "46%" } else { "84%" };
    let x = if image.is_some() && wide { "28%" } else { "50%" };
    for (y, height, size, color, weight, text) in lines(&scene.content, accent, ink) {
        elements.push(json!({
            "type": "text", "text": text, "x": x, "y": y, "width": text_width, "height": height,
            "x_alignment": "50%", "y_alignment": "50%", "font_family": "Inter", "font_weight": weight,
            "font_size_maximum": size, "font_size": null, "fill_color": color,
            "animations": [{ "time": "start", "duration": 0.6, "type": "fade" }],
        }));
    }
    if let Some((_, url)) = image {
        let (x, y, width, height) = if wide { ("76%", "50%", "40%", "76%") } else { ("50%", "26%", "84%", "34%") };
        elements.push(json!({
            "type": "image", "source": url, "x": x, "y": y, "width": width, "height": height, "fit": "cover",
            "border_radius": "2 vmin",
        }));
    }
    let mut composition = json!({
        "type": "composition", "track": 1, "duration": duration, "fill_color": background, "elements": elements,
    });
    if let Some(transition) = scene.transition {
        let kind = match transition {
            Transition::Fade | Transition::Blur => "fade",
            Transition::Slide => "slide",
            Transition::Zoom => "scale",
            Transition::Rotate => "spin",
        };
        // The composition overlaps the scene before, so it lasts longer than its scene by the overlap.
        composition["animations"] = json!([{ "time": "start", "duration": 0.6, "transition": true, "type": kind }]);
        composition["duration"] = json!(duration + 0.6);
    }
    composition
}

/// The texts of a scene from top to bottom: position, height, maximum font size, colour, weight, text. Creatomate
/// renders no bold parts, so each text loses its `**` delimiters.
fn lines<'a>(
    content: &Content,
    accent: &'a str,
    ink: &'a str,
) -> Vec<(String, String, &'static str, &'a str, &'static str, String)> {
    let mut texts = Vec::new();
    let mut push = |weight: f64, size: &'static str, color: &'a str, bold: &'static str, text: String| {
        if !text.is_empty() {
            texts.push((weight, size, color, bold, text));
        }
    };
    push(0.6, "3 vmin", accent, "600", plain(&content.kicker));
    push(1.6, "9 vmin", ink, "800", plain(&content.title));
    push(0.9, "4.5 vmin", ink, "400", plain(&content.subtitle));
    push(1.2, "4 vmin", ink, "400", plain(&content.body));
    let item = |item: &Item| {
        let parts = [&item.icon, &item.value, &item.title, &item.text];
        let line: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).map(|part| plain(part)).collect();
        let points: Vec<String> = item.points.iter().map(|point| format!("  • {}", plain(point))).collect();
        [vec![line.join("  ")], points].concat().join("\n")
    };
    let items: Vec<String> = content.items.iter().map(item).collect();
    push(items.len() as f64 * 0.7, "4 vmin", ink, "500", items.join("\n"));
    let byline = [&content.author, &content.role].into_iter().filter(|part| !part.is_empty());
    let byline: Vec<String> = byline.map(|part| plain(part)).collect();
    push(0.7, "3.5 vmin", accent, "600", byline.join(", "));
    push(0.8, "4 vmin", accent, "700", plain(&content.button));
    push(0.6, "3 vmin", ink, "400", plain(&content.footnote));
    let total: f64 = texts.iter().map(|(weight, ..)| weight).sum::<f64>().max(0.1);
    let used = 84.0_f64.min(total * 22.0);
    let mut top = 50.0 - used / 2.0;
    let place = |(weight, size, color, bold, text): (f64, &'static str, &'a str, &'static str, String)| {
        let height = used * weight / total;
        let y = top + height / 2.0;
        top += height;
        (format!("{y:.1}%"), format!("{:.1}%", height * 0.92), size, color, bold, text)
    };
    texts.into_iter().map(place).collect()
}
