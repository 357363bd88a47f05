//! What a function builds its dependencies from: its variables, the clients of AWS, and the tables, queues and buckets
//! that the variables name.

use std::future::Future;
use std::sync::Arc;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::metrics::series::ResourceNames;
use reelhook_app::outbox::messages::{DeliveryMessage, LiveMessage, PieceMessage, WorkMessage};

use crate::catalog::CatalogTable;
use crate::clients::Clients;
use crate::clips::attempts::AttemptTables;
use crate::clips::table::ClipTable;
use crate::credits::table::CreditTable;
use crate::environment::{BadEnvironment, Environment};
use crate::errors::faults::LeftBehindQueues;
use crate::errors::refused::RefusedQueue;
use crate::errors::table::ErrorTable;
use crate::items::packed::StoredForm;
use crate::jobs::counters::CounterTable;
use crate::jobs::events::JobEventTable;
use crate::jobs::table::JobTable;
use crate::live::connections::ConnectionTable;
use crate::live::sockets::Gateway;
use crate::live::viewers::ViewerFlag;
use crate::metrics;
use crate::metrics::reader::CloudWatchMetrics;
use crate::objects::Bucket;
use crate::outbox::queues::Queue;
use crate::projects::table::ProjectTable;
use crate::settings::{Raw, Settings};
use crate::start::SystemClock;
use crate::videos::films::FilmBucket;
use crate::webhooks::cloud_transport::CloudTransport;
use crate::webhooks::deliveries::DeliveryTable;
use crate::webhooks::endpoints::EndpointTable;

/// The tables that variables of their own name, by what stands for them in the dashboard.
const TABLES: [(&str, &str); 5] = [
    ("Jobs", "JOBS_TABLE"),
    ("Counters", "COUNTERS_TABLE"),
    ("Errors", "ERRORS_TABLE"),
    ("Deliveries", "DELIVERIES_TABLE"),
    ("Endpoints", "ENDPOINTS_TABLE"),
];

/// The variables of a function, and what they name. The client of a service is built when a resource needs it. Reading
/// the settings consumes the resources, so that every variable is read and checked before.
pub struct Resources {
    /// The variables.
    pub environment: Environment,
    clients: Clients,
    dynamodb: aws_sdk_dynamodb::Client,
}

impl Resources {
    /// Those of the process, which measures from now on if a variable names a namespace of metrics.
    pub fn of_process() -> Self {
        metrics::start();
        let clients = Clients::from_environment();
        Self { environment: Environment::of_process(), dynamodb: clients.dynamodb(), clients }
    }

    /// The table in JOBS_TABLE, with the one in COUNTERS_TABLE.
    pub fn jobs(&mut self) -> JobTable {
        let (table, counters) = (self.environment.required("JOBS_TABLE"), self.counters());
        let (shards, ended) = (self.environment.active_shards(), self.environment.ended_shards());
        let jobs = JobTable::new(self.dynamodb.clone(), table, counters, Arc::new(SystemClock));
        jobs.sharded(shards)
            .ended_in_shards(ended)
            .storing(self.stored_form())
            .keeping(self.environment.retention().jobs)
    }

    /// The table in PROJECTS_TABLE, with the one in COUNTERS_TABLE.
    pub fn projects(&mut self) -> ProjectTable {
        let (table, counters) = (self.environment.required("PROJECTS_TABLE"), self.counters());
        let projects = ProjectTable::new(self.dynamodb.clone(), table, counters, Arc::new(SystemClock));
        projects.storing(self.stored_form()).keeping(self.environment.retention().jobs)
    }

    /// The table in CLIPS_TABLE, with the one in COUNTERS_TABLE.
    pub fn clips(&mut self) -> ClipTable {
        let (table, counters) = (self.environment.required("CLIPS_TABLE"), self.counters());
        let clips = ClipTable::new(self.dynamodb.clone(), table, counters, Arc::new(SystemClock));
        clips.storing(self.stored_form()).keeping(self.environment.retention().jobs)
    }

    /// STORED_FORM: how jobs, projects, clip jobs, events and deliveries are written.
    fn stored_form(&mut self) -> StoredForm {
        self.environment.parsed("STORED_FORM", StoredForm::default())
    }

    /// The table in CREDITS_TABLE.
    pub fn credits(&mut self) -> CreditTable {
        CreditTable::new(self.dynamodb.clone(), self.environment.required("CREDITS_TABLE"))
    }

