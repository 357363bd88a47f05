//! The dashboard's numbers: what dashboard.json shows, read where metrics are kept. The dashboard in template.yaml and the
//! picture of `cargo xtask dashboard` show the same file.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// The sections, in order.
const SOURCE: &str = include_str!("dashboard.json");
/// The dimension of every metric of our own.
const SERVICE: (&str, &str) = ("service", "reelhook");
/// The namespace of our own metrics; the prefix of the functions' names.
const NAMESPACE: &str = "Reelhook/${AWS::StackName}";
const STACK: &str = "${AWS::StackName}-";
/// Values of a series at most: with more, each covers a longer time.
const VALUES: i64 = 72;
/// The shortest time that a value covers.
const SHORTEST: Duration = Duration::from_secs(300);

/// The names of the stack's resources, by what stands for them in dashboard.json.
pub type ResourceNames = BTreeMap<String, String>;

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
}

/// One series of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesQuery {
    /// The namespace.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// Its dimensions.
    pub dimensions: Vec<(String, String)>,
    /// The statistic, such as `Sum` or `p95`.
    pub statistic: String,
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
    series: Vec<BoardSeries>,
}

#[derive(Debug, Deserialize)]
struct BoardSeries {
    #[serde(default)]
    namespace: Option<String>,
    metric: String,
    #[serde(default)]
    by: serde_json::Map<String, serde_json::Value>,
    stat: String,
    #[serde(default)]
    label: Option<String>,
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
    /// What its values are: `count`, `ms` or `s`.
    pub unit: String,
    /// Its lines.
    pub series: Vec<MetricSeries>,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MetricSeries {
    /// Its name.
    pub label: String,
    /// How values within a period become one, such as `Sum` or `p95`.
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
    let mut queries = Vec::new();
    let mut sections: Vec<MetricSection> = Vec::with_capacity(board().sections.len());
    // Where the values of each query go.
    let mut places = Vec::new();
    for section in &board().sections {
        let mut charts = Vec::with_capacity(section.widgets.len());
        for widget in &section.widgets {
            let mut series = Vec::new();
            for (label, query) in widget.series.iter().flat_map(BoardSeries::expanded) {
                if let Some(query) = query.named(names) {
                    queries.push(query);
                    places.push((sections.len(), charts.len(), series.len()));
                }
                let (statistic, values) = (query.statistic, vec![None; span.parts()]);
                series.push(MetricSeries { label, statistic, values });
            }
            charts.push(MetricChart { title: widget.title.clone(), unit: widget.unit.clone(), series });
        }
        sections.push(MetricSection { title: section.title.clone(), widgets: charts });
    }
    let found = reader.read(&queries, span).await?;
    for ((section, chart, series), points) in places.into_iter().zip(found) {
        let values = &mut sections[section].widgets[chart].series[series].values;
        for (at, value) in points {
            let index = at.millis_since(span.from) / i64::try_from(span.period.as_millis()).unwrap_or(i64::MAX).max(1);
            if let Some(place) = usize::try_from(index).ok().and_then(|index| values.get_mut(index)) {
                *place = Some(value);
            }
        }
    }
    Ok(sections)
}

impl BoardSeries {
    /// A series with its name for each combination of the values of its dimensions.
    fn expanded(&self) -> Vec<(String, SeriesQuery)> {
        let own = self.namespace.is_none();
        let mut combinations: Vec<Vec<(&str, &str, bool)>> = vec![Vec::new()];
        for (name, value) in &self.by {
            let choices: Vec<&str> = match value {
                serde_json::Value::Array(several) => several.iter().filter_map(serde_json::Value::as_str).collect(),
                one => one.as_str().into_iter().collect(),
            };
            let several = choices.len() > 1;
            combinations = combinations
                .iter()
                .flat_map(|earlier| {
                    choices.iter().map(move |value| [&earlier[..], &[(name.as_str(), *value, several)]].concat())
                })
                .collect();
        }
        combinations
            .into_iter()
            .map(|values| {
                let dimensions =
                    own.then_some(SERVICE).into_iter().chain(values.iter().map(|(name, value, _)| (*name, *value)));
                let query = SeriesQuery {
                    namespace: self.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned()),
                    metric: self.metric.clone(),
                    dimensions: dimensions.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                    statistic: self.stat.clone(),
                };
                (self.label_of(&values), query)
            })
            .collect()
    }

    /// The given name and the values of dimensions with several; without both, all values.
    fn label_of(&self, values: &[(&str, &str, bool)]) -> String {
        let short = |(_, value, _): &(&str, &str, bool)| value.strip_prefix(STACK).unwrap_or(value).to_owned();
        let mut words: Vec<String> = values.iter().filter(|(_, _, several)| *several).map(short).collect();
        match &self.label {
            Some(label) => words.insert(0, label.clone()),
            None if words.is_empty() => words = values.iter().map(short).collect(),
            None => {}
        }
        words.join(" ")
    }
}

impl SeriesQuery {
    /// The query with the names of resources; none if one is not known.
    fn named(&self, names: &ResourceNames) -> Option<Self> {
        let dimensions = self.dimensions.iter().map(|(name, value)| Some((name.clone(), named(value, names)?)));
        Some(Self {
            namespace: named(&self.namespace, names)?,
            dimensions: dimensions.collect::<Option<_>>()?,
            ..self.clone()
        })
    }
}

/// A text in which each `${…}` is the name of a resource.
fn named(text: &str, names: &ResourceNames) -> Option<String> {
    let mut parts = text.split("${");
    let mut named = parts.next()?.to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}')?;
        named.push_str(names.get(name)?);
        named.push_str(rest);
    }
    Some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn names() -> ResourceNames {
        [("AWS::StackName", "test"), ("Api", "a1")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    fn series(text: &str) -> Vec<(String, SeriesQuery)> {
        serde_json::from_str::<BoardSeries>(text).unwrap().expanded()
    }

    #[test]
    fn a_series_of_several_values_is_one_for_each_combination() {
        let found = series(
            r#"{ "metric": "JobsEnded", "by": { "family": ["video", "clips"], "status": "failed" }, "stat": "Sum" }"#,
        );
        let labels: Vec<&str> = found.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(labels, ["video", "clips"]);
        let query = found[0].1.named(&names()).unwrap();
        assert_eq!((query.namespace.as_str(), query.metric.as_str()), ("Reelhook/test", "JobsEnded"));
        let expected = [("service", "reelhook"), ("family", "video"), ("status", "failed")];
        assert_eq!(query.dimensions, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_series_of_aws_has_no_service_and_needs_the_names_of_resources() {
        let found = series(
            r#"{ "namespace": "AWS/SQS", "metric": "Age", "by": { "QueueName": "${Work.QueueName}" }, "stat": "Maximum", "label": "work" }"#,
        );
        assert_eq!((found.len(), found[0].0.as_str(), found[0].1.dimensions.len()), (1, "work", 1));
        assert_eq!(found[0].1.named(&names()), None);
        let of_function = series(
            r#"{ "metric": "ColdStart", "by": { "function_name": ["${AWS::StackName}-fanout", "x"] }, "stat": "Sum" }"#,
        );
        assert_eq!(of_function[0].0, "fanout");
        assert_eq!(of_function[0].1.named(&names()).unwrap().dimensions[1].1, "test-fanout");
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
}
