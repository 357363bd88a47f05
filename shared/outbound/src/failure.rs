//! Converts errors of the HTTP stack to errors of the port, by the types in the source chain and never by their texts.
//! Texts that may come from the receiver, such as names in a certificate, are shortened.

use std::error::Error;
use std::io;
use std::iter::successors;
use std::time::Duration;

use reelhook_app::outbound::OutboundError;
use reelhook_domain::brief;

use crate::resolver::ResolveError;

/// Converts the error of a failed exchange with `host`; `elapsed` is the time since its start.
pub(crate) fn classify(error: reqwest::Error, host: &str, elapsed: Duration) -> OutboundError {
    // Paths and queries of users' URLs may contain credentials.
    let error = error.without_url();
    if error.is_builder() {
        return OutboundError::BadRequest("the URL can't be sent in an HTTP request".into());
    }
    let connecting = error.is_connect();
    // Check causes before wrappers: hyper reports a TLS alert or a refused name as a cancelled message.
    causes(&error)
        .find_map(|cause| by_cause(cause, host, connecting, elapsed))
        .or_else(|| causes(&error).find_map(broken_message))
        .unwrap_or_else(|| OutboundError::Other(brief(&innermost(&error))))
}

/// A timeout after this time, in the unit of the port.
pub(crate) fn timed_out(after: Duration) -> OutboundError {
    OutboundError::TimedOut(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
}

fn by_cause(cause: &(dyn Error + 'static), host: &str, connecting: bool, elapsed: Duration) -> Option<OutboundError> {
    if let Some(error) = cause.downcast_ref::<ResolveError>() {
        let host = host.to_owned();
        return match error {
            ResolveError::Refused => Some(OutboundError::Forbidden { host }),
            ResolveError::NotFound => Some(OutboundError::NotFound { host }),
            ResolveError::Lookup(_) => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        // After the handshake the request may have been sent: `Tls` says that it was not.
        return Some(if connecting { OutboundError::Tls(brief(&error.to_string())) } else { OutboundError::Reset });
    }
    by_kind(cause.downcast_ref::<io::Error>()?.kind(), elapsed)
}

fn by_kind(kind: io::ErrorKind, elapsed: Duration) -> Option<OutboundError> {
    match kind {
        io::ErrorKind::ConnectionRefused => Some(OutboundError::Refused),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(OutboundError::Reset),
        // The kernel's timeout was shorter than our deadline.
        io::ErrorKind::TimedOut => Some(timed_out(elapsed)),
        // `ErrorKind` is non-exhaustive; other kinds have no variant in the port.
        _ => None,
    }
}

/// hyper's error for a connection that ended within a message contains no `io::Error`.
fn broken_message(cause: &(dyn Error + 'static)) -> Option<OutboundError> {
    let error = cause.downcast_ref::<hyper::Error>()?;
    let broken = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    broken.then_some(OutboundError::Reset)
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

/// The error and all its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| next_cause(error))
}

/// The source of an `io::Error` skips the error that it wraps, so check that error first.
fn next_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let io = error.downcast_ref::<io::Error>();
    match io.and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_fault_has_its_error() {
        use io::ErrorKind as Kind;
        let after = Duration::from_millis(1500);
        for (kind, expected) in [
            (Kind::ConnectionRefused, Some(OutboundError::Refused)),
            (Kind::ConnectionReset, Some(OutboundError::Reset)),
            (Kind::ConnectionAborted, Some(OutboundError::Reset)),
            (Kind::NotConnected, Some(OutboundError::Reset)),
            (Kind::BrokenPipe, Some(OutboundError::Reset)),
            (Kind::UnexpectedEof, Some(OutboundError::Reset)),
            (Kind::TimedOut, Some(OutboundError::TimedOut(1500))),
            (Kind::PermissionDenied, None),
            (Kind::Other, None),
        ] {
            assert_eq!(by_kind(kind, after), expected, "{kind:?}");
            let cause: io::Error = kind.into();
            assert_eq!(by_cause(&cause, "host.test", true, after), expected, "{kind:?}");
        }
        assert_eq!(timed_out(Duration::MAX), OutboundError::TimedOut(u64::MAX));
    }

    #[test]
    fn tls_fails_only_while_it_connects() {
        let alert = rustls::Error::HandshakeNotComplete;
        let of = |connecting| by_cause(&alert, "host.test", connecting, Duration::ZERO);
        assert_eq!(of(true), Some(OutboundError::Tls(alert.to_string())));
        assert_eq!(of(false), Some(OutboundError::Reset));
    }

    #[test]
    fn a_lookup_that_failed_is_judged_by_its_cause() {
        let of = |error: &ResolveError| by_cause(error, "host.test", true, Duration::ZERO);
        let host = || "host.test".to_owned();
        assert_eq!(of(&ResolveError::Refused), Some(OutboundError::Forbidden { host: host() }));
        assert_eq!(of(&ResolveError::NotFound), Some(OutboundError::NotFound { host: host() }));
        assert_eq!(of(&ResolveError::Lookup(io::Error::other("why"))), None);
    }

    #[test]
    fn an_io_error_leads_to_what_it_wraps_and_no_further_than_there_is() {
        let wrapping = io::Error::other(io::Error::other(ResolveError::Refused));
        let texts: Vec<String> = causes(&wrapping).map(ToString::to_string).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert_eq!(innermost(&wrapping), ResolveError::Refused.to_string());
        assert!(causes(&wrapping).last().is_some_and(|cause| cause.is::<ResolveError>()));
        let plain = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(causes(&plain).count(), 1);
        assert!(broken_message(&plain).is_none());
    }
}