    /// [`Self::clips`] and [`Self::credits`], which attempts write together.
    pub fn clip_attempts(&mut self) -> AttemptTables {
        AttemptTables { clips: self.clips(), credits: self.credits() }
    }

    /// The table in COUNTERS_TABLE.
    pub fn counters(&mut self) -> CounterTable {
        let kept = self.environment.retention();
        let counters = CounterTable::new(self.dynamodb.clone(), self.environment.required("COUNTERS_TABLE"));
        counters.keeping(kept.jobs, kept.archives)
    }

    /// The table in CONNECTIONS_TABLE.
    pub fn connections(&mut self) -> ConnectionTable {
        let table = self.environment.required("CONNECTIONS_TABLE");
        ConnectionTable::new(self.dynamodb.clone(), table, || SystemClock.now())
    }

    /// The WebSocket API at LIVE_ENDPOINT.
    pub fn sockets(&mut self) -> Gateway {
        let endpoint = self.environment.url("LIVE_ENDPOINT");
        Gateway::new(self.clients.sockets(endpoint.as_str().trim_end_matches('/')))
    }

    /// The flag that there are viewers, in the table in COUNTERS_TABLE.
    pub fn viewers(&mut self) -> ViewerFlag {
        ViewerFlag::new(self.counters())
    }

    /// The table in JOB_EVENTS_TABLE.
    pub fn job_events(&mut self) -> JobEventTable {
        let shards = self.environment.ended_shards();
        let table = JobEventTable::new(self.dynamodb.clone(), self.environment.required("JOB_EVENTS_TABLE"));
        table.sharded(shards).keeping(self.environment.retention().logs)
    }

    /// The table in DELIVERIES_TABLE.
    pub fn deliveries(&mut self) -> DeliveryTable {
        let shards = self.environment.ended_shards();
        let table = DeliveryTable::new(self.dynamodb.clone(), self.environment.required("DELIVERIES_TABLE"));
        table.storing(self.stored_form()).sharded(shards).keeping(self.environment.retention().deliveries)
    }

    /// The table in ENDPOINTS_TABLE.
    pub fn endpoints(&mut self) -> EndpointTable {
        EndpointTable::new(self.dynamodb.clone(), self.environment.required("ENDPOINTS_TABLE"))
    }

    /// The table in ERRORS_TABLE.
    pub fn errors(&mut self) -> ErrorTable {
        ErrorTable::new(self.dynamodb.clone(), self.environment.required("ERRORS_TABLE"))
    }

    /// The table in CATALOG_TABLE.
    pub fn catalog(&mut self) -> CatalogTable {
        CatalogTable::new(self.dynamodb.clone(), self.environment.required("CATALOG_TABLE"))
    }

    /// BUCKET, for archives and large details.
    pub fn bucket(&mut self) -> Bucket {
        Bucket::new(self.clients.s3(), self.environment.required("BUCKET"))
    }

    /// BUCKET, for videos and what they are made from.
    pub fn films(&mut self) -> FilmBucket {
        FilmBucket::new(self.clients.s3_for_files(), self.environment.required("BUCKET"))
    }

    /// The queues.
    pub fn queues(&mut self) -> Queues<'_> {
        Queues { client: self.clients.sqs(), environment: &mut self.environment }
    }

    /// The metrics of the account.
    pub fn metrics(&self) -> CloudWatchMetrics {
        CloudWatchMetrics::new(self.clients.cloudwatch())
    }

    /// The names of the stack's resources by what stands for them in the dashboard: those of METRIC_RESOURCES, and those
    /// that JOBS_TABLE, COUNTERS_TABLE, ERRORS_TABLE, DELIVERIES_TABLE, ENDPOINTS_TABLE, DELIVERIES_QUEUE_URL and
    /// AWS_LAMBDA_FUNCTION_NAME have already, since Lambda limits the size of all variables.
    pub fn metric_resources(&mut self) -> ResourceNames {
        let pairs = self.environment.list("METRIC_RESOURCES");
        let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
        let mut names: ResourceNames = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (name, variable) in TABLES {
            names.extend(self.environment.optional(variable).map(|table| (name.to_owned(), table)));
        }
        let url = self.environment.optional("DELIVERIES_QUEUE_URL");
        let queue = url.as_deref().and_then(|url| url.rsplit('/').next());
        names.extend(queue.map(|queue| ("DeliveryHints.QueueName".to_owned(), queue.to_owned())));
        // The function has the stack's name before its own, which is one word.
        let function = self.environment.optional("AWS_LAMBDA_FUNCTION_NAME");
        let stack = function.as_deref().and_then(|function| function.rsplit_once('-'));
        names.extend(stack.map(|(stack, _)| ("AWS::StackName".to_owned(), stack.to_owned())));
        names
    }

    /// Queues and event buses that receive webhooks.
    pub fn cloud_transport(&self) -> CloudTransport {
        CloudTransport::new(self.clients.sqs(), self.clients.eventbridge())
    }

    /// Reads the settings with these names below SETTINGS_PATH for the first time, and parses them; later they are
    /// parsed again.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable. Inside: if reading fails, or `parse` refuses them.
    pub fn settings<T>(
        mut self,
        names: impl Into<Vec<&'static str>>,
        parse: impl Fn(&Raw) -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> Result<impl Future<Output = anyhow::Result<Settings<T>>>, BadEnvironment> {
        let path = self.environment.required("SETTINGS_PATH");
        self.environment.finish()?;
        Ok(Settings::load(self.clients.ssm(), path, names, parse))
    }

    /// Ends reading for a function without settings.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn finish(self) -> Result<(), BadEnvironment> {
        self.environment.finish()
    }
}

