//! Finds the parts of a text that differ from run to run.

use reelhook_domain::Timestamp;

/// What an id belongs to. Ids of one kind are numbered in the order in which they appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A job with a time in its id.
    Job,
    /// A webhook endpoint.
    Endpoint,
    /// A recovery of deliveries.
    Recovery,
    /// A secret of an endpoint.
    Secret,
    /// A delivery, a render, a video, a request and others.
    Other,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// As RFC 3339 in UTC.
    Rfc3339,
    /// As Unix milliseconds.
    Millis,
}

/// A part of a text that differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'t> {
    /// 128 bits, as 32 digits or as a UUID; and the version and the place of an event whose id begins with it.
    Id { kind: Kind, bits: u128, dashed: bool, event: Option<(&'t str, &'t str)> },
    /// A time in Unix milliseconds.
    Time(i64, Unit),
    /// A signing secret, without its prefix.
    Secret(&'t str),
    /// Anything else, and what stands for it.
    Fixed(String),
}

/// Stands for every public key.
const PUBLIC_KEY: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
/// Stands for every signature with a shared secret.
const SIGNATURE: &str = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=";
/// Stands for every signature with a key pair.
const ASYMMETRIC: &str = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
/// Stands for every SHA-256 in hexadecimal digits.
pub(super) const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// The time in every id that has one.
const TIME_OF_ID: &str = "1704110400000";
/// The Unix seconds of a header.
const SECONDS: &str = "1704110400";

/// The text with the literals replaced, and each part that differs from run to run by what `replace` returns for it.
pub(super) fn rewritten(
    text: &str,
    literals: &[(String, String)],
    replace: &mut dyn FnMut(Found<'_>) -> String,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let (before, rest) = text.split_at(at);
        let literal = literals.iter().find(|(from, _)| begins_with(rest, from));
        let is_start = !before.ends_with(|last: char| last.is_ascii_alphanumeric());
        if let Some((from, to)) = literal {
            out.push_str(to);
            at += from.len();
        } else if let Some((found, length)) = is_start.then(|| find(before, rest)).flatten() {
            out.push_str(&replace(found));
            at += length;
        } else {
            out.push(next);
            at += next.len_utf8();
        }
    }
    out
}

/// Whether a text begins with a literal, and not with a longer number than that at its end.
fn begins_with(text: &str, literal: &str) -> bool {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    text.strip_prefix(literal)
        .is_some_and(|after| !(digit(literal.as_bytes().last()) && digit(after.as_bytes().first())))
}

/// What a text begins with, and its length.
fn find<'t>(before: &str, rest: &'t str) -> Option<(Found<'t>, usize)> {
    scenario(before, rest)
        .or_else(|| host(rest))
        .or_else(|| prefixed(rest))
        .or_else(|| token(rest))
        .or_else(|| raised_error(rest))
        .or_else(|| moment(rest))
        .or_else(|| day(rest))
        .or_else(|| id(before, rest))
        .or_else(|| clock(before, rest))
}

/// A template that tells the mock worker what to do.
fn scenario<'t>(before: &str, rest: &str) -> Option<(Found<'t>, usize)> {
    let is_scenario = before.is_empty() && rest.starts_with("studio:");
    is_scenario.then(|| (Found::Fixed("auto".to_owned()), rest.len()))
}

/// An address of this machine.
fn host<'t>(rest: &str) -> Option<(Found<'t>, usize)> {
    let local = "http://127.0.0.1:";
    let port = length(rest.strip_prefix(local)?, |byte| byte.is_ascii_digit());
    Some((Found::Fixed("https://service.example".to_owned()), local.len() + port))
}

/// A secret, a public key or a signature, by its prefix.
fn prefixed(rest: &str) -> Option<(Found<'_>, usize)> {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    for (prefix, least, fixed) in [
        ("whsec_", 24, None),
        ("whpk_", 40, Some(PUBLIC_KEY)),
        ("v1,", 40, Some(SIGNATURE)),
        ("v1a,", 80, Some(ASYMMETRIC)),
    ] {
        let Some(after) = rest.strip_prefix(prefix) else { continue };
        let key = &after[..length(after, base64)];
        if key.len() < least {
            return None;
        }
        let found = fixed.map_or(Found::Secret(key), |fixed| Found::Fixed(fixed.to_owned()));
        return Some((found, prefix.len() + key.len()));
    }
    None
}

