//! A GP practice system: any number of simulated practices on one port, with faults to order.
//!
//! It answers the seventeen interactions of GP Connect 1.2.7 as the specification wants a
//! provider to, keeps registrations and appointments, and draws everything else from a seed, so
//! that the same estate always has the same practices, patients and slots. The command `simulate`
//! runs it; tests run it in-process, several at a time.
//!
//! # Patients to ask for
//!
//! Every practice has these, and some four hundred drawn ones of its own:
//!
//! | NHS number   | logical id | what it shows                                               |
//! |--------------|------------|-------------------------------------------------------------|
//! | `9000000009` | 1          | a regular patient, record of about 20 kB, one appointment    |
//! | `9000000017` | 2          | a record of about 3 kB with nothing in it                     |
//! | `9000000025` | 3          | a record of about 200 kB                                      |
//! | `9000000033` | 4          | a record of about 3 MB                                        |
//! | `9000000041` | 5          | dissents from sharing: `NO_PATIENT_CONSENT`                   |
//! | `9000000068` | 6          | registered temporarily: found, but without a record           |
//! | `9000000076` | 7          | deceased: not found                                           |
//! | `9000000084` | 8          | sensitive: not found                                          |
//! | `9000000092` | none       | registered nowhere: can be registered under any name          |
//! | `9000000106` | none       | not on PDS: can't be registered                               |
//! | `9000000114` | none       | superseded on PDS: can't be registered                        |
//!
//! # Headers for tests
//!
//! - `X-Sim-Echo: 1` on a request puts `X-Sim-Body-Sha256`, the SHA-256 of the request body as it
//!   arrived, on the answer.
//! - `X-Sim-Chunked: 1` has the answer sent in chunks instead of with its length.
//! - `X-Sim-Fault` orders faults for the one request, in the grammar of [`Fault`].
//!
//! Faults for a practice are ordered with [`Faults`] or at `/_simulator/faults/{ODS code}`, where
//! `*` stands for every practice: `PUT` takes one fault or a list of them in JSON, `GET` shows
//! them, `DELETE` ends them.

//!
//! # The secure proxy
//!
//! With [`Proxy`] it plays the proxy before practices instead: requests come in proxy form and go on to
//! practices that another simulator plays. Faults of its own are ordered in the same way, for a
//! request with `X-Sim-Proxy-Fault`: `X-Sim-Fault` is for the practice behind it.

mod clock;
mod draw;
mod estate;
mod faults;
mod fhir;
mod practice;
mod proxy;
mod wire;

pub use clock::Clock;
pub use estate::{Estate, FIRST_PRACTICE, Practice};
pub use faults::{Fault, Faults, NotAFault};
pub use proxy::Proxy;
pub use wire::{Arrival, Recorder, Running, Settings, start};