/// The queues of a function, with one client.
pub struct Queues<'a> {
    environment: &'a mut Environment,
    client: aws_sdk_sqs::Client,
}

impl Queues<'_> {
    /// WORK_QUEUE_URL.
    pub fn work(&mut self) -> Queue<WorkMessage> {
        self.named("WORK_QUEUE_URL")
    }

    /// DELIVERIES_QUEUE_URL.
    pub fn deliveries(&mut self) -> Queue<DeliveryMessage> {
        self.named("DELIVERIES_QUEUE_URL")
    }

    /// RENDER_QUEUE_URL.
    pub fn pieces(&mut self) -> Queue<PieceMessage> {
        self.named("RENDER_QUEUE_URL")
    }

    /// LIVE_QUEUE_URL.
    pub fn live(&mut self) -> Queue<LiveMessage> {
        self.named("LIVE_QUEUE_URL")
    }

    /// DEAD_LETTER_QUEUE_URLS, and FAILURES_QUEUE_URL for notes on poison records.
    pub fn left_behind(&mut self) -> LeftBehindQueues {
        let dead_letters = self.environment.list("DEAD_LETTER_QUEUE_URLS");
        LeftBehindQueues::new(self.client.clone(), dead_letters, self.environment.required("FAILURES_QUEUE_URL"))
    }

    /// REFUSED_QUEUE_URL: refused messages of the job inbox.
    pub fn refused(&mut self) -> RefusedQueue {
        RefusedQueue::new(self.client.clone(), self.environment.required("REFUSED_QUEUE_URL"))
    }

    /// The queue whose URL is in this variable.
    pub fn named<M>(&mut self, variable: &str) -> Queue<M> {
        Queue::new(self.client.clone(), self.environment.required(variable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_table_is_listed_once_with_everything_else_that_is_missing() {
        let mut resources = Resources { environment: Environment::with(|_| None), ..Resources::of_process() };
        resources.jobs();
        resources.counters();
        resources.queues().work();
        let Err(error) = resources.settings(&["KEY"], |_| Ok(())) else { panic!("variables are missing") };
        let missing = ["JOBS_TABLE", "COUNTERS_TABLE", "WORK_QUEUE_URL", "SETTINGS_PATH"];
        let sentence = missing.map(|name| format!("{name} is missing")).join("; ");
        assert_eq!(error.to_string(), format!("bad environment: {sentence}"));
    }

    #[test]
    fn the_dashboard_s_resources_have_their_names_from_several_variables() {
        let variable = |name: &str| {
            let value = match name {
                "METRIC_RESOURCES" => "Clips=s-Clips-1,Work.QueueName=s-Work-2",
                "JOBS_TABLE" => "s-Jobs-3",
                "DELIVERIES_QUEUE_URL" => "https://sqs.eu-west-1.amazonaws.com/123456789012/s-DeliveryHints-4",
                "AWS_LAMBDA_FUNCTION_NAME" => "my-stack-errors",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let mut resources = Resources { environment: Environment::with(variable), ..Resources::of_process() };
        let expected = [
            ("AWS::StackName", "my-stack"),
            ("Clips", "s-Clips-1"),
            ("DeliveryHints.QueueName", "s-DeliveryHints-4"),
            ("Jobs", "s-Jobs-3"),
            ("Work.QueueName", "s-Work-2"),
        ];
        let expected = ResourceNames::from(expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(resources.metric_resources(), expected);
    }
}
