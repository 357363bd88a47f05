//! The dashboard's numbers: what dashboard.json shows, read where metrics are kept. The dashboard in template.yaml and the
//! picture of `cargo xtask dashboard` show the same file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::prices::Price;
use crate::metrics::series::{BoardSeries, ResourceNames, SeriesQuery};
use crate::store::StoreError;

/// The sections, in order.
const SOURCE: &str = include_str!("dashboard.json");
/// The time that dollars are of, in seconds.
const DAY: f64 = 86_400.0;
/// How the values of a line in dollars a day become one.
const AVERAGE: &str = "Average";
/// The name of the line that adds up those in dollars.
const SUM: &str = "sum";
/// Values of a series at most: with more, each covers a longer time.
const VALUES: i64 = 72;
/// The shortest time that a value covers.
const SHORTEST: Duration = Duration::from_secs(300);

/// A time in equal parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The start of the first part.
    pub from: Timestamp,
    /// The end of the last part.
    pub to: Timestamp,
    /// The length of a part.
    pub period: Duration,
}

impl Span {
    /// The last hours before `now`, with the part that contains it.
    pub fn last(hours: u32, now: Timestamp) -> Self {
        let least = i64::from(hours) * 3_600_000 / VALUES;
        let shortest = i64::try_from(SHORTEST.as_millis()).unwrap_or(i64::MAX);
        let parts = u32::try_from((least + shortest - 1) / shortest).unwrap_or(1).max(1);
        let period = SHORTEST * parts;
        let to = now.after(Duration::from_millis(1)).round_up(period);
        let from = now.before(Duration::from_secs(u64::from(hours) * 3600)).round_up(period);
        Self { from, to, period }
    }

    /// The number of parts.
    fn parts(&self) -> usize {
        usize::try_from(self.to.since(self.from).as_millis() / self.period.as_millis().max(1)).unwrap_or_default()
    }

    /// The value of each part; what is outside of the span has no place.
    fn placed(&self, points: &[(Timestamp, f64)]) -> Vec<Option<f64>> {
        let length = i64::try_from(self.period.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut values = vec![None; self.parts()];
        for (at, value) in points {
            let index = usize::try_from(at.millis_since(self.from) / length).ok();
            if let Some(place) = index.and_then(|index| values.get_mut(index)) {
                *place = Some(*value);
            }
        }
        values
    }
}

/// Reads metrics.
#[async_trait]
pub trait MetricReader: Send + Sync {
    /// The values of each series, in order, with the starts of their parts.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read(&self, series: &[SeriesQuery], span: Span) -> Result<Vec<Vec<(Timestamp, f64)>>, StoreError>;
}

#[derive(Debug, Deserialize)]
struct Board {
    sections: Vec<BoardSection>,
}

#[derive(Debug, Deserialize)]
struct BoardSection {
    title: String,
    widgets: Vec<BoardWidget>,
}

#[derive(Debug, Deserialize)]
struct BoardWidget {
    title: String,
    unit: String,
    #[serde(default)]
    series: Vec<BoardSeries>,
    /// Lines in dollars a day.
    #[serde(default)]
    dollars: Vec<BoardCost>,
}

/// What something that is counted costs.
#[derive(Debug, Deserialize)]
struct BoardCost {
    label: String,
    price: Price,
    /// The series that count it.
    of: Vec<BoardSeries>,
}

/// A section of the dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MetricSection {
    /// Its heading.
    pub title: String,
    /// Its charts.
    pub widgets: Vec<MetricChart>,
}

/// A chart of the dashboard.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MetricChart {
    /// Its heading.
    pub title: String,
    /// What its values are: `count`, `ms`, `s`, or `$ a day`.
    pub unit: String,
    /// Its lines.
    pub series: Vec<MetricSeries>,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MetricSeries {
    /// Its name.
    pub label: String,
    /// How values within a period become one, such as `Sum` or `p95`; `Average` for a rate.
    pub statistic: String,
    /// A value for each period, or null where there is none.
    pub values: Vec<Option<f64>>,
}

fn board() -> &'static Board {
    static BOARD: OnceLock<Board> = OnceLock::new();
    BOARD.get_or_init(|| serde_json::from_str(SOURCE).expect("a test reads it"))
}

