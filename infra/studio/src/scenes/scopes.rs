//! Settings for everything, and for single projects and scenes, so that tests can run beside each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What settings or counts concern: everything, a project, a scene of any project, or a scene of one project.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scope {
    pub project: Option<String>,
    pub scene: Option<String>,
}

impl Scope {
    pub(crate) fn new(project: Option<&str>, scene: Option<&str>) -> Self {
        Self { project: project.map(str::to_owned), scene: scene.map(str::to_owned) }
    }

    /// Whether what concerns `ids` concerns this scope.
    pub(crate) fn contains(&self, ids: &Self) -> bool {
        let holds = |mine: &Option<String>, theirs: &Option<String>| mine.is_none() || mine == theirs;
        holds(&self.project, &ids.project) && holds(&self.scene, &ids.scene)
    }

    /// `project/scene`, with a hyphen for what is unknown.
    pub(crate) fn name(&self) -> String {
        let text = |id: &Option<String>| id.clone().unwrap_or_else(|| "-".to_owned());
        format!("{}/{}", text(&self.project), text(&self.scene))
    }
}

/// Settings, and the counts since they were set.
#[derive(Debug, Default)]
pub(crate) struct Entry<T> {
    pub settings: Arc<T>,
    /// POSTs.
    pub posts: u64,
    /// POSTs that the settings made fail.
    pub failed_posts: u64,
    /// GETs that failed.
    pub failed_gets: u64,
}

/// Settings by scope.
#[derive(Debug, Default)]
pub(crate) struct Scopes<T>(BTreeMap<Scope, Entry<T>>);

impl<T: Default + Serialize> Scopes<T> {
    /// Replaces the settings of this scope, and its counts start again.
    pub(crate) fn set(&mut self, scope: Scope, settings: T) {
        self.0.insert(scope, Entry { settings: Arc::new(settings), posts: 0, failed_posts: 0, failed_gets: 0 });
    }

    /// The entry with the narrowest scope that contains these ids.
    pub(crate) fn entry_for(&mut self, ids: &Scope) -> &mut Entry<T> {
        let (project, scene) = (ids.project.as_deref(), ids.scene.as_deref());
        let candidates = [ids.clone(), Scope::new(None, scene), Scope::new(project, None)];
        let found = candidates.into_iter().find(|scope| self.0.contains_key(scope));
        self.0.entry(found.unwrap_or_default()).or_default()
    }

    /// The settings of this scope itself.
    pub(crate) fn shown(&self, scope: &Scope) -> Value {
        match self.0.get(scope) {
            Some(entry) => json!(*entry.settings),
            None => json!(T::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_scope_counts() {
        let mut scopes = Scopes::<u64>::default();
        let scope = Scope::new;
        scopes.set(scope(None, None), 1);
        scopes.set(scope(Some("p"), None), 2);
        scopes.set(scope(None, Some("s")), 3);
        scopes.set(scope(Some("q"), Some("s")), 4);
        let mut check = |project, scene, expected: u64| {
            assert_eq!(*scopes.entry_for(&scope(project, scene)).settings, expected, "{project:?} {scene:?}");
        };
        check(None, None, 1);
        check(Some("x"), Some("y"), 1);
        check(Some("p"), Some("y"), 2);
        check(Some("p"), Some("s"), 3);
        check(Some("q"), Some("s"), 4);
        check(Some("q"), Some("y"), 1);
    }

    #[test]
    fn a_scope_contains_what_it_does_not_restrict() {
        let ids = Scope::new(Some("p"), Some("s"));
        assert!(Scope::default().contains(&ids));
        assert!(Scope::new(Some("p"), None).contains(&ids));
        assert!(!Scope::new(Some("q"), None).contains(&ids));
        assert!(!ids.contains(&Scope::default()));
    }
}
