//! gpconnect-gateway: a reverse proxy between GP Connect consumers and the systems of GP practices.
//!
//! The rooms in the order in which they may know each other; a room knows those above it. The
//! protocol and the decision stand in the crate `gpconnect`, which knows no engine.

pub mod config;
pub mod telemetry;
pub mod directory;
pub mod snapshot;
pub mod proxy;
pub mod admin;
pub mod simulator;
pub mod cli;
