//! Whether what was watched stays flat: the rule, and the numbers that it is applied to.

use std::collections::BTreeMap;
use std::fmt;

use crate::bench::statistics::median;

/// The part of a run that is warm-up, as a divisor: a fifth.
const WARM_UP: usize = 5;
/// Growth within so many standard errors of the fitted line is noise.
const ERRORS: f64 = 3.0;
/// Growth below this part of the median is none, however little noise there is.
const PART: f64 = 0.05;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Resident memory of a program, in MiB; of several processes that of the largest.
    Memory,
    /// Open files of a program.
    Files,
    /// Rows of a table that have no time to live.
    Lasting,
    /// All rows of a table.
    Rows,
    /// A time, in milliseconds.
    Time,
    /// Jobs that end a second.
    Rate,
}

impl Kind {
    /// All kinds, in the order of tables and pictures.
    pub const ALL: [Self; 6] = [Self::Memory, Self::Files, Self::Lasting, Self::Rows, Self::Time, Self::Rate];

    /// The heading of tables and pictures.
    pub fn title(self) -> &'static str {
        match self {
            Self::Memory => "memory (MiB)",
            Self::Files => "open files",
            Self::Lasting => "rows without a time to live",
            Self::Rows => "rows",
            Self::Time => "time (ms)",
            Self::Rate => "jobs a second",
        }
    }

    /// Growth below this is none: the resolution of what is measured.
    fn floor(self) -> f64 {
        match self {
            Self::Memory => 2.0,
            Self::Files => 8.0,
            Self::Lasting => 4.0,
            Self::Rows => 100.0,
            Self::Time => 20.0,
            Self::Rate => 0.2,
        }
    }

    /// Whether more is worse. A rate gets worse by falling.
    fn grows(self) -> f64 {
        if self == Self::Rate { -1.0 } else { 1.0 }
    }
}

/// The values of everything that was watched, by kind and by what they belong to: jobs that had ended, and the value.
#[derive(Clone, Debug, Default)]
pub struct Series(BTreeMap<(Kind, String), Vec<(f64, f64)>>);

/// The verdict on one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What was watched.
    pub kind: Kind,
    /// What it belongs to: a program, a table, a request.
    pub of: String,
    /// The median after the warm-up.
    pub median: f64,
    /// The growth of the fitted line from the end of the warm-up to the end.
    pub growth: f64,
    /// The growth that is noise.
    pub noise: f64,
    /// Whether it stays flat; none if it is only shown.
    pub flat: Option<bool>,
}

impl Series {
    /// Adds a value at a number of ended jobs.
    pub fn add(&mut self, kind: Kind, of: impl Into<String>, jobs: u64, value: f64) {
        self.0.entry((kind, of.into())).or_default().push((jobs as f64, value));
    }

    /// The values of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &[(f64, f64)])> {
        self.0
            .iter()
            .filter(move |((of, _), _)| *of == kind)
            .map(|((_, name), points)| (name.as_str(), points.as_slice()))
    }

    /// A verdict on each series. Those that `is_judged` refuses are only shown.
    pub fn verdicts(&self, is_judged: impl Fn(Kind, &str) -> bool) -> Vec<Verdict> {
        let verdicts = self.0.iter().filter_map(|((kind, of), points)| verdict(*kind, of, points));
        verdicts
            .map(|verdict| match is_judged(verdict.kind, &verdict.of) {
                true => verdict,
                false => Verdict { flat: None, ..verdict },
            })
            .collect()
    }
}

/// The verdict on the points after the warm-up; none if they are too few for a line.
fn verdict(kind: Kind, of: &str, points: &[(f64, f64)]) -> Option<Verdict> {
    let measured = &points[points.len() / WARM_UP..];
    let Line { slope, error } = Line::through(measured)?;
    let span = measured.last()?.0 - measured.first()?.0;
    let values: Vec<f64> = measured.iter().map(|(_, value)| *value).collect();
    let median = median(&values);
    let growth = slope * span;
    let noise = (ERRORS * error * span).max(PART * median).max(kind.floor());
    Some(Verdict { kind, of: of.to_owned(), median, growth, noise, flat: Some(growth * kind.grows() <= noise) })
}

