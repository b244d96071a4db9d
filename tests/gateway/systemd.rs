//! What systemd is told by a service that it started with `Type=notify`: see `sd_notify(3)`.

use std::net::TcpListener;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::harness::interactions as all;
use crate::harness::{Call, DEADLINE, Mode, World};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Wire};

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::with_prefix("gpconnect-notify-").unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    /// What a service's environment has, with a watchdog of a third of a second.
    fn environment(&self) -> Vec<(String, String)> {
        let path = self.folder.path().join("notify");
        vec![
            ("NOTIFY_SOCKET".into(), path.to_str().unwrap().into()),
            ("WATCHDOG_USEC".into(), "300000".into()),
        ]
    }

    /// The next thing told, line by line.
    async fn next(&self) -> Vec<String> {
        let mut told = [0; 4_096];
        let length =
            timeout(DEADLINE, self.socket.recv(&mut told)).await.expect("it tells").unwrap();
        let text = String::from_utf8(told[..length].to_vec()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// What is told next besides that the service works.
    async fn news(&self) -> Vec<String> {
        loop {
            let told = self.next().await;
            if !told.contains(&"WATCHDOG=1".to_owned()) {
                return told;
            }
        }
    }

    /// Waits until it is told several times that the service works; the last line of status.
    async fn works(&self) -> String {
        let mut beats = 0;
        loop {
            let told = self.next().await;
            beats += u32::from(told[0] == "WATCHDOG=1");
            if beats == 3 {
                return told[1].clone();
            }
        }
    }
}

fn call(world: &World) -> Call {
    world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1")
}

#[tokio::test]
async fn systemd_is_told_of_start_reload_and_stop() {
    let (manager, provider) = (Manager::new(), Scripted::start().await);
    let mut world = World::start(|plan| {
        plan.environment = manager.environment();
        plan.upstream = Some(provider.address());
        plan.settings = "[server]\nnotice = \"10m\"\ndrain = \"25s\"\n".to_owned();
    })
    .await;
    let serving = "STATUS=ready; 3 practices, 2 consumers, 0 requests under way";
    assert_eq!(manager.news().await, ["READY=1", serving]);
    assert_eq!(manager.works().await, serving);

    for (name, change) in [("good", "# nothing"), ("refused", "[nonsense]")] {
        let seen = world.gateway.log.lines().len();
        world.gateway.reload("gateway.toml", |text| format!("{text}\n{change}\n")).await;
        let told = manager.news().await;
        assert_eq!(told[0], "RELOADING=1", "{name}: {told:?}");
        let since_boot = told[1].strip_prefix("MONOTONIC_USEC=").unwrap();
        assert!(since_boot.parse::<u64>().is_ok(), "{name}: {told:?}");
        assert_eq!(manager.news().await, ["READY=1", serving], "{name}");
        assert!(world.gateway.log.lines().len() > seen, "{name}");
    }

    provider.will([Step::Wait, Step::Good]);
    let mut under_way = Wire::open(world.address(Mode::Transparent)).await;
    under_way.write(wire::bytes(&call(&world))).await;
    provider.has_seen(1).await;
    world.gateway.signal("TERM");
    let stopping = "STATUS=not ready: stopping; 3 practices, 2 consumers, 1 requests under way";
    assert_eq!(manager.news().await, ["STOPPING=1", stopping]);
    assert_eq!(manager.works().await, stopping, "also while it takes leave");
    world.gateway.signal("TERM");
    assert_eq!(manager.works().await, stopping, "and while it drains");
    provider.go_on();
    assert_eq!(under_way.read("GET").await.status, 200);
    assert_eq!(world.gateway.ended().await, Some(0));
}

/// Ready is what systemd lets others start behind: it is said of nothing that does not take requests.
#[tokio::test]
async fn a_gateway_that_does_not_start_is_never_ready() {
    let manager = Manager::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut environment = manager.environment();
    let address = taken.local_addr().unwrap().to_string();
    environment.push(("GPCG__LISTENER__1__ADDRESS".into(), address));
    let output = crate::lifecycle::serve_with(environment).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = timeout(Duration::from_millis(1), manager.socket.recv(&mut [0; 16])).await;
    assert!(told.is_err(), "it told nothing");
}
