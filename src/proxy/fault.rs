//! What a fault of the engine means on the wire.

use gpconnect::rejection::Reason;
use pingora::{Error, ErrorSource, ErrorType};
use uuid::Uuid;

use super::{body, exchange::Exchange, trust};

/// The reason to tell; none when nobody is left to be told.
pub(super) fn reason(fault: &Error, exchange: &Exchange) -> Option<Reason> {
    use ErrorType::{
        ConnectError, ConnectNoRoute, ConnectRefused, ConnectTimedout, ConnectionClosed,
        InvalidCert, ReadError, ReadTimedout, SocketError, TLSHandshakeFailure, WriteError,
        WriteTimedout,
    };
    if let Some(status) = exchange.not_fhir {
        return Some(Reason::AnswerNotFhir { status });
    }
    let url = || exchange.url().unwrap_or_default().into();
    match (fault.esource(), fault.etype()) {
        (ErrorSource::Upstream, _) if exchange.is_late() => {
            Some(Reason::UpstreamTimeout { url: url() })
        }
        (ErrorSource::Upstream, ConnectTimedout | ReadTimedout | WriteTimedout) => {
            Some(Reason::UpstreamTimeout { url: url() })
        }
        (ErrorSource::Upstream, InvalidCert | TLSHandshakeFailure) => {
            let fault = trust::reason(fault).into();
            Some(Reason::UpstreamNotTrusted { url: url(), fault })
        }
        (ErrorSource::Upstream, ReadError | WriteError | ConnectionClosed)
            if trust::is_alert(fault) =>
        {
            let fault = trust::reason(fault).into();
            Some(Reason::UpstreamNotTrusted { url: url(), fault })
        }
        (
            ErrorSource::Upstream,
            ConnectRefused | ConnectNoRoute | ConnectError | SocketError | ConnectionClosed
            | ReadError | WriteError,
        ) => Some(Reason::UpstreamUnreachable { url: url() }),
        (ErrorSource::Upstream, _) => Some(Reason::UpstreamInvalid { url: url() }),
        (ErrorSource::Downstream, ReadError | WriteError | ConnectionClosed | WriteTimedout) => {
            None
        }
        (ErrorSource::Downstream, ReadTimedout) => {
            Some(Reason::BodyTimeout { seconds: exchange.snapshot.timeouts.body.as_secs() })
        }
        (ErrorSource::Downstream, _) => Some(body::broken(fault)),
        (ErrorSource::Internal | ErrorSource::Unset, _) => {
            Some(Reason::GatewayFault { reference: Uuid::new_v4().to_string().into() })
        }
    }
}
