//! gpconnect-gateway: a reverse proxy between GP Connect consumers and the systems of GP practices.
//!
//! The rooms in the order in which they may know each other; a room knows those above it. The
//! protocol and the decision stand in the crate `gpconnect`, which knows no engine.

pub mod admin;
pub mod audit;
pub mod cache;
pub mod cli;
pub mod config;
pub mod directory;
pub mod https;
pub mod issuers;
pub mod proxy;
pub mod simulator;
pub mod snapshot;
pub mod telemetry;
pub mod tls;
pub mod traces;
