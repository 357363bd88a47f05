//! Direct access to the emulator's tables, queues and functions, with the test keys of the root account.

mod functions;
mod queues;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reelhook_app::change::change;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::effects::KeptLive;
use reelhook_app::outbox::fanout::FanoutStore;
use reelhook_app::outbox::rows::{LogRow, StoredLive};
use reelhook_app::retention::Days;
use reelhook_app::views;
use reelhook_app::views::Dialect;
use reelhook_app::watch::LiveStore;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::{FanoutTables, JobEventTable};
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::rows::read_delivery;
use reelhook_domain::{Admission, Delivery, DeliveryId, Event, Job, JobId, Policy, Subject, Timestamp};
use serde_json::{Value, json};

pub use self::functions::kill;
pub use self::queues::DEAD_LETTERS;

pub type Item = std::collections::HashMap<String, AttributeValue>;

/// Direct access to the resources behind the API.
pub struct Aws {
    pub endpoint: String,
    /// The address at which functions call AWS: on a hostile stack that of the fault proxy.
    pub functions_endpoint: String,
    pub stack: String,
    outputs: Value,
    settings_path: String,
    credentials: Credentials,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub sqs: aws_sdk_sqs::Client,
    http: reqwest::Client,
}

impl Aws {
    pub async fn open(endpoint: &str, run: &Value) -> Self {
        let credentials = Credentials::from_keys("test", "test", None);
        let clients = reelhook_aws::clients::http_client();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(clients)
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials.clone())
            .endpoint_url(endpoint)
            .load()
            .await;
        Self {
            endpoint: endpoint.to_owned(),
            functions_endpoint: run["faults"]["url"].as_str().unwrap_or(endpoint).to_owned(),
            stack: run["stack"].as_str().unwrap_or("reelhook").to_owned(),
            outputs: run["outputs"].clone(),
            settings_path: run["settings_path"].as_str().unwrap_or("/reelhook/reelhook").to_owned(),
            credentials,
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(120)).build().expect("a client"),
        }
    }

    pub fn output(&self, name: &str) -> &str {
        self.outputs[name].as_str().unwrap_or_else(|| panic!("the stack has no output `{name}`"))
    }

    pub fn function(&self, name: &str) -> String {
        format!("{}-{name}", self.stack)
    }

    /// A signed call of an AWS API by its REST path or JSON target.
    pub async fn call(
        &self,
        service: &str,
        method: &str,
        path: &str,
        target: Option<&str>,
        body: &Value,
    ) -> (u16, Value, Option<String>) {
        let response = self.send_signed(service, method, path, target, body).await;
        let error =
            response.headers().get("x-amz-function-error").map(|value| value.to_str().unwrap_or("?").to_owned());
        let (status, answer) = crate::stack::read(response).await;
        (status, answer, error)
    }

    async fn send_signed(
        &self,
        service: &str,
        method: &str,
        path: &str,
        target: Option<&str>,
        body: &Value,
    ) -> reqwest::Response {
        let url = format!("{}{path}", self.endpoint);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut headers = vec![("content-type", "application/x-amz-json-1.0".to_owned())];
        headers.extend(target.map(|target| ("x-amz-target", target.to_owned())));
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters are set")
            .into();
        let pairs = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable =
            SignableRequest::new(method, &url, pairs, SignableBody::Bytes(body.as_bytes())).expect("a request");
        let (instructions, _) = sign(signable, &parameters).expect("signed").into_parts();
        let mut request = self.http.request(method.parse().expect("a method"), &url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        request.send().await.expect("the emulator answers")
    }

    /// Calls a function; its answer, and its error if it failed.
    pub async fn invoke(&self, name: &str, event: &Value) -> (Value, Option<String>) {
        let path = format!("/2015-03-31/functions/{}/invocations", self.function(name));
        let (status, answer, error) = self.call("lambda", "POST", &path, None, event).await;
        assert_eq!(status, 200, "{answer}");
        (answer, error)
    }

    /// A setting of the stack.
    pub async fn secret(&self, name: &str) -> String {
        let body = json!({ "Name": format!("{}/{name}", self.settings_path), "WithDecryption": true });
        let (status, answer, _) = self.call("ssm", "POST", "/", Some("AmazonSSM.GetParameter"), &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["Parameter"]["Value"].as_str().expect("a value").to_owned()
    }

    pub async fn item(&self, table: &str, key: &[(&str, &str)]) -> Option<Item> {
        let key =
            key.iter().map(|(name, value)| ((*name).to_owned(), AttributeValue::S((*value).to_owned()))).collect();
        let get = self.dynamodb.get_item().table_name(self.output(table)).set_key(Some(key)).consistent_read(true);
        get.send().await.expect("an item").item
    }

    pub async fn job(&self, id: &str) -> Option<Job> {
        let item = self.item("JobsTable", &[("id", id)]).await?;
        Some(reelhook_aws::jobs::item::from_item("read job", &item).expect("a job"))
    }

    /// Saves a job as a function would, without effects.
    pub async fn save_job(&self, job: &Job) {
        let put = self.dynamodb.put_item().table_name(self.output("JobsTable"));
        put.set_item(Some(reelhook_aws::jobs::item::to_item(job, "test", Days::MONTH))).send().await.expect("saved");
    }

    pub async fn admission(&self) -> Admission {
        let item = self.item("CountersTable", &[("pk", "admission"), ("sk", "-")]).await;
        item.map(|item| reelhook_aws::jobs::admission::read_row("read slots", &item).expect("an admission"))
            .unwrap_or_default()
    }

    pub async fn save_admission(&self, admission: &Admission) {
        let put = self.dynamodb.put_item().table_name(self.output("CountersTable"));
        put.set_item(Some(reelhook_aws::jobs::admission::admission_item(admission, "test")))
            .send()
            .await
            .expect("saved");
    }

    /// The slots of a pool.
    pub async fn slots(&self, pool: &str) -> Admission {
        let item = self.item("CountersTable", &[("pk", pool), ("sk", "-")]).await;
        item.map(|item| serde_json::from_str(item["body"].as_s().expect("text")).expect("slots")).unwrap_or_default()
    }

    pub async fn save_slots(&self, pool: &str, slots: &Admission) {
        let mut item = reelhook_aws::jobs::admission::admission_item(slots, "test");
        item.insert("pk".to_owned(), AttributeValue::S(pool.to_owned()));
        let put = self.dynamodb.put_item().table_name(self.output("CountersTable"));
        put.set_item(Some(item)).send().await.expect("saved");
    }

    /// Resets the state of all endpoints.
    pub async fn enable_endpoints(&self) {
        let table = self.output("EndpointsTable");
        let scan = self.dynamodb.scan().table_name(table).send().await.expect("endpoints");
        // Fanout may notify a removed endpoint for some seconds: such deliveries end if the state says that it was
        // removed.
        for item in scan.items().iter().filter(|item| !item.contains_key("registration")) {
            let delete = self.dynamodb.delete_item().table_name(table).key("id", item["id"].clone());
            delete.send().await.expect("deleted");
        }
    }

    /// Gives an endpoint this number of consecutive failures, about which its operator was warned.
    pub async fn fail_endpoint(&self, id: &str, failures: u64) {
        let update = self.dynamodb.update_item().table_name(self.output("EndpointsTable"));
        let update = update.key("id", AttributeValue::S(id.to_owned()));
        let update = update.update_expression("SET failures = :failures, warned = :warned ADD revision :one");
        let number = |number: u64| AttributeValue::N(number.to_string());
        let update = update
            .expression_attribute_values(":failures", number(failures))
            .expression_attribute_values(":warned", number(90))
            .expression_attribute_values(":one", number(1));
        update.send().await.expect("an endpoint that fails");
    }

    pub async fn delivery(&self, id: &str) -> Option<Delivery> {
        let id = DeliveryId::parse(id)?;
        let item = self.item("DeliveriesTable", &[("pk", &format!("delivery#{id}")), ("sk", "delivery")]).await?;
        Some(read_delivery("read delivery", &item).expect("a delivery"))
    }

    /// Puts a row into the Deliveries table, as an older version would.
    pub async fn put_delivery(&self, pk: &str, sk: &str, body: &Value) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.dynamodb.put_item().table_name(self.output("DeliveriesTable"));
        let mut put = put.item("pk", text(pk)).item("sk", text(sk)).item("body", text(&body.to_string()));
        if let Some(job) = body["job_id"].as_str() {
            put = put.item("job_id", text(job));
        }
        put.item("version", AttributeValue::N("1".to_owned())).send().await.expect("put");
    }

    /// A delivery about a job with a lease, as during a slow attempt.
    pub async fn leased_delivery(&self, job: &str) -> DeliveryId {
        let mut delivery = self.deliveries_of(&[job.to_owned()]).await.remove(0);
        delivery.lease_until = Some(SystemClock.now().after(Duration::from_secs(60)));
        let pk = format!("delivery#{}", delivery.id);
        self.put_delivery(&pk, "delivery", &serde_json::to_value(&delivery).expect("JSON")).await;
        delivery.id
    }

    /// The attempts of a delivery, oldest first.
    pub async fn attempts(&self, id: &str) -> Vec<Value> {
        let query = self
            .dynamodb
            .query()
            .table_name(self.output("DeliveriesTable"))
            .key_condition_expression("pk = :pk AND begins_with(sk, :attempt)")
            .expression_attribute_values(":pk", AttributeValue::S(format!("delivery#{id}")))
            .expression_attribute_values(":attempt", AttributeValue::S("attempt#".to_owned()));
        let items = query.send().await.expect("attempts").items.unwrap_or_default();
        let read = |item: &Item| serde_json::from_str(item["body"].as_s().expect("text")).expect("an attempt");
        let delivery = self.delivery(id).await.expect("the delivery");
        let attempts = delivery.all_attempts(items.iter().map(read).collect());
        attempts.iter().map(|one| serde_json::to_value(one).expect("JSON")).collect()
    }

    /// All deliveries of some jobs.
    pub async fn deliveries_of(&self, jobs: &[String]) -> Vec<Delivery> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let scan = self
                .dynamodb
                .scan()
                .table_name(self.output("DeliveriesTable"))
                .filter_expression("sk = :delivery")
                .expression_attribute_values(":delivery", AttributeValue::S("delivery".to_owned()))
                .set_exclusive_start_key(start);
            let page = scan.send().await.expect("deliveries");
            let read = |item: &Item| read_delivery("read delivery", item).expect("a delivery");
            let of = |delivery: &Delivery| jobs.iter().any(|job| delivery.subject.as_str() == job);
            found.extend(page.items().iter().map(read).filter(of));
            start = page.last_evaluated_key;
            if start.is_none() {
                return found;
            }
        }
    }

    /// Cancels the jobs that are not final.
    pub async fn cancel_jobs(&self) {
        let clock: Arc<dyn ClockAndRandom> = Arc::new(SystemClock);
        let counters = CounterTable::new(self.dynamodb.clone(), self.output("CountersTable"));
        let jobs = JobTable::new(self.dynamodb.clone(), self.output("JobsTable"), counters, clock.clone());
        let scan = self.dynamodb.scan().table_name(self.output("JobsTable")).index_name("by-active");
        for item in scan.send().await.expect("jobs").items() {
            let id = JobId::parse(item["id"].as_s().expect("text")).expect("an id");
            change(&jobs, &*clock, &Policy::default(), &id, &Event::Cancel).await.expect("cancelled");
        }
    }

    /// The address at which the emulator serves the Function URL of the streams.
    pub fn stream_url(&self) -> String {
        self.function_url("StreamUrl")
    }

    /// The address at which the emulator serves the Function URL in an output.
    pub fn function_url(&self, output: &str) -> String {
        let url = self.output(output);
        let id = url.split("//").nth(1).and_then(|rest| rest.split(['.', '/']).next()).expect("a Function URL");
        format!("{}/_aws/lambda-url/{id}", self.endpoint)
    }

    /// The stored live events of a job as viewers should have seen them, with their ids.
    pub async fn live_events(&self, job: &str) -> Vec<(String, Value)> {
        self.live_events_of(Dialect::StreamGank, job).await
    }

    /// Those of a job, a project or a clip job, by its stored id, in a dialect.
    pub async fn live_events_of(&self, dialect: Dialect, id: &str) -> Vec<(String, Value)> {
        let (view, subject) = (views::of(dialect), Subject::parse(id).expect("an id"));
        let counters = CounterTable::new(self.dynamodb.clone(), self.output("CountersTable"));
        let jobs = JobTable::new(self.dynamodb.clone(), self.output("JobsTable"), counters, Arc::new(SystemClock));
        let live = KeptLive { rows: JobEventTable::new(self.dynamodb.clone(), self.output("JobEventsTable")), jobs };
        let (mut after, mut found) = (0, Vec::new());
        loop {
            let page = live.live_since(&subject, after, 1_000).await.expect("live events");
            let Some((last, _)) = page.last() else { return found };
            after = *last;
            for (version, stored) in page {
                let StoredLive::Events(row) = stored else { panic!("not written by this version: {stored:?}") };
                let events = row.events.iter().enumerate();
                found.extend(
                    events.map(|(index, event)| (format!("{version}.{index}"), view.live_event(&subject, &row, event))),
                );
            }
        }
    }

    /// The number of rows that a job's log has.
    pub async fn log_rows(&self, job: &str) -> usize {
        let query = self.dynamodb.query().table_name(self.output("JobEventsTable"));
        let query = query.key_condition_expression("job_id = :job");
        let query = query.expression_attribute_values(":job", AttributeValue::S(job.to_owned()));
        query.send().await.expect("rows").items().len()
    }

    /// Whether the stack's bucket has an object.
    pub async fn has_object(&self, key: &str) -> bool {
        let path = format!("/{}/{key}", self.output("BucketName"));
        let (status, answer, _) = self.call("s3", "GET", &path, None, &Value::Null).await;
        assert!(matches!(status, 200 | 404), "{answer}");
        status == 200
    }

    /// An object of the stack's bucket.
    pub async fn object(&self, key: &str) -> Option<Vec<u8>> {
        let path = format!("/{}/{key}", self.output("BucketName"));
        let response = self.send_signed("s3", "GET", &path, None, &Value::Null).await;
        let found = response.status().is_success();
        let bytes = response.bytes().await.expect("the object");
        found.then(|| bytes.to_vec())
    }

    /// Removes a job's lines, as TTL does after their days.
    pub async fn forget_lines(&self, job: &str) {
        let table = self.output("JobEventsTable");
        let query = self.dynamodb.query().table_name(table).key_condition_expression("job_id = :job");
        let query = query.expression_attribute_values(":job", AttributeValue::S(job.to_owned()));
        for mut item in query.send().await.expect("rows").items.unwrap_or_default() {
            item.retain(|name, _| matches!(name.as_str(), "job_id" | "seq"));
            self.dynamodb.delete_item().table_name(table).set_key(Some(item)).send().await.expect("deleted");
        }
    }

    /// Writes rows of logs, as fanout does.
    pub async fn put_lines(&self, rows: &[LogRow]) {
        let table = |name: &str| self.output(name).to_owned();
        let tables = FanoutTables {
            log: JobEventTable::new(self.dynamodb.clone(), table("JobEventsTable")),
            deliveries: DeliveryTable::new(self.dynamodb.clone(), table("DeliveriesTable")),
            counters: CounterTable::new(self.dynamodb.clone(), table("CountersTable")),
            now: || Timestamp::EPOCH,
        };
        for result in tables.put_logs(rows).await {
            result.expect("written");
        }
    }

    /// Sets a counter.
    pub async fn set_counter(&self, pk: &str, sk: &str, count: u32) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.dynamodb.put_item().table_name(self.output("CountersTable"));
        let put = put.item("pk", text(pk)).item("sk", text(sk));
        put.item("count", AttributeValue::N(count.to_string())).send().await.expect("put");
    }

    /// Removes the rows of jobs `{prefix}0` and so on.
    pub async fn remove_jobs(&self, prefix: &str, count: u32) {
        for n in 0..count {
            let delete = self.dynamodb.delete_item().table_name(self.output("JobsTable"));
            delete.key("id", AttributeValue::S(format!("{prefix}{n}"))).send().await.expect("deleted");
        }
    }

    /// The number of rows in a table.
    pub async fn count(&self, table: &str) -> i32 {
        let (mut count, mut start) = (0, None);
        loop {
            let scan = self.dynamodb.scan().table_name(self.output(table)).select(Select::Count);
            let page = scan.set_exclusive_start_key(start).send().await.expect("a count");
            count += page.count;
            start = page.last_evaluated_key;
            if start.is_none() {
                return count;
            }
        }
    }

    /// Whether a job is not final or a delivery not finished.
    pub async fn is_busy(&self) -> bool {
        // Ended jobs whose video is being confirmed are in another partition.
        let scan = self.dynamodb.scan().table_name(self.output("JobsTable")).index_name("by-active");
        let jobs = scan.filter_expression("begins_with(active, :active)").select(Select::Count);
        let jobs = jobs.expression_attribute_values(":active", AttributeValue::S("active".to_owned()));
        let is_busy = jobs.send().await.expect("a count").count > 0;
        is_busy || self.has_rows("DeliveriesTable", "by-due").await || self.has_unsaved_deliveries().await
    }

    /// Whether a delivery that is due together with others was not attempted.
    async fn has_unsaved_deliveries(&self) -> bool {
        let mut named = Vec::new();
        for partition in 0..16 {
            let query = self.dynamodb.query().table_name(self.output("DeliveriesTable")).consistent_read(true);
            let query = query.key_condition_expression("pk = :row");
            let query = query.expression_attribute_values(":row", AttributeValue::S(format!("due#{partition}")));
            let found = query.send().await.expect("rows of what is due").items.unwrap_or_default();
            named.extend(found.iter().map(|row| row["named"].as_s().expect("ids").clone()));
        }
        for id in named.iter().flat_map(|ids| ids.as_bytes().chunks(32)) {
            let id = std::str::from_utf8(id).expect("hexadecimal digits");
            let [a, b, c, d, e] = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]];
            let pk = format!("delivery#{a}-{b}-{c}-{d}-{e}");
            let row = self.item("DeliveriesTable", &[("pk", &pk), ("sk", "delivery")]).await;
            if row.is_some_and(|row| row["version"] == AttributeValue::N("1".to_owned())) {
                return true;
            }
        }
        false
    }

    /// Whether an index has rows.
    pub async fn has_rows(&self, table: &str, index: &str) -> bool {
        let scan = self.dynamodb.scan().table_name(self.output(table)).index_name(index);
        scan.select(Select::Count).send().await.expect("a count").count > 0
    }

    /// Every record of a table's stream, in the form in which Lambda receives them.
    pub async fn stream_records(&self, table: &str) -> Vec<Value> {
        let call = async |target: &str, body: Value| {
            let target = format!("DynamoDBStreams_20120810.{target}");
            let (status, answer, _) = self.call("dynamodb", "POST", "/", Some(&target), &body).await;
            assert_eq!(status, 200, "{answer}");
            answer
        };
        let streams = call("ListStreams", json!({ "TableName": self.output(table) })).await;
        let arn = streams["Streams"][0]["StreamArn"].as_str().expect("a stream").to_owned();
        let stream = call("DescribeStream", json!({ "StreamArn": arn })).await;
        let mut records = Vec::new();
        for shard in stream["StreamDescription"]["Shards"].as_array().expect("shards") {
            let first = call(
                "GetShardIterator",
                json!({
                    "StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON",
                }),
            )
            .await;
            let mut iterator = first["ShardIterator"].as_str().map(str::to_owned);
            while let Some(at) = iterator {
                let page = call("GetRecords", json!({ "ShardIterator": at, "Limit": 1000 })).await;
                let found = page["Records"].as_array().cloned().unwrap_or_default();
                if found.is_empty() {
                    break;
                }
                records.extend(found);
                iterator = page["NextShardIterator"].as_str().map(str::to_owned);
            }
        }
        records
    }
}
