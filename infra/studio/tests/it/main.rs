//! The mock services over HTTP, as Reelhook and its tests use them.

mod creatomate;
mod external_verifiers;
mod genesis;
mod http;
mod receiver;
mod scenarios;
mod scenes;
mod support;
mod worker;
