//! The rules of the contract, each as a short journey.

mod commands;
mod renders;
mod retries;
mod starts;
mod steps;
mod timers;
