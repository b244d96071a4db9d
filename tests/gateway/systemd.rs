//! What systemd is told by a service that it started with `Type=notify`: see `sd_notify(3)`.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::thread;

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::harness::interactions as all;
use crate::harness::{Call, DEADLINE, Mode, World};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Wire};

/// The service manager's end. It takes what is told at once, as systemd does: a few things that nobody has
/// taken would hold the gateway up.
struct Manager {
    told: UnboundedReceiver<String>,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = TempDir::with_prefix("gpconnect-notify-").unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        let (tell, told) = unbounded_channel();
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            // To the end of the test, which may be over before what is told.
            while let Ok(length) = socket.recv(&mut buffer) {
                let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
                if tell.send(text).is_err() {
                    return;
                }
            }
        });
        Self { told, folder }
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
    async fn next(&mut self) -> Vec<String> {
        let told = timeout(DEADLINE, self.told.recv()).await.expect("it tells").unwrap();
        told.lines().map(str::to_owned).collect()
    }

    /// What is told next besides that the service works.
    async fn news(&mut self) -> Vec<String> {
        loop {
            let told = self.next().await;
            if !told.contains(&"WATCHDOG=1".to_owned()) {
                return told;
            }
        }
    }

    /// Waits until it is told several times that the service works; the last line of status.
    async fn works(&mut self) -> String {
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
    let (mut manager, provider) = (Manager::new(), Scripted::start().await);
    let mut world = World::start(|plan| {
        plan.environment = manager.environment();
        plan.upstream = Some(provider.address());
        plan.settings = "[server]\nnotice = \"10m\"\ndrain = \"10m\"\n".to_owned();
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
    let mut manager = Manager::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut environment = manager.environment();
    let address = taken.local_addr().unwrap().to_string();
    environment.push(("GPCG__LISTENER__1__ADDRESS".into(), address));
    let output = crate::lifecycle::serve_with(environment).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    // Behind all that it can have told.
    let own = UnixDatagram::unbound().unwrap();
    own.send_to(b"the test", manager.folder.path().join("notify")).unwrap();
    assert_eq!(manager.next().await, ["the test"], "it told nothing");
}
