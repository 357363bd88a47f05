//! The Connections table, the gateway that holds the connections, and the flag that there are some.

mod connections;
mod following;
mod leases;
mod slots;
mod sockets;
mod viewers;

use reelhook_app::live::connections::KEPT;
use reelhook_app::live::ports::{Lease, Leases, Subscription};
use reelhook_app::live::topic::Topic;
use reelhook_app::views::Dialect;
use reelhook_app::watch::Cursor;
use reelhook_aws::live::connections::ConnectionTable;
use reelhook_domain::{OwnerId, Subject, Timestamp};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, dynamodb, ok};

/// The table; `script` gives the responses.
fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (ConnectionTable, Calls) {
    let (client, calls) = dynamodb(script);
    (ConnectionTable::new(client, "Connections", || NOON), calls)
}

fn job() -> Subject {
    Subject::parse("job_1").unwrap()
}

fn owner(name: &str) -> OwnerId {
    OwnerId::parse(name).unwrap()
}

fn topic(key: &str) -> Topic {
    Topic::parse(key).unwrap()
}

/// The subscription of connection `a` to the job.
fn subscription() -> Subscription {
    Subscription {
        connection: "a".to_owned(),
        subject: job(),
        owner: Some(owner("ann")),
        dialect: Dialect::StreamGank,
        cursor: Cursor::parse("3.0").unwrap(),
        pushed_at: Some(NOON),
        gap_since: None,
        hinted_until: None,
    }
}

/// A lease of this holder.
fn lease(holder: &str) -> Lease {
    Lease { holder: holder.to_owned(), until: Timestamp(NOON.millis() + 20_000) }
}

/// What DynamoDB stores of the subscription under a lease of this holder.
async fn stored(holder: &str) -> Value {
    let (connections, calls) = table(|_, _| ok());
    connections.put(&subscription(), &lease(holder)).await.unwrap();
    calls.only().at("/Item").clone()
}

/// A key as DynamoDB has it.
fn key(connection: &str, sk: &str) -> Value {
    json!({ "pk": { "S": connection }, "sk": { "S": sk } })
}

/// When what is stored of a connection now may be removed.
fn expiry() -> Value {
    json!({ "N": NOON.after(KEPT).seconds().to_string() })
}
