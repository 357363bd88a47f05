//! Metrics as CloudWatch keeps them.

use async_trait::async_trait;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use reelhook_app::metrics::board::{MetricReader, Span};
use reelhook_app::metrics::series::SeriesQuery;
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

use crate::errors::store_error;

/// Series of one call at most (*GetMetricData*).
const SERIES: usize = 500;

/// Reads metrics of the account.
pub struct CloudWatchMetrics(aws_sdk_cloudwatch::Client);

impl CloudWatchMetrics {
    /// A reader with this client.
    pub fn new(client: aws_sdk_cloudwatch::Client) -> Self {
        Self(client)
    }

    async fn read_some(&self, series: &[SeriesQuery], span: Span) -> Result<Vec<Vec<(Timestamp, f64)>>, StoreError> {
        let period = i32::try_from(span.period.as_secs()).unwrap_or(i32::MAX);
        let queries: Vec<MetricDataQuery> =
            series.iter().enumerate().map(|(index, series)| query(index, series, period)).collect();
        let mut found = vec![Vec::new(); series.len()];
        let mut next = None;
        loop {
            let page = self
                .0
                .get_metric_data()
                .start_time(DateTime::from_millis(span.from.millis()))
                .end_time(DateTime::from_millis(span.to.millis()))
                .set_metric_data_queries(Some(queries.clone()))
                .set_next_token(next)
                .send()
                .await
                .map_err(|error| store_error("read metrics", error))?;
            for result in page.metric_data_results() {
                let index = result.id().and_then(|id| id.strip_prefix('q')?.parse::<usize>().ok());
                let Some(points) = index.and_then(|index| found.get_mut(index)) else { continue };
                let times = result.timestamps().iter().map(|at| Timestamp(at.secs().saturating_mul(1000)));
                points.extend(times.zip(result.values().iter().copied()));
            }
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(found);
            }
        }
    }
}

fn query(index: usize, series: &SeriesQuery, period: i32) -> MetricDataQuery {
    let dimensions = series.dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let metric = Metric::builder()
        .namespace(&series.namespace)
        .metric_name(&series.metric)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let statistic = MetricStat::builder().metric(metric).period(period).stat(&series.statistic).build();
    MetricDataQuery::builder().id(format!("q{index}")).metric_stat(statistic).build()
}

#[async_trait]
impl MetricReader for CloudWatchMetrics {
    async fn read(&self, series: &[SeriesQuery], span: Span) -> Result<Vec<Vec<(Timestamp, f64)>>, StoreError> {
        let mut found = Vec::with_capacity(series.len());
        for some in series.chunks(SERIES) {
            found.extend(self.read_some(some, span).await?);
        }
        Ok(found)
    }
}
