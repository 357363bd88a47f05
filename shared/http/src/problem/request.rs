//! Problems of requests of any family: credentials, bodies, fields, limits and routes.

use super::table::problems;

problems! {
    /// A problem of a request, whatever it is about.
    pub enum RequestProblem {
        /// A field has the wrong type or a value out of range. Its path, such as `scenes[2].duration`, and what would
        /// be right.
        BadField(path: String, right: String) = 400 "bad_field" format!("`{path}` must be {right}");
        /// The request has an unknown field: its path, and the known ones.
        UnknownField(path: String, known: Vec<&'static str>) = 400 "unknown_field" unknown_field(path, known);
        /// The body is not JSON; the text says why.
        BadJson(why: String) = 400 "bad_json" format!("The body is not valid JSON: {why}");
        /// The body is JSON, but not an object.
        NoObject = 400 "no_object" "The body must be a JSON object";
        /// The body is too large.
        BodyTooLarge = 413 "body_too_large" "The body must not be larger than 1 MiB";
        /// The content coding or the character set of the body is not supported; the text is the whole sentence.
        UnsupportedEncoding(sentence: String) = 415 "unsupported_encoding" sentence.as_str();
        /// The body is not in the content coding that its header names.
        BadEncoding(coding: &'static str) = 400 "bad_encoding"
            format!("The body is not valid {coding}, which its `Content-Encoding` names");
        /// The Idempotency-Key is empty, too long, or has other characters than spaces and visible ASCII.
        BadIdempotencyKey = 400 "bad_idempotency_key" "`Idempotency-Key` must have 1 to 255 ASCII characters: visible ones and spaces";
        /// The Idempotency-Key was used with another body.
        KeyReused = 422 "idempotency_key_reused"
            "This `Idempotency-Key` was used for another request; use a new key";
        /// The request has no valid credentials.
        Unauthorized = 401 "unauthorized" "A valid API key, signature or callback token is required";
        /// The user name and password, or the API key, are not valid.
        SignInFailed = 401 "sign_in_failed" "The API key, or the user name and password, are not valid";
        /// An owner called a route of operators.
        OperatorOnly = 403 "operator_only" "Only an operator may do this: send an API key";
        /// A page of another origin may have sent the request.
        ForeignPage = 403 "foreign_page"
            "This may come from a page of another origin: send the key as `X-API-Key` or Bearer, send \
             `Content-Type: application/json`, or call from a page of this server";
        /// The API needs no key, and the request names a host that is not the API's own.
        ForeignHost = 403 "foreign_host"
            "Without a key the API answers only at its own address: call it there, or send a key as `X-API-Key` or \
             Bearer";
        /// The caller exceeded the rate limit: seconds until the next calls are allowed.
        RateLimited(_retry_after: u64) = 429 "rate_limited" "Rate limit exceeded. Please slow down.";
        /// The caller has made as many jobs as it may make in a day: their number, and the seconds until the next day.
        DailyLimit(most: u32, _retry_after: u64) = 429 "daily_limit"
            format!("This key or owner may make {most} jobs a day, and has made them; more may be made after midnight UTC");
        /// The maximum number of live streams is connected.
        TooManyStreams = 503 "too_many_streams" "Too many live connections, please poll instead";
        /// The route does not exist.
        UnknownRoute = 404 "unknown_route" "API endpoint not found";
        /// The path does not support the method; the text lists the supported ones.
        MethodNotAllowed(allow: String) = 405 "method_not_allowed"
            format!("Method not allowed; this path supports {allow}");
        /// A store is busy; the same request may succeed later.
        Busy = 503 "busy" "The service is busy, please try again";
        /// Reelhook itself has a fault.
        Internal = 500 "internal" "Something went wrong on our side";
    }
}

/// The most characters of an unknown field's path in an answer.
const NAME_LIMIT: usize = 64;

fn unknown_field(path: &str, known: &[&str]) -> String {
    let path: String = path.chars().take(NAME_LIMIT).collect();
    format!("Unknown field `{path}`; the fields are `{}`", known.join("`, `"))
}