/// A signed token, such as `s1.1704715200.` and its MAC.
fn token(rest: &str) -> Option<(Found<'_>, usize)> {
    let [purpose, b'1', b'.', ..] = rest.as_bytes() else { return None };
    let whole = length(rest, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    let is_token = purpose.is_ascii_lowercase() && whole >= 35;
    let stands = || format!("{}1.1704715200.c2lnbmF0dXJlLW9mLWFuLWV4YW1wbGUh", char::from(*purpose));
    is_token.then(|| (Found::Fixed(stands()), whole))
}

/// The id of an error: `err_`, a time, and seven base36 digits.
fn raised_error<'t>(rest: &str) -> Option<(Found<'t>, usize)> {
    let (time, digits) = (rest.strip_prefix("err_")?.get(..13)?, rest.get(18..25)?);
    let is_time = time.bytes().all(|byte| byte.is_ascii_digit()) && rest.as_bytes()[17] == b'_';
    let is_base36 = digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    let is_error = is_time && is_base36 && is_end(rest, 25);
    is_error.then(|| (Found::Fixed(format!("err_{TIME_OF_ID}_0a1b2c3")), 25))
}

fn moment<'t>(rest: &str) -> Option<(Found<'t>, usize)> {
    if !has_shape(rest, "0000-00-00T00:00:00") {
        return None;
    }
    let end = rest.find('Z').filter(|end| *end <= 29)? + 1;
    let at = Timestamp::parse(&rest[..end])?;
    Some((Found::Time(at.millis(), Unit::Rfc3339), end))
}

/// A day, as in the key of a file.
fn day<'t>(rest: &str) -> Option<(Found<'t>, usize)> {
    let shape = "0000-00-00";
    let is_day = has_shape(rest, shape) && is_end(rest, shape.len());
    is_day.then(|| (Found::Fixed("2024-01-01".to_owned()), shape.len()))
}

fn id<'t>(before: &str, rest: &'t str) -> Option<(Found<'t>, usize)> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let digits = length(rest, is_digit);
    if digits == 64 && is_end(rest, 64) {
        return Some((Found::Fixed(DIGEST.to_owned()), 64));
    }
    let dashed = digits == 8;
    let whole = if dashed { 36 } else { 32 };
    let text = rest.get(..whole).filter(|_| (dashed || digits == 32) && is_end(rest, whole))?;
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    if dashed && parts != [8, 4, 4, 4, 12] {
        return None;
    }
    let bits = u128::from_str_radix(&text.replace('-', ""), 16).ok()?;
    let event = event(&rest[whole..]);
    let more = event.map_or(0, |(version, place)| version.len() + place.len() + 2);
    Some((Found::Id { kind: kind(before), bits, dashed, event }, whole + more))
}

/// The kind of an id after this text.
fn kind(before: &str) -> Kind {
    let is_job = || {
        let timed = before.strip_suffix('_').map(|before| before.trim_end_matches(|last: char| last.is_ascii_digit()));
        timed.is_some_and(|before| before.ends_with("job_"))
    };
    let prefixes = [("ep_", Kind::Endpoint), ("cb_", Kind::Endpoint), ("rec_", Kind::Recovery), ("sec_", Kind::Secret)];
    let named = prefixes.into_iter().find(|(prefix, _)| before.ends_with(prefix)).map(|(_, kind)| kind);
    named.unwrap_or(if is_job() { Kind::Job } else { Kind::Other })
}

/// The version and the place in the id of an event: `.21.0`.
fn event(rest: &str) -> Option<(&str, &str)> {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let after = rest.strip_prefix('.')?;
    let (version, after) = after.split_at(length(after, is_digit));
    let after = after.strip_prefix('.')?;
    let place = &after[..length(after, is_digit)];
    let is_event = !version.is_empty() && !place.is_empty() && is_end(after, place.len());
    is_event.then_some((version, place))
}

/// A time as a number.
fn clock<'t>(before: &str, rest: &str) -> Option<(Found<'t>, usize)> {
    let digits = length(rest, |byte| byte.is_ascii_digit());
    if !is_end(rest, digits) {
        return None;
    }
    match digits {
        10 if before.is_empty() && rest.len() == 10 => Some((Found::Fixed(SECONDS.to_owned()), 10)),
        13 if ["job_", "proj_", "trigger_"].iter().any(|prefix| before.ends_with(prefix)) => {
            Some((Found::Fixed(TIME_OF_ID.to_owned()), 13))
        }
        13 if !rest.starts_with('0') => Some((Found::Time(rest[..13].parse().ok()?, Unit::Millis), 13)),
        _ => None,
    }
}

/// How many bytes at the beginning are like this; they must be ASCII.
fn length(text: &str, is_like: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is_like(*byte)).count()
}

/// Whether a word ends at this place.
fn is_end(text: &str, at: usize) -> bool {
    !text.as_bytes().get(at).is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether a text begins with this shape, in which 0 stands for any digit.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
    text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}
