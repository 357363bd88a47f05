//! The Connections table: WebSocket connections and what they follow.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use reelhook_app::live::ports::{
    Connection, Connections, Counted, Followed, FollowerPage, Following, Lease, Leased, Leases, OwnerSubscription,
    Released, Subscription,
};
use reelhook_app::live::topic::Topic;
use reelhook_app::store::StoreError;
use reelhook_domain::{OwnerId, Subject, Timestamp};

use super::rows::{self, CONNECTION, key, sort_key};
use crate::batch::{BATCH_WRITE, write_all};
use crate::errors::store_error;
use crate::items::{Item, n, number, s, text};
use crate::retry::RetryClock;

/// Followers of one page.
const PAGE: i32 = 500;
/// The time in which a client's messages are counted together.
const MINUTE: Duration = Duration::from_secs(60);
/// Counts messages of the present minute; where clocks differ, of the minute that is counted already.
const COUNT: (&str, &str) = ("ADD counted :messages", "attribute_exists(pk) AND counted_in >= :minute");
/// Begins to count the messages of a minute.
const COUNT_ANEW: (&str, &str) = (
    "SET counted = :messages, counted_in = :minute",
    "attribute_exists(pk) AND (attribute_not_exists(counted_in) OR counted_in < :minute)",
);

/// The Connections table.
#[derive(Debug, Clone)]
pub struct ConnectionTable {
    pub(super) client: aws_sdk_dynamodb::Client,
    table: String,
    now: fn() -> Timestamp,
}

/// The outcome of a conditional update: the item after it, or the one that does not meet the condition.
pub(super) enum Updated {
    /// The item after it.
    Done(Item),
    /// The item that does not meet the condition; none if there is none.
    Unmet(Option<Item>),
}

impl ConnectionTable {
    /// The table called `table`; rows have their expiry from the clock.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>, now: fn() -> Timestamp) -> Self {
        Self { client, table: table.into(), now }
    }

    /// An update of a row.
    pub(super) fn update_of(&self, pk: &str, sk: &str) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(key(pk, sk)))
    }

    /// Reads a row consistently.
    async fn get(&self, operation: &'static str, connection: &str, sk: &str) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key(connection, sk)));
        Ok(get.consistent_read(true).send().await.map_err(|error| store_error(operation, error))?.item)
    }

    async fn put_item(&self, operation: &'static str, item: Item) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| store_error(operation, error))
    }

    /// The topics that a connection follows, by its item.
    fn topics(item: &Item) -> &[String] {
        item.get("subjects").and_then(|subjects| subjects.as_ss().ok()).map_or(&[], Vec::as_slice)
    }

    /// Removes the subscriptions of a connection that `goes` chooses.
    async fn remove_subscriptions(
        &self,
        id: &str,
        goes: impl Fn(&Item) -> bool + Send + Sync,
    ) -> Result<(), StoreError> {
        let operation = "remove subscriptions";
        let mut start = None;
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :id")
                .expression_attribute_values(":id", s(id))
                .projection_expression("pk, sk, via")
                .consistent_read(true)
                .set_exclusive_start_key(start);
            let answer = query.send().await.map_err(|error| store_error(operation, error))?;
            let keys = answer.items().iter().filter(|item| goes(item)).filter_map(|item| text(item, "sk"));
            let request = |sk: &str| {
                let delete = DeleteRequest::builder().set_key(Some(key(id, sk))).build().expect("the key is set");
                WriteRequest::builder().delete_request(delete).build()
            };
            let requests: Vec<WriteRequest> = keys.map(request).collect();
            for chunk in requests.chunks(BATCH_WRITE) {
                write_all(operation, &self.client, &self.table, chunk.to_vec()).await?;
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn delete(&self, operation: &'static str, connection: &str, sk: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key(connection, sk)));
        delete.send().await.map(drop).map_err(|error| store_error(operation, error))
    }

    /// Saves what a push changed, on condition of the lease. It is given back unless `keep`; if another invocation
    /// requested it meanwhile, it can only be kept.
    async fn save(&self, subscription: &Subscription, lease: &Lease, keep: bool) -> Result<Updated, StoreError> {
        let topic = Topic::Subject(subscription.subject.clone());
        let (mut sets, mut removes) = (Vec::new(), if keep { vec!["asked"] } else { vec!["holder", "held_until"] });
        let mut update = self.update_of(&subscription.connection, &sort_key(&topic));
        for (name, value) in rows::progress(subscription) {
            match value {
                Some(value) => {
                    sets.push(format!("{name} = :{name}"));
                    update = update.expression_attribute_values(format!(":{name}"), value);
                }
                None => removes.push(name),
            }
        }
        let condition = if keep { "holder = :me" } else { "holder = :me AND attribute_not_exists(asked)" };
        let update = update
            .update_expression(format!("SET {} REMOVE {}", sets.join(", "), removes.join(", ")))
            .condition_expression(condition)
            .expression_attribute_values(":me", s(&lease.holder));
        conditional("save subscription", update).await
    }
}

/// Makes a conditional update.
pub(super) async fn conditional(
    operation: &'static str,
    update: UpdateItemFluentBuilder,
) -> Result<Updated, StoreError> {
    let update = update
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match update.send().await {
        Ok(answer) => Ok(Updated::Done(answer.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Updated::Unmet(failed.item().filter(|item| !item.is_empty()).cloned()))
            }
            _ => Err(store_error(operation, error)),
        },
    }
}

