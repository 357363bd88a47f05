//! Plans what the effects of a version write and send; pure, so that a replay plans the same.

use std::time::Duration;

use reelhook_domain::{
    Aggregate, Effect, EventId, Live, LogTally, OutboundEvent, Recipients, Recorded, Subject, Timestamp,
};

use super::pack::pack;
use super::steps::{CountStep, Plan, Purge};
use crate::clips::effects as clip_effects;
use crate::errors::steps::{ErrorChange, ErrorStep};
use crate::files::links::FileLinks;
use crate::jobs::effects;
use crate::metrics::life::{self, Family};
use crate::outbox::messages::{Delayed, Push, WorkMessage};
use crate::outbox::rows::{LiveRow, LogEntry, LogRow};
use crate::outbox::source::FanoutSource;
use crate::projects::effects as project_effects;
use crate::views::view::WebhookView;
use crate::webhooks::endpoints::callback;
use crate::webhooks::events::{EventRow, delivery_of};
use crate::webhooks::subscriptions::Subscriptions;

/// Whether a version causes webhook events, so that its plan depends on the subscriptions.
pub fn notifies(of: &impl Aggregate) -> bool {
    of.outbox().iter().any(|effect| matches!(effect, Effect::Notify { .. }))
}

/// Plans the effects of a version.
pub fn plan<A: FanoutSource>(of: &A, subscriptions: &Subscriptions, links: FileLinks<'_>, grace: Duration) -> Plan {
    let mut planner = Planner { of, view: of.view(), subscriptions, links, grace, plan: Plan::default() };
    for (index, effect) in of.outbox().iter().enumerate() {
        planner.effect(index, effect);
    }
    planner.plan
}

/// A version of an aggregate of any kind, as fanout processes it.
pub trait AnyVersion: Send + Sync {
    /// [`notifies`].
    fn notifies(&self) -> bool;

    /// [`plan`].
    fn plan(&self, subscriptions: &Subscriptions, links: FileLinks<'_>, grace: Duration) -> Plan;

    /// [`life::measure`].
    fn measure(&self);
}

impl<A: FanoutSource> AnyVersion for A {
    fn notifies(&self) -> bool {
        notifies(self)
    }

    fn plan(&self, subscriptions: &Subscriptions, links: FileLinks<'_>, grace: Duration) -> Plan {
        plan(self, subscriptions, links, grace)
    }

    fn measure(&self) {
        life::measure(self);
    }
}

/// Plans the webhook events since `since` that an aggregate has a record of, whichever version caused them; and if it has
/// changed since then, the ends of its reservations of credits, and the rows of what it packed last, or packs.
pub(crate) fn plan_emitted<A: FanoutSource>(
    of: &A,
    since: Timestamp,
    subscriptions: &Subscriptions,
    links: FileLinks<'_>,
    grace: Duration,
) -> Plan {
    let mut planner = Planner { of, view: of.view(), subscriptions, links, grace, plan: Plan::default() };
    for emitted in of.emitted().iter().filter(|emitted| emitted.at >= since) {
        let to = Recipients::unstated(emitted.event);
        planner.notify(emitted.id.clone(), emitted.event, emitted.about.as_deref(), to, emitted.at);
    }
    if of.updated_at() >= since {
        planner.plan.credits = of.settlements();
        planner.pack(of.packed());
        if of.outbox().contains(&Effect::PackHistory) {
            planner.effect(0, &Effect::PackHistory);
        }
    }
    planner.plan
}

/// A plan that is being made.
struct Planner<'a, A> {
    of: &'a A,
    view: &'a dyn WebhookView<A>,
    subscriptions: &'a Subscriptions,
    links: FileLinks<'a>,
    grace: Duration,
    plan: Plan,
}

