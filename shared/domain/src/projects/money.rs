//! Amounts of money, in millionths of a dollar.

/// Millionths of a dollar as people write them, with two to six decimals.
pub fn dollars(millionths: u64) -> String {
    let decimals = format!("{:06}", millionths % 1_000_000);
    let kept = decimals.trim_end_matches('0').len().max(2);
    format!("${}.{}", millionths / 1_000_000, &decimals[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_two_decimals_unless_they_need_more() {
        for (millionths, text) in
            [(0, "$0.00"), (500_000, "$0.50"), (12_000_000, "$12.00"), (1_250_001, "$1.250001"), (500, "$0.0005")]
        {
            assert_eq!(dollars(millionths), text);
        }
    }
}
