//! The names of the field: one type, one file, one constructor each.
//!
//! A value of these types has been checked once and can't be wrong afterwards. Those that could
//! show a patient redact themselves in `Debug` and `Display`.

mod asid;
mod from_caller;
mod host_name;
mod inline;
mod nhs_number;
mod ods_code;
mod party_key;
mod service_root;
mod token_id;
mod trace_id;

pub use asid::{Asid, NotAnAsid};
pub use from_caller::FromCaller;
pub use host_name::{HostName, NotAHostName};
pub use nhs_number::{NhsNumber, NotAnNhsNumber};
pub use ods_code::{NotAnOdsCode, OdsCode};
pub use party_key::{CpaId, NotACpaId, NotAPartyKey, PartyKey};
pub use service_root::{NotAServiceRoot, ServiceRoot};
pub use token_id::{NotATokenId, TokenId};
pub use trace_id::{NotATraceId, TraceId};
