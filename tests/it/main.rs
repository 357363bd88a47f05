//! Journeys on the deployed stack, with roles enforced: `cargo xtask test --only e2e` starts one and runs them.
//!
//! The tests share one stack and change its outside (receivers, admission), so they run one after the other.

mod access;
mod aws;
mod bootstraps;
mod callbacks;
mod control;
mod cost;
mod deliveries;
mod description;
mod destinations;
mod documents;
mod edge;
mod endpoints;
mod errors;
mod examples;
mod gui;
mod hooks;
mod input;
mod isolation;
mod journeys;
mod kills;
mod limits;
mod live;
mod login;
mod logs;
mod lost;
mod metadata;
mod methods;
mod no_sweep;
mod orders;
mod pages;
mod programs;
mod reads;
mod recovery;
mod recursion;
mod renders;
mod samples;
mod scene_webhooks;
mod scenes;
mod stack;
mod starts;
mod timers;
mod upgrade;
mod videos;
