//! gpconnect-gateway: a reverse proxy between GP Connect consumers and the systems of GP practices.
//!
//! README's map shows the rooms in the order in which they may know each other. The protocol and
//! the decision stand in the crate `gpconnect`, which knows no engine.

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
