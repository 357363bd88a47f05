//! Pictures of scenes: uploads, and what is at URLs that clients named.

mod fetch;

use async_trait::async_trait;
use reelhook_domain::JobId;
use reelhook_domain::videos::film::{Film, ImageRef};
use url::Url;

use crate::outbound::HttpSender;
use crate::videos::drawing::{AssetSource, DrawError};
use crate::videos::films::{IMAGE_LIMIT, ObjectStore, copy_key};
use crate::videos::uploads::sniff;

/// Uploads and the web.
pub struct AssetLoader<'a> {
    /// Uploads.
    pub films: &'a dyn ObjectStore,
    /// The guarded client.
    pub http: &'a dyn HttpSender,
}

#[async_trait]
impl AssetSource for AssetLoader<'_> {
    async fn asset(&self, job: &JobId, image: &ImageRef) -> Result<Vec<u8>, DrawError> {
        let copy = match image {
            ImageRef::Key(_) => None,
            ImageRef::Url(url) => Some(copy_key(job, url)),
        };
        // A picture is fetched once for a job: it may be another one, or none, when its scenes are joined.
        if let Some(copy) = &copy
            && let Some(bytes) = self.films.image(copy, IMAGE_LIMIT).await?
        {
            return Ok(bytes);
        }
        let bytes = match image {
            ImageRef::Key(key) => self.films.image(key, IMAGE_LIMIT).await?.ok_or_else(|| {
                DrawError::Input(format!("the picture `{key}` was not uploaded, or is larger than 10 MB"))
            })?,
            ImageRef::Url(url) => fetch::fetch_asset(self.http, url).await?,
        };
        match sniff(&bytes) {
            Some(_) => {
                if let Some(copy) = &copy {
                    self.films.keep_image(copy, &bytes).await?;
                }
                Ok(bytes)
            }
            None => Err(DrawError::Input(format!(
                "the picture {} is not a supported picture; it must be a PNG, JPEG, WebP or GIF file",
                shown(image)
            ))),
        }
    }
}

/// Checks a film's pictures before Creatomate renders it: there a missing one costs a render, and the error does not
/// name its place.
pub(crate) async fn check_all(assets: &dyn AssetSource, job: &JobId, film: &Film) -> Result<(), DrawError> {
    for (image, _) in film.assets() {
        let found = assets.asset(job, image).await;
        found.map_err(|error| error.at(film.asset_path(image)))?;
    }
    Ok(())
}

/// A picture as its client may be shown it: its URL may be a secret, its server is not.
fn shown(image: &ImageRef) -> String {
    match image {
        ImageRef::Key(key) => format!("`{key}`"),
        ImageRef::Url(url) => format!("at {}", server(url)),
    }
}

fn server(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