impl<A: FanoutSource> Planner<'_, A> {
    fn effect(&mut self, index: usize, effect: &Effect) {
        match effect {
            Effect::Start { delay_s } => {
                let jobs = self.of.subject().job().cloned().into_iter().collect();
                self.plan.work.push(Delayed { message: WorkMessage::Start { jobs }, delay_s: *delay_s });
            }
            // Whether a hint follows depends on the admission item.
            Effect::FreeSlot { slot } => self.plan.slots.push(slot.clone()),
            Effect::Notify { event, to, about } => {
                let to = to.unwrap_or_else(|| Recipients::unstated(*event));
                self.notify(self.id(index), *event, about.as_deref(), to, self.of.updated_at());
            }
            // They stay on the item until they are packed.
            Effect::Log { .. } if self.of.keeps_history() => {}
            Effect::Log { event, level, message, details } => {
                let entry = LogEntry {
                    event_type: event.name().to_owned(),
                    level: *level,
                    message: message.clone(),
                    details: details.clone(),
                };
                let row = self.row(index);
                self.plan.logs.push(LogRow { entry: Some(entry), ..row });
            }
            Effect::Live { events, after } => self.live(index, events, *after),
            Effect::PackHistory => self.pack(self.of.unpacked()),
            Effect::Draw { hints, delay_s } => {
                let hint = self.of.piece_hint().map(|message| Delayed { message, delay_s: *delay_s });
                let count = usize::try_from(*hints).unwrap_or(1);
                self.plan.pieces.extend(hint.into_iter().flat_map(|hint| std::iter::repeat_n(hint, count)));
            }
            Effect::RemoveFiles { keys } => self.plan.removed.extend(keys.iter().cloned()),
            Effect::Purge => {
                self.plan.purge = Some(Purge { subject: self.of.subject(), prefixes: self.of.file_prefixes() });
            }
            Effect::Count { status, day, entered } => self.plan.counts.push(CountStep {
                id: self.id(index),
                day: day.clone(),
                status: Some((*status, *entered)),
                log: LogTally::default(),
            }),
            // The lines are counted in the same write as the job.
            Effect::CountLog { day, log } => match self.plan.counts.last_mut() {
                Some(step) => step.log = *log,
                None => {
                    let step = CountStep { id: self.id(index), day: day.clone(), status: None, log: *log };
                    self.plan.counts.push(step);
                }
            },
            Effect::RaiseError(raise) => self.error(index, ErrorChange::Raise(raise.clone())),
            Effect::ResolveError(resolve) => self.error(index, ErrorChange::Resolve(resolve.clone())),
            // Only outboxes of projects hold effects of projects.
            Effect::Project(effect) => {
                if let Some(project) = self.of.subject().project() {
                    project_effects::plan(project, effect, &mut self.plan);
                }
            }
            // Only outboxes of clip jobs hold effects of clip jobs.
            Effect::Clips(effect) => {
                if let Subject::Clips(job) = self.of.subject() {
                    clip_effects::plan(&job, effect, &mut self.plan);
                }
            }
            Effect::Credits(effect) => self.plan.credits.extend(self.of.settlement(effect)),
            // Only outboxes of jobs hold effects of jobs.
            Effect::Job(effect) => {
                self.plan.work.extend(self.of.subject().job().map(|job| effects::hint(job, effect)));
            }
        }
    }

    /// Rows of recorded versions.
    fn pack(&mut self, recorded: Vec<Recorded>) {
        self.plan.logs.extend(pack(&self.of.subject(), self.view.dialect(), recorded));
    }

    fn error(&mut self, index: usize, change: ErrorChange) {
        self.plan.errors.push(ErrorStep { id: self.id(index), at: self.of.updated_at(), change });
    }

    /// The id of what an effect causes.
    fn id(&self, index: usize) -> EventId {
        EventId::of(&self.of.subject(), self.of.version(), index)
    }
    /// A row that holds nothing yet.
    fn row(&self, index: usize) -> LogRow {
        LogRow {
            subject: self.of.subject(),
            dialect: self.view.dialect(),
            version: self.of.version(),
            index,
            at: self.of.updated_at(),
            entry: None,
            live: None,
            packed: Vec::new(),
        }
    }

    /// Live events that the item does not keep share the row of the version's first log line, which saves a write, or else
    /// have their own.
    fn live(&mut self, index: usize, events: &[Live], after: u64) {
        let snapshot = self.of.live_snapshot(events);
        let terminal = events.iter().any(|event| event.ends(&snapshot));
        self.plan.pushes.push(Push { subject: self.of.subject(), owner: self.of.owner().cloned(), terminal });
        if self.of.keeps_history() {
            return;
        }
        let live = Some(LiveRow { after, at: self.of.updated_at(), events: events.to_vec(), snapshot });
        match self.plan.logs.first_mut() {
            Some(row) => row.live = live,
            None => {
                let row = self.row(index);
                self.plan.logs.push(LogRow { live, ..row });
            }
        }
    }

    /// Plans an event and a delivery for each of its recipients.
    fn notify(&mut self, id: EventId, event: OutboundEvent, about: Option<&str>, to: Recipients, at: Timestamp) {
        let own = match to {
            Recipients::Subscribers => None,
            Recipients::SubscribersAndCallback => self.of.callback(event),
        };
        let client = own.as_ref().map(|own| callback::subscriber(&own.url));
        let mut recipients = self.subscriptions.of(event, at).chain(&client).peekable();
        if recipients.peek().is_none() {
            return;
        }
        let data = self.view.webhook_data(self.of, event, about, at, self.links);
        let submitted_at = Family::completed_by(event).and_then(|_| self.of.submitted_at());
        let subject = self.of.subject();
        let row = EventRow { id, event, subject, at, data: data.into(), callback: own, submitted_at };
        let deliveries = recipients.map(|to| delivery_of(&row, to, self.grace, self.of.traceparent()));
        self.plan.deliveries.extend(deliveries);
        self.plan.events.push(row);
    }
}
