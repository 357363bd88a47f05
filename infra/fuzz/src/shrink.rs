//! Makes an input that breaks a property as short as it gets, so that people see what matters.

/// The attempts of one input at most.
const MOST: usize = 20_000;

/// The shortest input that was found for which `fails` still holds.
pub fn shrunk(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut left = MOST;
    let mut length = best.len().next_power_of_two();
    while length > 0 {
        let mut at = 0;
        while at < best.len() && left > 0 {
            left -= 1;
            let end = (at + length).min(best.len());
            let candidate = [&best[..at], &best[end..]].concat();
            if fails(&candidate) {
                best = candidate;
            } else {
                at += length;
            }
        }
        length /= 2;
    }
    for at in 0..best.len().min(left) {
        let mut candidate = best.clone();
        candidate[at] = 0;
        if fails(&candidate) {
            best = candidate;
        }
    }
    best
}
