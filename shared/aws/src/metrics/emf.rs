//! CloudWatch's embedded metric format: values of metrics as JSON lines (*Specification: Embedded metric format*).
//!
//! A line may have several directives with dimensions of their own, so an invocation usually has one line. A second one is
//! needed for a metric or a dimension that has another value there.

use std::collections::BTreeMap;

use reelhook_app::metrics::{DIMENSIONS, Metric, MetricName, Unit};
use reelhook_domain::Timestamp;
use serde_json::{Map, Value, json};

/// The dimension of every metric, and its value, as Powertools for AWS Lambda names the service.
const SERVICE: (&str, &str) = ("service", "reelhook");
/// Values of a metric in a line at most, as CloudWatch takes them.
const VALUES: usize = 100;

/// Values of one metric with the same dimensions.
struct Entry {
    name: MetricName,
    by: [&'static str; DIMENSIONS],
    values: Vec<f64>,
}

impl Entry {
    fn dimensions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.name.dimensions().iter().copied().zip(self.by)
    }
}

/// One line: metrics of different names, whose dimensions agree.
#[derive(Default)]
struct Line {
    dimensions: BTreeMap<&'static str, &'static str>,
    entries: Vec<Entry>,
}

impl Line {
    fn has_room_for(&self, entry: &Entry) -> bool {
        let agrees = |(name, value)| self.dimensions.get(name).is_none_or(|present| *present == value);
        self.entries.iter().all(|other| other.name != entry.name) && entry.dimensions().all(agrees)
    }

    fn add(&mut self, entry: Entry) {
        self.dimensions.extend(entry.dimensions());
        self.entries.push(entry);
    }

