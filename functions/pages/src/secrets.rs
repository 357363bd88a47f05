//! The secrets of the function.

use reelhook_http::access::Access;
use reelhook_http::edge::Edge;

/// The credentials of callers, and the secret of the domain in front of the API.
pub struct Secrets {
    /// API_KEYS, API_USERNAME, API_PASSWORD and SESSION_SECRET.
    pub access: Access,
    /// EDGE_SECRET.
    pub edge: Edge,
}
