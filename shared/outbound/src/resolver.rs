//! Name resolution that returns only public addresses, so that exactly the checked addresses are dialled.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Decides whether an address may be dialled.
pub(crate) type AddressRule = fn(IpAddr) -> bool;

/// A source of addresses for names.
#[async_trait]
pub(crate) trait Lookup: Send + Sync + 'static {
    /// Returns every address of a name, whether or not it may be dialled.
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

/// Why a name has no address to dial. The error is found later in the source chain.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("no address of the name is permitted")]
    Refused,
    #[error("the name does not resolve")]
    NotFound,
    #[error("the lookup failed")]
    Lookup(#[source] io::Error),
}

/// The resolver of the client: returns only addresses that satisfy the rule.
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
    // Port 0 means the port of the URL.
    Ok(Box::new(fit.into_iter().map(|ip| SocketAddr::new(ip, 0))))
}

/// Errors of getaddrinfo itself ("no such name", "no server answered") have no OS error code. A code means that the
/// system call failed, for example for lack of file descriptors.
fn classify(error: io::Error) -> ResolveError {
    match error.raw_os_error() {
        Some(_) => ResolveError::Lookup(error),
        None => ResolveError::NotFound,
    }
}
