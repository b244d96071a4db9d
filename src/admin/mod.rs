//! What operations and balancers ask of the gateway, on listeners of their own.

mod observe;

pub use observe::Observe;
