//! The rows of the Connections table: a connection, its subscriptions, and those to everything of an owner.

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::live::connections::KEPT;
use reelhook_app::live::ports::{Connection, Counted, Follower, OwnerSubscription, Subscription};
use reelhook_app::live::topic::Topic;
use reelhook_app::store::StoreError;
use reelhook_app::watch::Cursor;
use reelhook_domain::{OwnerId, Subject, Timestamp};

use crate::items::{Item, json, n, number, read, s, text};

/// The sort key of a connection.
pub(super) const CONNECTION: &str = "-";
/// The prefix of the sort key of a subscription.
const SUBSCRIPTION: &str = "sub#";

/// The sort key of a subscription.
pub(super) fn sort_key(topic: &Topic) -> String {
    format!("{SUBSCRIPTION}{}", topic.key())
}

/// The key of a topic that a sort key is of.
pub(super) fn topic_key(sk: &str) -> Option<&str> {
    sk.strip_prefix(SUBSCRIPTION)
}

/// The key of an item.
pub(super) fn key(connection: &str, sk: &str) -> Item {
    [("pk", s(connection)), ("sk", s(sk))].map(|(name, value)| (name.to_owned(), value)).into()
}

/// When what is stored of a connection may be removed.
fn expires_at(from: Timestamp) -> AttributeValue {
    n(from.after(KEPT).seconds())
}

/// Adds a text that may be missing.
fn add(item: &mut Item, name: &str, value: Option<AttributeValue>) {
    if let Some(value) = value {
        item.insert(name.to_owned(), value);
    }
}

/// A connection's item.
pub(super) fn connection_item(connection: &Connection) -> Item {
    let mut item = key(&connection.id, CONNECTION);
    item.insert("connected_at".to_owned(), n(connection.connected_at.millis()));
    item.insert("expires_at".to_owned(), expires_at(connection.connected_at));
    add(&mut item, "owner", connection.owner.as_ref().map(|owner| s(owner.as_str())));
    add(&mut item, "only", connection.only.as_ref().map(|only| s(only.as_str())));
    item
}

/// Reads a connection.
pub(super) fn connection(operation: &'static str, item: &Item) -> Result<Connection, StoreError> {
    let only = text(item, "only").map(|only| Subject::parse(only).map_err(|_| unreadable(operation, "only")));
    Ok(Connection {
        id: text(item, "pk").ok_or_else(|| unreadable(operation, "pk"))?.to_owned(),
        owner: owner(operation, item)?,
        only: only.transpose()?,
        connected_at: Timestamp(number(item, "connected_at").ok_or_else(|| unreadable(operation, "connected_at"))?),
    })
}

/// Reads a connection with its counted messages.
pub(super) fn counted(operation: &'static str, item: &Item) -> Result<Counted, StoreError> {
    let messages = number(item, "counted").and_then(|count| u32::try_from(count).ok());
    let messages = messages.ok_or_else(|| unreadable(operation, "counted"))?;
    Ok(Counted { connection: connection(operation, item)?, messages })
}

/// A subscription's item, without a lease.
pub(super) fn subscription_item(subscription: &Subscription, now: Timestamp) -> Item {
    let topic = Topic::Subject(subscription.subject.clone());
    let mut item = key(&subscription.connection, &sort_key(&topic));
    item.insert("subject".to_owned(), s(topic.key()));
    item.insert("dialect".to_owned(), json(&subscription.dialect));
    item.insert("expires_at".to_owned(), expires_at(now));
    add(&mut item, "owner", subscription.owner.as_ref().map(|owner| s(owner.as_str())));
    for (name, value) in progress(subscription) {
        add(&mut item, name, value);
    }
    item
}

