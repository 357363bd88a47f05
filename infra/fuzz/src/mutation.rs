//! Inputs that are made of others: some bytes are changed, inserted, removed, repeated, or taken from another input.

use crate::random::Random;

/// What parsers look for.
const TOKENS: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"null",
    b"true",
    b"1e999",
    b"-0",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\r\n",
    b"\r\n\r\n",
    b"--b",
    b"%00",
    b"..",
    b"/",
    b"#",
    b"?",
    b"=",
    b"&",
    b";",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\x1f\x8b\x08\0",
    b"99999999999999999999",
];

/// The longest input, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// A changed copy of an input, which may have parts of `other`.
pub fn mutated(parent: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = parent.to_vec();
    for _ in 0..=random.below(5) {
        change(&mut bytes, other, random);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let most = if random.below(4) == 0 { 64 } else { 4 };
    let length = 1 + random.below(most);
    let end = (at + length).min(bytes.len());
    match random.below(10) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = random.byte(),
        3 if at < bytes.len() => {
            let edges = [0, 1, 0x7f, 0x80, 0xff, bytes[at].wrapping_add(1), bytes[at].wrapping_sub(1)];
            bytes[at] = edges[random.below(edges.len())];
        }
        4 => drop(bytes.drain(at..end)),
        5 => {
            let inserted = random.bytes(length);
            drop(bytes.splice(at..at, inserted));
        }
        6 => {
            let token = TOKENS[random.below(TOKENS.len())];
            drop(bytes.splice(at..at, token.iter().copied()));
        }
        7 => {
            let copied = bytes[at..end].to_vec();
            let place = random.below(bytes.len() + 1);
            drop(bytes.splice(place..place, copied));
        }
        8 => {
            let from = random.below(other.len() + 1);
            let to = (from + 1 + random.below(64)).min(other.len());
            drop(bytes.splice(at..end, other[from..to].iter().copied()));
        }
        _ => bytes.truncate(at),
    }
}
