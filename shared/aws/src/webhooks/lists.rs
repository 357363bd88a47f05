//! Lists of deliveries: by the rows that name them, and by the entries that deliveries of older versions have in indexes,
//! in one order (ADR 61).

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures_util::future::try_join;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::deliveries::{DELIVERY_SHARDS, DeliveryDetails, DeliveryQueries, ListedDelivery};
use reelhook_domain::{Delivery, DeliveryId, Subject};

use crate::errors::store_error;
use crate::items::{Item, read, s, text};
use crate::webhooks::deliveries::DeliveryTable;
use crate::webhooks::rows::{
    day_of_deliveries, day_of_events, delivery_key, delivery_partition, event_key, named, older_event_key, read_row,
    subject_partition,
};

/// How many of the newest attempts one delivery is shown with.
const SHOWN_ATTEMPTS: i32 = 100;
/// Rows that are read beyond those that are wanted: the last ones may have the time of unread rows.
const MORE_ROWS: usize = 10;
/// The digits of the time that cursors and places begin with.
const TIME: usize = 13;

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    NewestFirst,
    OldestFirst,
}

impl Order {
    /// The condition of a query for what is beyond a cursor.
    fn condition(self, partition: &str) -> String {
        let sign = match self {
            Self::NewestFirst => '<',
            Self::OldestFirst => '>',
        };
        format!("{partition} = :of AND place {sign} :place")
    }

    /// The cursor for rows that name deliveries beyond a cursor: those of its millisecond may name such, too.
    fn bound(self, cursor: &str) -> String {
        match (self, cursor.get(..TIME).and_then(|time| time.parse::<u64>().ok())) {
            (Self::NewestFirst, Some(ms)) => format!("{:013}", ms.saturating_add(1)),
            (Self::OldestFirst, Some(ms)) => format!("{ms:013}"),
            (_, None) => cursor.to_owned(),
        }
    }

    fn is_beyond(self, one: &str, cursor: &str) -> bool {
        match self {
            Self::NewestFirst => one < cursor,
            Self::OldestFirst => one > cursor,
        }
    }

    /// The first `limit` of what was found, each once.
    fn first(self, mut found: Vec<ListedDelivery>, limit: usize) -> Vec<ListedDelivery> {
        found.sort_unstable();
        // A delivery that an older version created is named by the row of its event, too, if that was written again.
        found.dedup();
        if self == Self::NewestFirst {
            found.reverse();
        }
        found.truncate(limit);
        found
    }
}

#[async_trait]
impl DeliveryQueries for DeliveryTable {
    fn shards(&self) -> u32 {
        self.shards.read(DELIVERY_SHARDS)
    }

    async fn of_subject(
        &self,
        subject: &Subject,
        before: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let order = Order::NewestFirst;
        let older = self.older("by-job", "job_id", subject.as_str(), order, before, limit);
        let (mut found, named) = try_join(older, self.named_of_subject(subject, before)).await?;
        found.extend(named);
        Ok(order.first(found, limit))
    }

    async fn of_day(
        &self,
        day: &str,
        shard: u32,
        before: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        self.listed_of_day(day, shard, Order::NewestFirst, before, limit).await
    }

    async fn of_day_after(
        &self,
        day: &str,
        shard: u32,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        self.listed_of_day(day, shard, Order::OldestFirst, after, limit).await
    }

    async fn details(&self, id: DeliveryId) -> Result<Option<DeliveryDetails>, StoreError> {
        let (operation, at) = ("read delivery", delivery_key(id));
        let rows = self.rows(operation, &BTreeSet::from([at.clone()])).await?;
        let Some(item) = rows.get(&at) else { return Ok(None) };
        let delivery: Delivery = read_row(operation, item)?;
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("pk = :pk AND begins_with(sk, :attempts)")
            .expression_attribute_values(":pk", s(delivery_partition(id)))
            .expression_attribute_values(":attempts", s("attempt#"))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(SHOWN_ATTEMPTS);
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let attempts = answer.items().iter().rev().map(|item| read(operation, item, "body"));
        let attempts = delivery.all_attempts(attempts.collect::<Result<_, _>>()?);
        let keys = BTreeSet::from([event_key(&delivery.event_id), older_event_key(&delivery.event_id)]);
        let events = self.rows(operation, &keys).await?;
        let event = events.event_of(item, &delivery.event_id).map(|row| read_row(operation, row)).transpose()?;
        Ok(Some(DeliveryDetails { delivery, event, attempts }))
    }
}

