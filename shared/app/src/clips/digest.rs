//! The digest of what a client asks of a clip job: equal requests make equal clips.

use reelhook_domain::Metadata;
use reelhook_domain::clips::request::ClipRequest;

use crate::digest::sha256_hex;

/// The digest of a request without what changes no clip: the declared length, the callback and the metadata.
pub fn of_request(request: &ClipRequest) -> String {
    let made_of = ClipRequest { declared_ms: None, callback: None, metadata: Metadata::default(), ..request.clone() };
    sha256_hex(serde_json::to_vec(&made_of).expect("our own types are JSON"))
}
