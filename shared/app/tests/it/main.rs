//! What the use cases promise, over fakes in memory and in virtual time.

mod change;
mod deliver;
mod deliveries;
mod drawing;
mod families;
mod fanout;
mod hooks;
mod limits;
mod logs;
mod nothing_is_lost;
mod operational;
mod picture_places;
mod pictures;
mod queue;
mod reconcile;
mod recover;
mod registrations;
mod renders;
mod repair;
mod retry;
mod starts;
mod steps;
mod submit;
mod sweep;
mod waiting;
mod watch;
