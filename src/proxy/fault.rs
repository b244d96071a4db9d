//! What a fault of the engine means on the wire.

use gpconnect::{names::FromCaller, rejection::Reason};
use pingora::{Error, ErrorSource, ErrorType};
use uuid::Uuid;

use super::{body, exchange::Exchange, trust};

/// The reason to tell; none when nobody is left to be told.
pub(super) fn reason(fault: &Error, exchange: &Exchange) -> Option<Reason> {
    use ErrorType::{ConnectionClosed, ReadError, ReadTimedout, WriteError, WriteTimedout};
    if exchange.unreadable.is_some() {
        return exchange.unreadable.clone();
    }
    let url = || FromCaller::from(exchange.url().unwrap_or_default());
    match (fault.esource(), fault.etype()) {
        (ErrorSource::Upstream, _) if exchange.is_late() => {
            Some(Reason::UpstreamTimeout { url: url() })
        }
        (ErrorSource::Upstream, _) => Some(of_upstream(fault, url())),
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

/// What a fault of a provider's connection means.
pub(super) fn of_upstream(fault: &Error, url: FromCaller<Box<str>>) -> Reason {
    use ErrorType::{
        ConnectError, ConnectNoRoute, ConnectRefused, ConnectTimedout, ConnectionClosed,
        InvalidCert, ReadError, ReadTimedout, SocketError, TLSHandshakeFailure, WriteError,
        WriteTimedout,
    };
    let etype = fault.etype();
    if matches!(etype, ConnectTimedout | ReadTimedout | WriteTimedout) {
        return Reason::UpstreamTimeout { url };
    }
    let is_broken = matches!(etype, ReadError | WriteError | ConnectionClosed);
    if matches!(etype, InvalidCert | TLSHandshakeFailure) || is_broken && trust::is_alert(fault) {
        let fault = trust::reason(fault).into();
        return Reason::UpstreamNotTrusted { url, fault };
    }
    if is_broken || matches!(etype, ConnectRefused | ConnectNoRoute | ConnectError | SocketError) {
        return Reason::UpstreamUnreachable { url };
    }
    Reason::UpstreamInvalid { url }
}
