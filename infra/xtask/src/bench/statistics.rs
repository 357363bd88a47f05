//! Medians, and confidence intervals of their ratio by bootstrap resampling with a fixed seed.

/// The median: for an even count, the mean of the two middle values; for none, NaN.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

/// The median with minimum and maximum.
pub fn spread(values: &[f64], show: impl Fn(f64) -> String) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} ({} to {})", show(median(values)), show(least), show(most))
}

/// A ratio of medians with its 95 % confidence interval.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    /// Ratio of the measured values.
    pub value: f64,
    /// 2.5th percentile of the resampled ratios.
    pub low: f64,
    /// 97.5th percentile of the resampled ratios.
    pub high: f64,
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2}-{:.2})", self.value, self.low, self.high)
    }
}

/// median(values) / median(baseline), with an interval from 4,000 resamplings of both.
pub fn ratio_of_medians(values: &[f64], baseline: &[f64]) -> Ratio {
    const RESAMPLINGS: usize = 4_000;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut ratios: Vec<f64> =
        (0..RESAMPLINGS).map(|_| median(&random.resample(values)) / median(&random.resample(baseline))).collect();
    ratios.sort_by(f64::total_cmp);
    Ratio {
        value: median(values) / median(baseline),
        low: ratios[RESAMPLINGS / 40],
        high: ratios[RESAMPLINGS - 1 - RESAMPLINGS / 40],
    }
}

/// xorshift64* with a fixed seed: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn resample(&mut self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|_| values[(self.next() % values.len() as u64) as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_spread_shows_minimum_and_maximum() {
        assert_eq!(spread(&[3.0, 1.0, 2.0], |value| format!("{value:.0}")), "2 (1 to 3)");
    }

    #[test]
    fn the_interval_contains_the_ratio_and_is_a_point_for_constant_values() {
        let baseline: Vec<f64> = (0..40).map(|i| 20.0 + f64::from(i % 5)).collect();
        let wide: Vec<f64> = (0..40).map(|i| 25.0 + f64::from(i % 11)).collect();
        let ratio = ratio_of_medians(&wide, &baseline);
        assert!(ratio.low <= ratio.value && ratio.value <= ratio.high, "{ratio:?}");
        let same = ratio_of_medians(&[30.0; 40], &[20.0; 40]);
        assert!((same.low - 1.5).abs() < 1e-9 && (same.high - 1.5).abs() < 1e-9);
    }
}
