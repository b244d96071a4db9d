//! A gateway, the practices behind it and the consumers before it.

use std::net::SocketAddr;
use std::sync::Arc;

use gpconnect_gateway::simulator::{self, Arrival, Practice, Running, Settings};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::call::host_and_path;
use super::process::Gateway;
use super::{Answer, Call, Connection, Form, HOST, Interaction, Mode, Plan, Raw};

/// Everything a test needs. Dropping it ends the gateway and the simulator.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) simulator: Running,
}

impl World {
    /// Starts a world; `change` says how it differs from [`Plan::default`].
    pub(crate) async fn start(change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = Plan::default();
        change(&mut plan);
        let mut settings = Settings::new(Arc::new(plan.estate()));
        settings.clock = plan.clock.clone();
        settings.recorded = plan.recorded;
        settings.tls = plan.tls.as_ref().map(|(context, _)| context.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = simulator::start(settings, listener).unwrap();
        let folder = TempDir::with_prefix("gpconnect-test-").unwrap();
        let upstream = plan.upstream.unwrap_or(simulator.local_addr());
        plan.write(folder.path(), simulator.estate(), upstream, simulator.refused_addr());
        let listeners = Mode::BOTH.len() + plan.settings.matches("[[listener]]").count();
        let gateway = Gateway::start(folder, listeners, &plan.environment).await;
        Self { gateway, simulator }
    }

    /// A practice by its place.
    pub(crate) fn practice(&self, place: usize) -> &Practice {
        &self.simulator.estate().practices()[place]
    }

    /// Where a consumer's listener is.
    pub(crate) fn address(&self, mode: Mode) -> SocketAddr {
        self.gateway.listeners[mode.word()]
    }

    /// A call of the first practice in ODS form.
    pub(crate) fn call(&self, mode: Mode, interaction: &Interaction, path: &str) -> Call {
        Call::new(mode, Form::Ods, self.practice(0), interaction, path)
    }

    /// A new connection to a consumer's listener.
    pub(crate) async fn connect(&self, mode: Mode) -> Connection {
        Connection::open(self.address(mode)).await
    }

    /// A new bare connection.
    pub(crate) async fn raw(&self, mode: Mode) -> Raw {
        Raw::open(self.address(mode)).await
    }

    /// Sends a call on a connection of its own.
    pub(crate) async fn send(&self, call: Call) -> Answer {
        self.connect(call.mode).await.send(call).await
    }

    /// What the simulator answers to a call without a gateway; `path` is what follows the service
    /// root. Leaves no arrival behind.
    pub(crate) async fn directly(
        &self,
        call: &Call,
        interaction: &Interaction,
        path: &str,
    ) -> Answer {
        let (host, root) = host_and_path(self.practice(0), interaction);
        let call = Call { target: format!("/{root}/{path}"), ..call.clone() }.with("Host", host);
        let answer = Connection::open(self.simulator.local_addr()).await.send(call).await;
        self.arrivals();
        answer
    }

    /// The requests that have reached the simulator since this was last asked.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.simulator.recorder().take()
    }

    /// Asks the observe listener, such as for `/metrics` or `/readyz`.
    pub(crate) async fn observe(&self, path: &str) -> Answer {
        let call = Call {
            mode: Mode::Assist,
            verb: "GET".into(),
            target: path.into(),
            headers: vec![("Host".into(), HOST.into())],
            body: Vec::new(),
        };
        Connection::open(self.gateway.observe).await.send(call).await
    }

    /// The metrics page.
    pub(crate) async fn metrics(&self) -> String {
        self.observe("/metrics").await.text().to_owned()
    }
}
