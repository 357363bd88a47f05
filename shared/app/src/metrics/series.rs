//! The series of metrics that dashboard.json names, and the names of the resources that they are of.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The dimension of every metric of our own.
const SERVICE: (&str, &str) = ("service", "reelhook");
/// The namespace of our own metrics; the prefix of the functions' names.
const NAMESPACE: &str = "Reelhook/${AWS::StackName}";
const STACK: &str = "${AWS::StackName}-";

/// The names of the stack's resources, by what stands for them in dashboard.json.
pub type ResourceNames = BTreeMap<String, String>;

/// One series of a metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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

/// A series as dashboard.json has it: with several values of a dimension, one for each.
#[derive(Debug, Deserialize)]
pub(super) struct BoardSeries {
    #[serde(default)]
    namespace: Option<String>,
    metric: String,
    #[serde(default)]
    by: serde_json::Map<String, serde_json::Value>,
    stat: String,
    #[serde(default)]
    label: Option<String>,
    /// How much of what is priced one of its counts is; one by default.
    #[serde(default)]
    times: Option<f64>,
}

impl BoardSeries {
    /// How much of what is priced one of its counts is.
    pub(super) fn times(&self) -> f64 {
        self.times.unwrap_or(1.0)
    }

    /// A series with its name for each combination of the values of its dimensions.
    pub(super) fn expanded(&self) -> Vec<(String, SeriesQuery)> {
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
    pub(super) fn named(&self, names: &ResourceNames) -> Option<Self> {
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
}
