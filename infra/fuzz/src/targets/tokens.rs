//! Signed tokens, signatures and sealed secrets: what was made is valid, and nothing else is.

use reelhook_signing::{
    ClipClaims, RunClaims, SealingKeys, SessionClaims, SignedToken, SigningKeys, StreamClaims, SubjectClaims,
    TaskClaims, standard, streamgank,
};

use crate::input::Input;
use crate::target::Verdict;
use crate::targets::requests::NOON;

/// The longest field of a generated token, in characters: tokens have at most 512 bytes.
const FIELD: usize = 20;

/// Tokens of each purpose, changed or not.
pub fn of_purposes(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let keys = SigningKeys::parse("the newest secret, an older one").expect("secrets");
    if input.rarely(3) {
        let text = String::from_utf8_lossy(input.rest()).into_owned();
        assert!(!is_valid(&text, &keys), "`{text}` was made by nobody");
        return Verdict::Refused;
    }
    let (one, other) = (field(&mut input), field(&mut input));
    let number = u32::from(input.byte());
    let now = NOON.seconds();
    let expires = now + 1 + i64::from(input.byte());
    let run = RunClaims { job_id: one.clone(), attempt: number, part: input.flag().then(|| other.clone()) };
    let task = TaskClaims { project: one.clone(), task: other.clone() };
    let clip = ClipClaims { job: one.clone(), number };
    let subject = SubjectClaims { subject: &one, expires };
    let stream = StreamClaims { subject: one.clone(), owner: input.flag().then(|| other.clone()), expires };
    let tokens = [
        SignedToken::mint(&run, &keys),
        SignedToken::mint(&task, &keys),
        SignedToken::mint(&clip, &keys),
        SignedToken::mint(&subject, &keys),
        SignedToken::mint(&stream, &keys),
    ];
    let [of_run, of_task, of_clip, of_subject, of_stream] = tokens.each_ref().map(SignedToken::expose);
    assert_eq!(RunClaims::verify(of_run, &keys).map(|claims| claims.into_inner()), Ok(run));
    assert_eq!(TaskClaims::verify(of_task, &keys).map(|claims| claims.into_inner()), Ok(task));
    assert_eq!(ClipClaims::verify(of_clip, &keys).map(|claims| claims.into_inner()), Ok(clip));
    assert_eq!(SubjectClaims::verify(of_subject, &one, now, &keys).map(|claims| claims.into_inner()), Ok(subject));
    assert_eq!(StreamClaims::verify(of_stream, now, &keys).map(|claims| claims.into_inner()), Ok(stream));
    assert!(StreamClaims::verify(of_stream, expires, &keys).is_err(), "an expired token is not valid");
    assert!(SubjectClaims::verify(of_subject, "another subject", now, &keys).is_err(), "a token is for one subject");
    let stranger = SigningKeys::parse("another secret").expect("a secret");
    for token in &tokens {
        assert!(!is_valid(token.expose(), &stranger), "another secret makes no token");
        let mut changed = token.expose().as_bytes().to_vec();
        let at = input.below(changed.len());
        changed[at] ^= 1 << input.below(8);
        let changed = String::from_utf8_lossy(&changed).into_owned();
        assert!(!is_valid(&changed, &keys), "`{changed}` is a changed token");
    }
    Verdict::Accepted
}

/// Whether a token is valid for anything.
fn is_valid(token: &str, keys: &SigningKeys) -> bool {
    let now = NOON.seconds();
    RunClaims::verify(token, keys).is_ok()
        || TaskClaims::verify(token, keys).is_ok()
        || ClipClaims::verify(token, keys).is_ok()
        || SubjectClaims::verify(token, "job_1", now, keys).is_ok()
        || StreamClaims::verify(token, now, keys).is_ok()
        || SessionClaims::verify(token, &[[7; 32]], now, keys).is_ok()
}

fn field(input: &mut Input<'_>) -> String {
    let text: String = input.text().chars().take(FIELD).collect();
    if text.is_empty() { "x".to_owned() } else { text }
}

/// Signatures of webhooks and sealed secrets, changed or not.
pub fn of_signatures(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let keys = SigningKeys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, an older one").expect("secrets");
    let (now, header) = (NOON.seconds(), input.text());
    let is_changed = input.flag();
    let (at, bit) = (input.below(1 << 16), input.below(8));
    let body = input.rest();
    assert!(streamgank::verify_hex(body, &header, &keys).is_err(), "`{header}` is no signature");
    assert!(standard::verify("msg_1", "1704110400", &header, body, &keys, now).is_err(), "`{header}` is no signature");
    let hex = streamgank::signature(body, &keys);
    let signed = standard::sign("msg_1", now, body, &keys);
    let mut received = body.to_vec();
    if is_changed && !received.is_empty() {
        let at = at % received.len();
        received[at] ^= 1 << bit;
    }
    let is_same = received == body;
    assert_eq!(streamgank::verify_hex(&received, &hex, &keys).is_ok(), is_same, "a signature covers each byte");
    let standard = standard::verify("msg_1", &now.to_string(), &signed, &received, &keys, now);
    assert_eq!(standard.is_ok(), is_same, "a signature covers each byte");
    let sealing = SealingKeys::new(&keys);
    let secret = String::from_utf8_lossy(body).into_owned();
    let sealed = sealing.seal(&secret, "ep_1", u128::from(bytes.len() as u64));
    assert_eq!(sealing.open(&sealed, "ep_1").as_deref(), Ok(secret.as_str()), "what was sealed is opened");
    assert!(sealing.open(&sealed, "ep_2").is_err(), "a secret has one owner");
    let mut changed = sealed.into_bytes();
    let at = at % changed.len();
    changed[at] ^= 1 << bit;
    let changed = String::from_utf8_lossy(&changed).into_owned();
    assert!(sealing.open(&changed, "ep_1").is_err(), "`{changed}` is opened although it was changed");
    Verdict::of(is_same)
}