/// Reads the dashboard's numbers. What is about a resource whose name is not known has no values.
///
/// # Errors
/// [`StoreError`].
pub async fn numbers(
    reader: &dyn MetricReader,
    names: &ResourceNames,
    span: Span,
) -> Result<Vec<MetricSection>, StoreError> {
    let widgets = board().sections.iter().flat_map(|section| &section.widgets);
    let wanted: BTreeSet<SeriesQuery> =
        widgets.flat_map(BoardWidget::read).filter_map(|query| query.named(names)).collect();
    let queries: Vec<SeriesQuery> = wanted.into_iter().collect();
    let found = reader.read(&queries, span).await?;
    let of = queries.into_iter().zip(found.iter().map(|points| span.placed(points))).collect();
    let known = Known { names, span, of };
    Ok(board().sections.iter().map(|section| section.shown(&known)).collect())
}

/// The values of the series that were read.
struct Known<'a> {
    names: &'a ResourceNames,
    span: Span,
    of: BTreeMap<SeriesQuery, Vec<Option<f64>>>,
}

impl Known<'_> {
    /// The values of a series; none if a resource of it is not known.
    fn values(&self, query: &SeriesQuery) -> Vec<Option<f64>> {
        let named = query.named(self.names).and_then(|named| self.of.get(&named).cloned());
        named.unwrap_or_else(|| vec![None; self.span.parts()])
    }
}

impl BoardSection {
    fn shown(&self, known: &Known<'_>) -> MetricSection {
        let chart = |widget: &BoardWidget| MetricChart {
            title: widget.title.clone(),
            unit: widget.unit.clone(),
            series: widget.lines(known),
        };
        MetricSection { title: self.title.clone(), widgets: self.widgets.iter().map(chart).collect() }
    }
}

impl BoardWidget {
    /// All series that its lines need.
    fn read(&self) -> Vec<SeriesQuery> {
        let all = self.series.iter().chain(self.dollars.iter().flat_map(|cost| &cost.of));
        all.flat_map(BoardSeries::expanded).map(|(_, query)| query).collect()
    }

    /// Its lines: a line for each series, or what each counted thing costs, after the sum.
    fn lines(&self, known: &Known<'_>) -> Vec<MetricSeries> {
        let counted = self.series.iter().flat_map(BoardSeries::expanded);
        let mut lines: Vec<MetricSeries> = counted
            .map(|(label, query)| {
                let values = known.values(&query);
                MetricSeries { label, statistic: query.statistic, values }
            })
            .collect();
        let costs: Vec<Vec<Option<f64>>> = self.dollars.iter().map(|cost| cost.a_day(known)).collect();
        let each = costs.iter().map(|values| values.iter().copied());
        if let Some(sum) = added(known.span.parts(), each) {
            lines.push(rate(SUM, sum));
        }
        lines.extend(self.dollars.iter().zip(costs).map(|(cost, values)| rate(&cost.label, values)));
        lines
    }
}

impl BoardCost {
    /// The dollars that a day costs at the rate of each period.
    fn a_day(&self, known: &Known<'_>) -> Vec<Option<f64>> {
        let dollars = self.price.per_million() / 1e6 * DAY / known.span.period.as_secs_f64();
        let mut parts = Vec::new();
        for series in &self.of {
            for (_, query) in series.expanded() {
                let each = dollars * series.times();
                parts.push(known.values(&query).into_iter().map(move |value| value.map(|value| value * each)));
            }
        }
        let length = known.span.parts();
        added(length, parts).unwrap_or_else(|| vec![None; length])
    }
}

/// A line in dollars a day.
fn rate(label: &str, values: Vec<Option<f64>>) -> MetricSeries {
    MetricSeries { label: label.to_owned(), statistic: AVERAGE.to_owned(), values }
}

