//! Name resolution that yields public addresses only, so that the address that is dialled is the one that was judged.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The rule that an address must satisfy before it is dialled.
pub(crate) type AddressRule = fn(IpAddr) -> bool;

/// Where the addresses of a name come from.
#[async_trait]
pub(crate) trait Lookup: Send + Sync + 'static {
    /// Every address of a name, fit or not.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
pub(crate) struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let sockets = tokio::net::lookup_host((name, 0)).await?;
        Ok(sockets.map(|socket| socket.ip()).collect())
    }
}

/// Why a name gave no address to dial; found again in the error's source chain.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("every address of the name is refused")]
    Refused,
    #[error("the name does not resolve")]
    NotFound,
    #[error("the lookup could not be made")]
    Lookup(#[source] io::Error),
}

/// The resolver that the client dials by.
pub(crate) struct FilteringResolver {
    lookup: Arc<dyn Lookup>,
    rule: AddressRule,
}

impl FilteringResolver {
    pub(crate) fn new(lookup: Arc<dyn Lookup>, rule: AddressRule) -> Self {
        Self { lookup, rule }
    }
}

impl Resolve for FilteringResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.lookup);
        let rule = self.rule;
        Box::pin(async move { Ok(resolve(&*lookup, rule, name.as_str()).await?) })
    }
}

async fn resolve(lookup: &dyn Lookup, rule: AddressRule, name: &str) -> Result<Addrs, ResolveError> {
    let found = lookup.lookup(name).await.map_err(classify)?;
    if found.is_empty() {
        return Err(ResolveError::NotFound);
    }
    let fit: Vec<IpAddr> = found.into_iter().filter(|ip| rule(*ip)).collect();
    if fit.is_empty() {
        return Err(ResolveError::Refused);
    }
    // Port 0 stands for the URL's port.
    Ok(Box::new(fit.into_iter().map(|ip| SocketAddr::new(ip, 0))))
}

/// getaddrinfo's own answers ("no such name", "no server answered") carry no OS code; a code means that
/// the call itself failed, for example for want of file descriptors.
fn classify(error: io::Error) -> ResolveError {
    match error.raw_os_error() {
        Some(_) => ResolveError::Lookup(error),
        None => ResolveError::NotFound,
    }
}
