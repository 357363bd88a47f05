//! Long prompts: those that do not fit into the item are stored in the bucket before the item is written.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::LongText;
use reelhook_domain::{ProjectId, SceneId};

use crate::digest::sha256_hex;
use crate::projects::links;
use crate::projects::store::ProjectFiles;
use crate::store::StoreError;
use crate::views::scenes::Texts;

/// Bytes of a prompt at most.
pub const PROMPT_LIMIT: usize = 32 * 1024;
/// Longer prompts are stored in the bucket, in bytes.
const INLINE: usize = 2 * 1024;
/// Prompts in the item at most, in bytes in all.
const INLINE_IN_ALL: usize = 64 * 1024;
/// Long prompts that one answer has at most; others have only their URLs.
const SHOWN: usize = 32;
/// Texts that are written or read at the same time.
const AT_ONCE: usize = 16;

/// The prompts of one request.
#[derive(Debug, Default)]
pub struct Prompts {
    inline: usize,
    stored: Vec<(String, String)>,
}

impl Prompts {
    /// The prompts of a change of this project.
    pub fn of(project: &Project) -> Self {
        let inline = project.scenes.iter().map(|scene| match &scene.spec.prompt {
            LongText::Inline(text) => text.len(),
            LongText::Stored(_) => 0,
        });
        Self { inline: inline.sum(), stored: Vec::new() }
    }

    /// The prompt of a scene as its project holds it. A prompt that is to be stored is part of [`Self::store`].
    pub fn add(&mut self, project: &ProjectId, scene: &SceneId, text: String) -> LongText {
        if text.len() <= INLINE && self.inline + text.len() <= INLINE_IN_ALL {
            self.inline += text.len();
            return LongText::Inline(text);
        }
        // The same text of the same scene has the same key.
        let hash = sha256_hex(&text);
        let key = links::key(project, &format!("prompts/{scene}-{}.txt", &hash[..16]));
        self.stored.push((key.clone(), text));
        LongText::Stored(key)
    }

    /// Stores the prompts that are not in the item.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn store(self, files: &dyn ProjectFiles) -> Result<(), StoreError> {
        let puts =
            self.stored.into_iter().map(|(key, text)| async move { files.put_text(&key, Bytes::from(text)).await });
        stream::iter(puts).buffer_unordered(AT_ONCE).try_collect().await
    }
}

/// The first long prompts of a project, for an answer.
///
/// # Errors
/// [`StoreError`].
pub async fn read(files: &dyn ProjectFiles, project: &Project) -> Result<Texts, StoreError> {
    let keys = project.scenes.iter().filter_map(|scene| match &scene.spec.prompt {
        LongText::Inline(_) => None,
        LongText::Stored(key) => Some(key.clone()),
    });
    let keys: Vec<String> = keys.take(SHOWN).collect();
    let reads = keys.into_iter().map(|key| async move {
        let text = files.text(&key).await?;
        Ok::<_, StoreError>(text.map(|text| (key, text)))
    });
    let found: Vec<Option<(String, String)>> = stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_that_does_not_fit_into_the_item_is_stored() {
        let (project, scene) = (ProjectId::parse("proj_1").unwrap(), SceneId::parse("scene_a").unwrap());
        let mut prompts = Prompts::default();
        assert!(matches!(prompts.add(&project, &scene, "x".repeat(INLINE)), LongText::Inline(_)));
        let LongText::Stored(key) = prompts.add(&project, &scene, "x".repeat(INLINE + 1)) else { panic!("too long") };
        assert!(key.starts_with("projects/proj_1/prompts/scene_a-") && key.ends_with(".txt"), "{key}");
        for n in 1..INLINE_IN_ALL / INLINE {
            assert!(matches!(prompts.add(&project, &scene, "y".repeat(INLINE)), LongText::Inline(_)), "{n}");
        }
        assert!(matches!(prompts.add(&project, &scene, "z".to_owned()), LongText::Stored(_)), "the item is full");
        assert_eq!(prompts.stored.len(), 2);
    }
}