    fn to_json(&self, namespace: &str, now: Timestamp) -> Value {
        let mut directives: Vec<(Value, Vec<Value>)> = Vec::new();
        for Entry { name, .. } in &self.entries {
            let metric = json!({ "Name": name.name(), "Unit": name.unit().name() });
            let sets = sets(*name);
            match directives.iter_mut().find(|(other, _)| *other == sets) {
                Some((_, metrics)) => metrics.push(metric),
                None => directives.push((sets, vec![metric])),
            }
        }
        let directives = directives
            .into_iter()
            .map(|(sets, metrics)| json!({ "Namespace": namespace, "Dimensions": sets, "Metrics": metrics }));
        let mut line = Map::new();
        let aws = json!({ "Timestamp": now.millis(), "CloudWatchMetrics": directives.collect::<Value>() });
        line.insert("_aws".to_owned(), aws);
        line.insert(SERVICE.0.to_owned(), json!(SERVICE.1));
        line.extend(self.dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        line.extend(self.entries.iter().map(|entry| (entry.name.name().to_owned(), value(&entry.values))));
        Value::Object(line)
    }
}

/// The sets of dimensions of a metric.
fn sets(name: MetricName) -> Value {
    let all: Vec<&str> = [SERVICE.0].into_iter().chain(name.dimensions().iter().copied()).collect();
    if name.has_total() { json!([[SERVICE.0], all]) } else { json!([all]) }
}

/// A number, or a list of several.
fn value(values: &[f64]) -> Value {
    match values {
        [one] => number(*one),
        several => several.iter().copied().map(number).collect(),
    }
}

/// A number without a fraction where it has none, which is shorter.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

/// The lines for these values; empty for none. What is counted is added up, other values are listed.
pub(super) fn lines(namespace: &str, now: Timestamp, metrics: &[Metric]) -> String {
    let mut groups: BTreeMap<(MetricName, [&'static str; DIMENSIONS]), Vec<f64>> = BTreeMap::new();
    for Metric { name, by, value } in metrics {
        let values = groups.entry((*name, *by)).or_default();
        match (name.unit(), values.last_mut()) {
            (Unit::Count, Some(sum)) => *sum += value,
            (Unit::Count, None) | (Unit::Milliseconds | Unit::Seconds, _) => values.push(*value),
        }
    }
    let mut lines: Vec<Line> = Vec::new();
    for ((name, by), values) in groups {
        for values in values.chunks(VALUES) {
            let entry = Entry { name, by, values: values.to_vec() };
            match lines.iter_mut().find(|line| line.has_room_for(&entry)) {
                Some(line) => line.add(entry),
                None => {
                    let mut line = Line::default();
                    line.add(entry);
                    lines.push(line);
                }
            }
        }
    }
    lines.iter().map(|line| format!("{}\n", line.to_json(namespace, now))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_704_110_400_000);

    fn metric(name: MetricName, by: [&'static str; DIMENSIONS], value: f64) -> Metric {
        Metric { name, by, value }
    }

    fn written(metrics: &[Metric]) -> Vec<Value> {
        lines("Reelhook/test", NOW, metrics).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn directive(dimensions: Value, metrics: Value) -> Value {
        json!({ "Namespace": "Reelhook/test", "Dimensions": dimensions, "Metrics": metrics })
    }

    #[test]
    fn no_values_are_no_line() {
        assert_eq!(lines("Reelhook/test", NOW, &[]), "");
    }

    #[test]
    fn metrics_with_dimensions_of_their_own_share_a_line() {
        let lines = written(&[
            metric(MetricName::DeliveryAttempts, ["success", ""], 1.0),
            metric(MetricName::TimeToFirstByte, ["", ""], 12.0),
            metric(MetricName::DeliveryAttempts, ["success", ""], 1.0),
            metric(MetricName::TimeToFirstByte, ["", ""], 30.5),
            metric(MetricName::DeliveryRetries, ["", ""], 1.0),
        ]);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_704_110_400_000_i64,
                "CloudWatchMetrics": [
                    directive(json!([["service", "result"]]), json!([{ "Name": "DeliveryAttempts", "Unit": "Count" }])),
                    directive(json!([["service"]]), json!([
                        { "Name": "DeliveryRetries", "Unit": "Count" },
                        { "Name": "TimeToFirstByte", "Unit": "Milliseconds" },
                    ])),
                ],
            },
            "service": "reelhook",
            "result": "success",
            "DeliveryAttempts": 2,
            "DeliveryRetries": 1,
            "TimeToFirstByte": [12, 30.5],
        });
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn what_differs_in_a_dimension_has_a_line_of_its_own() {
        let lines = written(&[
            metric(MetricName::DeliveryAttempts, ["success", ""], 1.0),
            metric(MetricName::DeliveryAttempts, ["gone", ""], 1.0),
            metric(MetricName::DeliveriesEnded, ["stopped", ""], 1.0),
        ]);
        let results: Vec<&Value> = lines.iter().map(|line| &line["result"]).collect();
        assert_eq!(results, ["gone", "success"]);
        assert_eq!(lines[0]["status"], "stopped");
    }

    #[test]
    fn a_metric_with_a_total_is_written_with_and_without_its_dimension() {
        let lines = written(&[metric(MetricName::ApiErrors, ["rate_limited", ""], 1.0)]);
        let sets = &lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(*sets, json!([["service"], ["service", "code"]]));
    }

    #[test]
    fn no_line_has_more_than_a_hundred_values_of_a_metric() {
        let many: Vec<Metric> =
            (0..250).map(|number| metric(MetricName::TimeToFirstByte, ["", ""], f64::from(number))).collect();
        let sizes: Vec<usize> =
            written(&many).iter().map(|line| line["TimeToFirstByte"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
    }

    /// The sizes in docs/cost.md, of a stack whose name is `reelhook`.
    #[test]
    fn lines_have_the_sizes_in_the_document_about_cost() {
        let document = include_str!("../../../../docs/cost.md");
        let check = |what: &str, metrics: &[Metric]| {
            let row = format!("| {what} | {} |", lines("Reelhook/reelhook", NOW, metrics).len());
            assert!(document.contains(&row), "docs/cost.md has no row `{row}`");
        };
        check("a job is accepted", &[metric(MetricName::JobsSubmitted, ["workflow", ""], 1.0)]);
        check("a job starts", &[metric(MetricName::TimeToStart, ["workflow", ""], 850.0)]);
        check(
            "a job completes",
            &[
                metric(MetricName::JobsEnded, ["workflow", "completed"], 1.0),
                metric(MetricName::JobDuration, ["workflow", ""], 64_000.0),
                metric(MetricName::TimeToEnd, ["workflow", ""], 65_000.0),
            ],
        );
        let attempt = [
            metric(MetricName::DeliveryAttempts, ["success", ""], 1.0),
            metric(MetricName::DeliveriesEnded, ["delivered", ""], 1.0),
            metric(MetricName::TimeToFirstByte, ["", ""], 120.0),
        ];
        check("a webhook is accepted", &attempt);
        let first = metric(MetricName::TimeToFirstDelivery, ["workflow", ""], 65_400.0);
        check("a webhook that a job has completed is accepted", &[&attempt[..], &[first]].concat());
        check("a request is refused", &[metric(MetricName::ApiErrors, ["rate_limited", ""], 1.0)]);
    }
}