#[async_trait]
impl Connections for ConnectionTable {
    async fn open(&self, connection: &Connection) -> Result<(), StoreError> {
        self.put_item("open connection", rows::connection_item(connection)).await
    }

    async fn find(&self, id: &str) -> Result<Option<Connection>, StoreError> {
        let operation = "find connection";
        self.get(operation, id, CONNECTION).await?.map(|item| rows::connection(operation, &item)).transpose()
    }

    async fn count(&self, id: &str, messages: u32, now: Timestamp) -> Result<Option<Counted>, StoreError> {
        let operation = "count messages";
        // When a minute can't be begun, another call has begun it, or this one did and its answer was lost.
        for (expression, condition) in [COUNT, COUNT_ANEW, COUNT] {
            let update = self
                .update_of(id, CONNECTION)
                .update_expression(expression)
                .condition_expression(condition)
                .expression_attribute_values(":messages", n(messages))
                .expression_attribute_values(":minute", n(now.window_index(MINUTE)));
            match conditional(operation, update).await? {
                Updated::Done(item) => return rows::counted(operation, &item).map(Some),
                Updated::Unmet(None) => return Ok(None),
                Updated::Unmet(Some(_)) => {}
            }
        }
        Err(StoreError::Busy { operation, source: "the minute changed back".into() })
    }

    async fn follows_since(&self, id: &str, owner: &OwnerId) -> Result<Option<Timestamp>, StoreError> {
        let item = self.get("find owner subscription", id, &sort_key(&Topic::Owner(owner.clone()))).await?;
        Ok(item.and_then(|item| number(&item, "since")).map(Timestamp))
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        // Without its connection nothing new is subscribed, so the rest can go after it.
        self.delete("remove connection", id, CONNECTION).await?;
        self.remove_subscriptions(id, |_| true).await
    }
}

#[async_trait]
impl Following for ConnectionTable {
    async fn follow(&self, id: &str, topic: &Topic, most: usize) -> Result<Followed, StoreError> {
        let update = self
            .update_of(id, CONNECTION)
            .update_expression("ADD subjects :subjects")
            .condition_expression(
                "attribute_exists(pk) AND \
                 (attribute_not_exists(subjects) OR size(subjects) < :most OR contains(subjects, :subject))",
            )
            .expression_attribute_values(":subjects", AttributeValue::Ss(vec![topic.key()]))
            .expression_attribute_values(":subject", s(topic.key()))
            .expression_attribute_values(":most", n(most));
        Ok(match conditional("follow", update).await? {
            Updated::Done(_) => Followed::Done,
            Updated::Unmet(Some(_)) => Followed::Full,
            Updated::Unmet(None) => Followed::Missing,
        })
    }