impl DeliveryTable {
    async fn listed_of_day(
        &self,
        day: &str,
        shard: u32,
        order: Order,
        cursor: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let partition = day_of_deliveries(day, shard);
        let older = self.older("by-day", "day_shard", &partition, order, cursor, limit);
        let (mut found, named) = try_join(older, self.named_of_day(day, shard, order, cursor, limit)).await?;
        found.extend(named);
        Ok(order.first(found, limit))
    }

    /// Deliveries that have entries of their own in an index, as older versions write them: the first `limit` beyond a cursor.
    async fn older(
        &self,
        index: &str,
        attribute: &str,
        partition: &str,
        order: Order,
        cursor: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let entry = |item: &Item| {
            let id = DeliveryId::parse(text(item, "pk")?.strip_prefix("delivery#")?)?;
            Some((text(item, "place")?.to_owned(), id))
        };
        let mut pages = Pages::of(self.beyond(index, attribute, partition, order, cursor).limit(count(limit)));
        let mut found = Vec::new();
        // A page may end early.
        while found.len() < limit
            && let Some(rows) = pages.next().await?
        {
            found.extend(rows.iter().filter_map(entry));
        }
        Ok(found)
    }

    /// Deliveries that rows of a shard of a day name beyond a cursor: at least the first `limit`, if there are as many. One
    /// that several rows name, as after a repair, counts once.
    async fn named_of_day(
        &self,
        day: &str,
        shard: u32,
        order: Order,
        cursor: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let (partition, bound) = (day_of_events(day, shard), order.bound(cursor));
        let query = self.beyond("by-day", "day_shard", &partition, order, &bound);
        let mut pages = Pages::of(query.limit(count(limit.saturating_add(MORE_ROWS))));
        let mut found: BTreeSet<ListedDelivery> = BTreeSet::new();
        while let Some(rows) = pages.next().await? {
            found.extend(rows.iter().flat_map(named).filter(|(of, _)| order.is_beyond(of, cursor)));
            let reached = rows.last().and_then(|row| text(row, "place")?.get(..TIME));
            let (Some(reached), false) = (reached, pages.are_all_read()) else { continue };
            // Unread rows may have the time of the last one, and deliveries before its own in the order.
            let is_certain = |(of, _): &ListedDelivery| !of.starts_with(reached);
            if found.iter().filter(|one| is_certain(one)).count() >= limit {
                found.retain(is_certain);
                break;
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Deliveries that the rows of a subject name before a cursor. The rows are in the order of versions, not of times: all are
    /// read, and an aggregate has some hundred at most.
    async fn named_of_subject(&self, subject: &Subject, before: &str) -> Result<Vec<ListedDelivery>, StoreError> {
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("pk = :of")
            .expression_attribute_values(":of", s(subject_partition(subject.as_str())))
            .projection_expression("place");
        let mut pages = Pages::of(query);
        let mut found: Vec<ListedDelivery> = Vec::new();
        while let Some(rows) = pages.next().await? {
            let named = rows.iter().flat_map(named);
            found.extend(named.filter(|(of, _)| Order::NewestFirst.is_beyond(of, before)));
        }
        Ok(found)
    }

    /// A query for the entries of a partition of an index beyond a place.
    fn beyond(&self, index: &str, attribute: &str, partition: &str, order: Order, place: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .key_condition_expression(order.condition(attribute))
            .expression_attribute_values(":of", s(partition))
            .expression_attribute_values(":place", s(place))
            .scan_index_forward(order == Order::OldestFirst)
    }
}

/// The pages of a query, one after the other.
struct Pages {
    /// The query for the next one; none after the last one.
    next: Option<QueryFluentBuilder>,
}

impl Pages {
    fn of(query: QueryFluentBuilder) -> Self {
        Self { next: Some(query) }
    }

    fn are_all_read(&self) -> bool {
        self.next.is_none()
    }

    async fn next(&mut self) -> Result<Option<Vec<Item>>, StoreError> {
        let Some(query) = self.next.take() else { return Ok(None) };
        let answer = query.clone().send().await.map_err(|error| store_error("list deliveries", error))?;
        self.next = answer.last_evaluated_key.map(|last| query.set_exclusive_start_key(Some(last)));
        Ok(Some(answer.items.unwrap_or_default()))
    }
}

/// A number of rows as DynamoDB takes it.
fn count(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}
