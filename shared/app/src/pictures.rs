//! Pictures of scenes: uploads, and what is at URLs that clients named.

mod fetch;

use async_trait::async_trait;
use reelhook_domain::JobId;
use reelhook_domain::film::{Film, ImageRef};
use url::Url;

use crate::drawing::{DrawError, PictureSource};
use crate::films::{IMAGE_LIMIT, ReelStore, copy_key};
use crate::outbound::HttpSender;
use crate::uploads::sniff;

/// Uploads and the web.
pub struct Gallery<'a> {
    /// Uploads.
    pub reels: &'a dyn ReelStore,
    /// The guarded client.
    pub http: &'a dyn HttpSender,
}

#[async_trait]
impl PictureSource for Gallery<'_> {
    async fn picture(&self, job: &JobId, image: &ImageRef) -> Result<Vec<u8>, DrawError> {
        let copy = match image {
            ImageRef::Key(_) => None,
            ImageRef::Url(url) => Some(copy_key(job, url)),
        };
        // A picture is fetched once for a job: it may be another one, or none, when its scenes are joined.
        if let Some(copy) = &copy
            && let Some(bytes) = self.reels.image(copy, IMAGE_LIMIT).await?
        {
            return Ok(bytes);
        }
        let bytes = match image {
            ImageRef::Key(key) => self.reels.image(key, IMAGE_LIMIT).await?.ok_or_else(|| {
                DrawError::Input(format!("the picture `{key}` was not uploaded, or is larger than 10 MB"))
            })?,
            ImageRef::Url(url) => fetch::picture_at(self.http, url).await?,
        };
        match sniff(&bytes) {
            Some(_) => {
                if let Some(copy) = &copy {
                    self.reels.keep_image(copy, &bytes).await?;
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
pub(crate) async fn look_at_all(pictures: &dyn PictureSource, job: &JobId, film: &Film) -> Result<(), DrawError> {
    for (image, _) in film.pictures() {
        let found = pictures.picture(job, image).await;
        found.map_err(|error| error.at(film.place_of(image)))?;
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