    async fn unfollow(&self, id: &str, topic: &Topic) -> Result<(), StoreError> {
        let update = self
            .update_of(id, CONNECTION)
            .update_expression("DELETE subjects :subjects")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":subjects", AttributeValue::Ss(vec![topic.key()]));
        let Updated::Done(left) = conditional("unfollow", update).await? else { return Ok(()) };
        let left = Self::topics(&left);
        let follows_owner = left.iter().any(|key| Topic::is_owner(key));
        match topic {
            Topic::Owner(owner) => {
                let stays = |item: &Item| {
                    let wanted =
                        text(item, "sk").and_then(rows::topic_key).is_none_or(|key| left.iter().any(|one| one == key));
                    wanted || text(item, "via").is_some_and(|via| via != owner.as_str())
                };
                self.remove_subscriptions(id, |item| !stays(item)).await
            }
            Topic::Subject(_) if follows_owner => Ok(()),
            Topic::Subject(_) => self.delete("unfollow", id, &sort_key(topic)).await,
        }
    }

    async fn put_new(&self, subscription: &Subscription, via: &OwnerId) -> Result<(), StoreError> {
        let operation = "subscribe";
        let mut item = rows::subscription_item(subscription, (self.now)());
        item.insert("via".to_owned(), s(via.as_str()));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(())
            }
            Err(error) => Err(store_error(operation, error)),
        }
    }

    async fn put_owner(&self, subscription: &OwnerSubscription) -> Result<(), StoreError> {
        self.put_item("subscribe", rows::owner_item(subscription)).await
    }

    async fn followers(&self, topic: &Topic, after: Option<&str>) -> Result<FollowerPage, StoreError> {
        let operation = "find followers";
        let start = after.map(|connection| {
            let mut start = key(connection, &sort_key(topic));
            start.insert("subject".to_owned(), s(topic.key()));
            start
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-subject")
            .key_condition_expression("subject = :subject")
            .expression_attribute_values(":subject", s(topic.key()))
            .set_exclusive_start_key(start)
            .limit(PAGE);
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let followers = answer.items().iter().map(|item| rows::follower(operation, item));
        let followers = followers.collect::<Result<_, StoreError>>()?;
        let next = answer.last_evaluated_key().and_then(|last| text(last, "pk")).map(str::to_owned);
        Ok(FollowerPage { followers, next })
    }
}

#[async_trait]
impl Leases for ConnectionTable {
    async fn put(&self, subscription: &Subscription, lease: &Lease) -> Result<(), StoreError> {
        let mut item = rows::subscription_item(subscription, (self.now)());
        item.insert("holder".to_owned(), s(&lease.holder));
        item.insert("held_until".to_owned(), n(lease.until.millis()));
        self.put_item("subscribe", item).await
    }

    async fn subscription(&self, connection: &str, subject: &Subject) -> Result<Option<Subscription>, StoreError> {
        let operation = "find subscription";
        let item = self.get(operation, connection, &sort_key(&Topic::Subject(subject.clone()))).await?;
        item.map(|item| rows::subscription(operation, &item)).transpose()
    }

    async fn lease(
        &self,
        connection: &str,
        subject: &Subject,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Leased, StoreError> {
        let operation = "lease subscription";
        let sk = sort_key(&Topic::Subject(subject.clone()));
        let waits = RetryClock::of(&self.client);
        let mut retry = waits.retry();
        while retry.attempt().await {
            let take = self
                .update_of(connection, &sk)
                .update_expression("SET holder = :me, held_until = :until REMOVE asked")
                // An attempt that the SDK repeats, because its answer was lost, has the lease already.
                .condition_expression(
                    "attribute_exists(pk) AND (attribute_not_exists(holder) OR holder = :me OR held_until < :now)",
                )
                .expression_attribute_values(":me", s(&lease.holder))
                .expression_attribute_values(":until", n(lease.until.millis()))
                .expression_attribute_values(":now", n(now.millis()));
            let held = match conditional(operation, take).await? {
                Updated::Done(item) => return Ok(Leased::Yes(Box::new(rows::subscription(operation, &item)?))),
                Updated::Unmet(None) => return Ok(Leased::Missing),
                // This call's own write, whose answer was lost: nobody else would send what the subscriber waits for.
                Updated::Unmet(Some(item)) if text(&item, "holder") == Some(lease.holder.as_str()) => {
                    return Ok(Leased::Yes(Box::new(rows::subscription(operation, &item)?)));
                }
                Updated::Unmet(Some(item)) => item,
            };
            let (holder, until) = (text(&held, "holder").unwrap_or_default(), number(&held, "held_until"));
            let ask = self
                .update_of(connection, &sk)
                .update_expression("SET asked = :yes")
                .condition_expression("holder = :holder AND held_until = :until")
                .expression_attribute_values(":yes", AttributeValue::Bool(true))
                .expression_attribute_values(":holder", s(holder))
                .expression_attribute_values(":until", n(until.unwrap_or_default()));
            match conditional(operation, ask).await? {
                Updated::Done(_) => return Ok(Leased::Held),
                Updated::Unmet(None) => return Ok(Leased::Missing),
                // The lease was given back meanwhile.
                Updated::Unmet(Some(_)) => {}
            }
        }
        Err(StoreError::Busy { operation, source: "the lease changed during each attempt".into() })
    }

    async fn release(&self, subscription: &Subscription, lease: &Lease) -> Result<Released, StoreError> {
        match self.save(subscription, lease, false).await? {
            Updated::Done(_) => Ok(Released::Done),
            Updated::Unmet(Some(item)) if text(&item, "holder") == Some(lease.holder.as_str()) => {
                Ok(match self.save(subscription, lease, true).await? {
                    Updated::Done(_) => Released::Again,
                    Updated::Unmet(_) => Released::Lost,
                })
            }
            Updated::Unmet(_) => Ok(Released::Lost),
        }
    }
}
