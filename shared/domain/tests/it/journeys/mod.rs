//! The contract's rules, told one by one as short journeys.

mod commands;
mod renders;
mod retries;
mod starts;
mod steps;
mod timers;
