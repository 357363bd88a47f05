//! The assets of scenes: uploaded images, and images at URLs that clients named.

mod fetch;

use async_trait::async_trait;
use reelhook_domain::JobId;
use reelhook_domain::videos::film::{Film, ImageRef};

use crate::outbound::HttpSender;
use crate::videos::draw_error::DrawError;
use crate::videos::films::{IMAGE_LIMIT, ImageStore, copy_key};
use crate::videos::uploads::sniff;

/// Loads the assets of films.
#[async_trait]
pub trait AssetSource: Send + Sync {
    /// The bytes of an asset of a job's film, the same at every call.
    ///
    /// # Errors
    /// [`DrawError::Input`] if the asset can't be loaded or has the wrong format.
    async fn asset(&self, job: &JobId, image: &ImageRef) -> Result<Vec<u8>, DrawError>;
}

/// Loads assets from the object store and from the web.
pub struct AssetLoader<'a> {
    /// The object store, for uploads and copies.
    pub images: &'a dyn ImageStore,
    /// The guarded client.
    pub http: &'a dyn HttpSender,
}

#[async_trait]
impl AssetSource for AssetLoader<'_> {
    async fn asset(&self, job: &JobId, image: &ImageRef) -> Result<Vec<u8>, DrawError> {
        let copy = match image {
            ImageRef::Key(_) => None,
            ImageRef::Url(url) => Some(copy_key(job, url.as_written())),
        };
        // Each URL is fetched once per job, because its image may have changed by the time the scenes are joined.
        if let Some(copy) = &copy
            && let Some(bytes) = self.images.image(copy, IMAGE_LIMIT).await?
        {
            return Ok(bytes);
        }
        let bytes = match image {
            ImageRef::Key(key) => self.images.image(key, IMAGE_LIMIT).await?.ok_or_else(|| {
                DrawError::Input(format!("the image `{key}` was not uploaded, or is larger than 10 MiB"))
            })?,
            ImageRef::Url(url) => fetch::fetch_asset(self.http, url).await?,
        };
        match sniff(&bytes) {
            Some(_) => {
                if let Some(copy) = &copy {
                    self.images.keep_image(copy, &bytes).await?;
                }
                Ok(bytes)
            }
            None => Err(DrawError::Input(format!(
                "the image {} is not a supported image; it must be a PNG, JPEG, WebP or GIF file",
                redacted(image)
            ))),
        }
    }
}

/// Checks a film's assets before Creatomate renders it: a missing asset would cost a render there, and Creatomate's
/// error does not name its path.
pub(crate) async fn check_all(assets: &dyn AssetSource, job: &JobId, film: &Film) -> Result<(), DrawError> {
    for (image, _) in film.assets() {
        let found = assets.asset(job, image).await;
        found.map_err(|error| error.at(film.asset_path(image)))?;
    }
    Ok(())
}

/// The name of an asset in errors. Of a URL it shows only the server, because the rest may be a secret.
fn redacted(image: &ImageRef) -> String {
    match image {
        ImageRef::Key(key) => format!("`{key}`"),
        ImageRef::Url(url) => format!("at {}", url.host_str().unwrap_or_default()),
    }
}