/// A line through points by least squares.
struct Line {
    slope: f64,
    /// The standard error of the slope.
    error: f64,
}

impl Line {
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        if points.len() < 3 {
            return None;
        }
        let count = points.len() as f64;
        let x_mean = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let y_mean = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let x_square = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum::<f64>();
        if x_square <= 0.0 {
            return None;
        }
        let slope = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / x_square;
        let left = points.iter().map(|(x, y)| (y - y_mean - slope * (x - x_mean)).powi(2)).sum::<f64>();
        Some(Self { slope, error: (left / (count - 2.0) / x_square).sqrt() })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, of, median, growth, noise, flat } = self;
        let verdict = match flat {
            Some(true) => "flat",
            Some(false) => "NOT FLAT",
            None => "shown only",
        };
        write!(f, "| {} | {of} | {median:.1} | {growth:+.1} | {noise:.1} | {verdict} |", kind.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series of 40 values with some noise that repeats, and a slope per value.
    fn series(kind: Kind, slope: f64) -> Series {
        let mut series = Series::default();
        for index in 0..40_u32 {
            let noise = f64::from(index * 7 % 5) - 2.0;
            series.add(kind, "worker", u64::from(index) * 100, 200.0 + noise + slope * f64::from(index));
        }
        series
    }

    fn flat(series: &Series) -> Option<bool> {
        series.verdicts(|_, _| true)[0].flat
    }

    #[test]
    fn noise_is_flat_and_growth_is_not() {
        assert_eq!(flat(&series(Kind::Memory, 0.0)), Some(true));
        assert_eq!(flat(&series(Kind::Memory, 1.0)), Some(false));
        assert_eq!(flat(&series(Kind::Memory, -1.0)), Some(true));
    }

    #[test]
    fn a_rate_gets_worse_by_falling() {
        assert_eq!(flat(&series(Kind::Rate, -1.0)), Some(false));
        assert_eq!(flat(&series(Kind::Rate, 1.0)), Some(true));
    }

    #[test]
    fn growth_below_a_twentieth_is_none_however_little_noise_there_is() {
        let mut exact = Series::default();
        for index in 0..20_u32 {
            exact.add(Kind::Memory, "worker", u64::from(index), 1_000.0 + f64::from(index));
        }
        assert_eq!(flat(&exact), Some(true));
    }

    #[test]
    fn the_warm_up_is_left_out() {
        let mut warm = series(Kind::Memory, 0.0);
        for (_, value) in warm.0.values_mut().next().unwrap().iter_mut().take(8) {
            *value = 1.0;
        }
        assert_eq!(flat(&warm), Some(true));
    }

    #[test]
    fn a_line_is_found_with_its_error() {
        let line = Line::through(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert!((line.slope - 2.0).abs() < 1e-9 && line.error.abs() < 1e-9);
        // 1, 2, 4 at 0, 1, 2: the slope is 1.5, what is left is 1/6, and its error the root of that by 2.
        let line = Line::through(&[(0.0, 1.0), (1.0, 2.0), (2.0, 4.0)]).unwrap();
        assert!((line.slope - 1.5).abs() < 1e-9 && (line.error - (1.0_f64 / 12.0).sqrt()).abs() < 1e-9);
        assert!(Line::through(&[(0.0, 1.0), (1.0, 2.0)]).is_none());
        assert!(Line::through(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]).is_none());
    }

    #[test]
    fn what_is_not_judged_is_shown() {
        let verdicts = series(Kind::Memory, 1.0).verdicts(|_, of| of != "worker");
        assert_eq!(verdicts[0].flat, None);
        assert!(verdicts[0].to_string().ends_with("| shown only |"), "{}", verdicts[0]);
    }
}