/// The sum of several lines, to which one without a value adds nothing; none if no line has any value.
fn added(
    length: usize,
    lines: impl IntoIterator<Item = impl Iterator<Item = Option<f64>>>,
) -> Option<Vec<Option<f64>>> {
    let (mut sums, mut is_known) = (vec![0.0; length], false);
    for line in lines {
        for (sum, value) in sums.iter_mut().zip(line) {
            is_known |= value.is_some();
            *sum += value.unwrap_or_default();
        }
    }
    is_known.then(|| sums.into_iter().map(Some).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn names() -> ResourceNames {
        [("AWS::StackName", "test"), ("Api", "a1")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn a_span_has_at_most_so_many_parts_and_contains_now() {
        for (hours, minutes, parts) in [(1, 5, 13), (3, 5, 37), (24, 20, 73), (168, 140, 73)] {
            let span = Span::last(hours, NOON);
            assert_eq!(span.period, Duration::from_secs(60 * minutes), "{hours}");
            assert!(span.from <= NOON && NOON < span.to, "{hours}");
            assert!(span.parts() <= parts && span.parts() + 1 >= parts, "{hours} {}", span.parts());
        }
    }

    #[tokio::test]
    async fn numbers_stand_in_their_parts_and_what_is_not_known_is_empty() {
        struct One;
        #[async_trait]
        impl MetricReader for One {
            async fn read(&self, series: &[SeriesQuery], span: Span) -> Result<Vec<Vec<(Timestamp, f64)>>, StoreError> {
                Ok(series.iter().map(|_| vec![(span.from.after(span.period), 2.0), (span.to, 9.0)]).collect())
            }
        }
        let span = Span::last(1, NOON);
        let sections = numbers(&One, &names(), span).await.unwrap();
        let titles: Vec<&str> = sections.iter().map(|section| section.title.as_str()).collect();
        assert_eq!(titles, ["What callers feel", "Queues, streams and renderers", "Receivers", "Money"]);
        let first = &sections[0].widgets[0].series[0];
        assert_eq!((first.values.len(), first.values[0], first.values[1]), (span.parts(), None, Some(2.0)));
        assert!(first.values[2..].iter().all(Option::is_none), "a value outside of the span has no place");
        let queues = &sections[1].widgets[0];
        let known = queues.series.iter().filter(|series| series.values.iter().any(Option::is_some));
        let known: Vec<&str> = known.map(|series| series.label.as_str()).collect();
        assert_eq!(known, ["job inbox"], "{}: the others' names are not known", queues.title);
    }

    /// Counts two of everything in the second part of a span.
    struct Two;

    #[async_trait]
    impl MetricReader for Two {
        async fn read(&self, series: &[SeriesQuery], span: Span) -> Result<Vec<Vec<(Timestamp, f64)>>, StoreError> {
            let mut unique = series.to_vec();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), series.len(), "each series is read once");
            Ok(series.iter().map(|_| vec![(span.from.after(span.period), 2.0)]).collect())
        }
    }

    #[tokio::test]
    async fn dollars_are_counts_times_prices_at_the_rate_of_a_day() {
        let span = Span::last(1, NOON);
        let sections = numbers(&Two, &names(), span).await.unwrap();
        let mut charts = sections.iter().flat_map(|section| &section.widgets);
        let chart = charts.find(|chart| chart.unit == "$ a day").expect("a chart");
        let line = |label: &str| {
            let line = chart.series.iter().find(|line| line.label == label).unwrap_or_else(|| panic!("no {label}"));
            assert_eq!(line.statistic, "Average", "{label}");
            line.values.clone()
        };
        let requests = line("API requests");
        // Two of a million for a dollar, 288 times.
        assert!((requests[1].unwrap() - 2.0 / 1e6 * 288.0).abs() < 1e-12, "{requests:?}");
        assert_eq!((requests[0], requests.len()), (Some(0.0), span.parts()), "a period without a count costs nothing");
        assert!(line("DynamoDB writes").iter().all(Option::is_none), "the names of the tables are not known");
        let parts = chart.series.iter().filter(|line| line.label != "sum").filter_map(|line| line.values[1]);
        assert!((line("sum")[1].unwrap() - parts.sum::<f64>()).abs() < 1e-12);
        assert_eq!(chart.series[0].label, "sum");
    }

    #[tokio::test]
    async fn nothing_that_is_counted_has_no_dollars() {
        struct Nothing;
        #[async_trait]
        impl MetricReader for Nothing {
            async fn read(&self, series: &[SeriesQuery], _: Span) -> Result<Vec<Vec<(Timestamp, f64)>>, StoreError> {
                Ok(vec![Vec::new(); series.len()])
            }
        }
        let sections = numbers(&Nothing, &names(), Span::last(1, NOON)).await.unwrap();
        let charts = sections.iter().flat_map(|section| &section.widgets);
        for line in charts.flat_map(|chart| &chart.series) {
            assert!(line.values.iter().all(Option::is_none), "{}", line.label);
            assert_ne!(line.label, SUM);
        }
    }
}