/// The attributes of a subscription that each push may change; those without a value are removed.
pub(super) fn progress(subscription: &Subscription) -> [(&'static str, Option<AttributeValue>); 4] {
    let time = |at: Option<Timestamp>| at.map(|at| n(at.millis()));
    [
        ("viewed", Some(s(subscription.cursor.to_string()))),
        ("pushed_at", time(subscription.pushed_at)),
        ("gap_since", time(subscription.gap_since)),
        ("hinted_until", time(subscription.hinted_until)),
    ]
}

/// Reads a subscription.
pub(super) fn subscription(operation: &'static str, item: &Item) -> Result<Subscription, StoreError> {
    let time = |name: &str| number(item, name).map(Timestamp);
    let subject = text(item, "subject").and_then(|subject| Subject::parse(subject).ok());
    Ok(Subscription {
        connection: text(item, "pk").ok_or_else(|| unreadable(operation, "pk"))?.to_owned(),
        subject: subject.ok_or_else(|| unreadable(operation, "subject"))?,
        owner: owner(operation, item)?,
        dialect: read(operation, item, "dialect")?,
        cursor: text(item, "viewed").and_then(Cursor::parse).ok_or_else(|| unreadable(operation, "viewed"))?,
        pushed_at: time("pushed_at"),
        gap_since: time("gap_since"),
        hinted_until: time("hinted_until"),
    })
}

/// The item of a subscription to everything of an owner.
pub(super) fn owner_item(subscription: &OwnerSubscription) -> Item {
    let topic = Topic::Owner(subscription.of.clone());
    let mut item = key(&subscription.connection, &sort_key(&topic));
    item.insert("subject".to_owned(), s(topic.key()));
    item.insert("since".to_owned(), n(subscription.since.millis()));
    item.insert("expires_at".to_owned(), expires_at(subscription.since));
    add(&mut item, "owner", subscription.owner.as_ref().map(|owner| s(owner.as_str())));
    item
}

/// Reads an entry of the index `by-subject`.
pub(super) fn follower(operation: &'static str, item: &Item) -> Result<Follower, StoreError> {
    Ok(Follower {
        connection: text(item, "pk").ok_or_else(|| unreadable(operation, "pk"))?.to_owned(),
        owner: owner(operation, item)?,
        since: number(item, "since").map(Timestamp),
    })
}

/// Whose the connection is. An owner that can't be read must not become an operator.
fn owner(operation: &'static str, item: &Item) -> Result<Option<OwnerId>, StoreError> {
    let Some(value) = item.get("owner") else { return Ok(None) };
    let owner = value.as_s().ok().and_then(|owner| OwnerId::parse(owner));
    owner.map(Some).ok_or_else(|| unreadable(operation, "owner"))
}

fn unreadable(operation: &'static str, name: &str) -> StoreError {
    StoreError::Unreadable { operation, reason: format!("attribute `{name}` is missing or invalid") }
}

#[cfg(test)]
mod tests {
    use reelhook_app::views::Dialect;

    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    #[test]
    fn rows_are_read_as_they_were_written() {
        let owner = OwnerId::parse("ann");
        let job = Subject::parse("job_1").unwrap();
        for (owner, only) in [(owner.clone(), None), (None, Some(job.clone()))] {
            let written = Connection { id: "abc=".to_owned(), owner: owner.clone(), only, connected_at: NOON };
            let item = connection_item(&written);
            assert_eq!(connection("test", &item).unwrap(), written);
            assert_eq!(number(&item, "expires_at"), Some(NOON.seconds() + 7800));
            let written = Subscription {
                connection: "abc=".to_owned(),
                subject: job.clone(),
                owner: owner.clone(),
                dialect: Dialect::VidBuilder,
                cursor: Cursor::parse("12.3").unwrap(),
                pushed_at: Some(NOON),
                gap_since: None,
                hinted_until: Some(NOON),
            };
            let item = subscription_item(&written, NOON);
            assert_eq!(text(&item, "sk"), Some("sub#job_1"));
            assert_eq!(subscription("test", &item).unwrap(), written);
            let of = OwnerId::parse("bob").unwrap();
            let written = OwnerSubscription { connection: "abc=".to_owned(), of, owner: owner.clone(), since: NOON };
            let item = owner_item(&written);
            assert_eq!((text(&item, "sk"), text(&item, "subject")), (Some("sub#owner:bob"), Some("owner:bob")));
            let found = follower("test", &item).unwrap();
            assert_eq!(found, Follower { connection: "abc=".to_owned(), owner, since: Some(NOON) });
        }
    }

    #[test]
    fn an_owner_that_cannot_be_read_is_no_operator() {
        let mut item = connection_item(&Connection { id: "a".to_owned(), owner: None, only: None, connected_at: NOON });
        item.insert("owner".to_owned(), s(""));
        assert!(connection("test", &item).is_err());
    }
}
