//! Routes of projects and their scenes: requests and answers.

pub mod answers;
pub mod bodies;
pub mod callbacks;
pub mod fields;
pub mod files;
pub mod problem;
pub mod routes;

/// The family's paths with their methods ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/api/projects/{id}/scenes", &["GET"]),
    ("/api/projects/{id}/scenes/{scene}/generate", &["POST"]),
    ("/api/scenes/{id}", &["PATCH", "DELETE"]),
    ("/api/v1/files/{project}/final/{generation}/{name}", &["GET"]),
    ("/api/v1/files/{project}/prompts/{name}", &["GET"]),
    ("/api/v1/files/{project}/scenes/{scene}/{attempt}/{name}", &["GET"]),
    ("/api/v1/projects", &["GET", "POST"]),
    ("/api/v1/projects/{id}", &["GET", "PATCH", "DELETE"]),
    ("/api/v1/projects/{id}/cancel", &["POST"]),
    ("/api/v1/projects/{id}/estimate", &["POST"]),
    ("/api/v1/projects/{id}/retry", &["POST"]),
    ("/api/v1/projects/{id}/scenes", &["GET", "POST"]),
    ("/api/v1/projects/{id}/scenes/{scene}", &["PATCH", "DELETE"]),
    ("/api/v1/projects/{id}/scenes/{scene}/generate", &["POST"]),
    ("/api/v1/projects/{id}/start", &["POST"]),
    ("/api/v1/projects/{id}/stitch", &["POST"]),
    ("/api/v1/projects/{id}/stream", &["GET"]),
    ("/api/v1/projects/{id}/videos/generate", &["POST"]),
];
