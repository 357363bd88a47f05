//! Studio seen from outside: every stand-in over HTTP, as Reelhook and its tests use it.

mod creatomate;
mod http;
mod outside;
mod receiver;
mod scenarios;
mod support;
mod worker;
