//! The settings of a function behind the API: its own ones, and the credentials of callers where it checks them.

use std::sync::Arc;

use reelhook_aws::settings::Raw;
use reelhook_http::access::jwt::OwnerTokens;
use reelhook_http::access::{Access, jwt};
use reelhook_http::site::Site;

/// Parses settings.
type Read<S> = Box<dyn Fn(&Raw, &Site) -> anyhow::Result<S> + Send + Sync>;

/// The names of the settings that a function reads, and what it makes of them.
pub struct SettingsReader<S> {
    pub(crate) names: Vec<&'static str>,
    pub(crate) read: Read<S>,
}

/// The credentials of callers, and a function's own settings.
pub struct WithAccess<S = ()> {
    /// The credentials: [`Access::SETTINGS`].
    pub access: Access,
    /// The function's own settings.
    pub own: S,
}

impl SettingsReader<()> {
    /// A function without settings of its own.
    pub fn none() -> Self {
        Self::new(&[], |_, _| Ok(()))
    }
}

impl<S: 'static> SettingsReader<S> {
    /// Reads the settings with these names by `read`.
    pub fn new(
        names: &[&'static str],
        read: impl Fn(&Raw, &Site) -> anyhow::Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self { names: names.to_vec(), read: Box::new(read) }
    }

    /// Reads the credentials of operators, too. They come first: the names after [`reelhook_aws::settings::OPTIONS`] are
    /// members of one setting.
    pub fn with_access(self) -> SettingsReader<WithAccess<S>> {
        self.with_credentials(&[], |access, _| Ok(access))
    }

    /// [`Self::with_access`] for a function whose routes are all the operator's.
    pub(crate) fn with_operators(self) -> SettingsReader<WithAccess<S>> {
        self.with_credentials(&[], |access, _| Ok(access.without_owners()))
    }

    /// Reads the credentials of operators and of owners, whose tokens are of this kind.
    pub(crate) fn with_callers(self, tokens: Arc<OwnerTokens>) -> SettingsReader<WithAccess<S>> {
        self.with_credentials(jwt::SETTINGS, move |access, raw| {
            Ok(access.with_owners(Arc::clone(&tokens), raw.text("JWT_SECRET").as_deref())?)
        })
    }

    fn with_credentials(
        self,
        names: &[&'static str],
        complete: impl Fn(Access, &Raw) -> anyhow::Result<Access> + Send + Sync + 'static,
    ) -> SettingsReader<WithAccess<S>> {
        let own = self.read;
        SettingsReader {
            names: [Access::SETTINGS, names, &self.names].concat(),
            read: Box::new(move |raw: &Raw, site: &Site| {
                let access = complete(Access::read(site, &|name| raw.text(name))?, raw)?;
                Ok(WithAccess { access, own: own(raw, site)? })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_reads_its_own_settings_and_the_credentials_only_if_it_checks_them() {
        let own = || SettingsReader::new(&["CALLBACK_TOKEN_SECRET", "EDGE_SECRET"], |_, _| Ok(()));
        assert_eq!(own().names, ["CALLBACK_TOKEN_SECRET", "EDGE_SECRET"]);
        assert_eq!(own().with_access().names, [Access::SETTINGS, &["CALLBACK_TOKEN_SECRET", "EDGE_SECRET"]].concat());
        assert_eq!(own().with_operators().names, own().with_access().names);
        let with_owners = own().with_callers(Arc::default()).names;
        assert_eq!(with_owners, [Access::SETTINGS, &["JWT_SECRET", "CALLBACK_TOKEN_SECRET", "EDGE_SECRET"]].concat());
    }
}
