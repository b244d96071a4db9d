//! An address that attacks name and that nothing may connect to.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::harness::DEADLINE;
use crate::ports::own_address;

/// Listens on every address of this machine, of both versions where it has both.
pub(super) struct Decoy {
    pub(super) port: u16,
    came: Arc<Mutex<Vec<SocketAddr>>>,
    accepting: JoinHandle<()>,
}

impl Decoy {
    pub(super) async fn start() -> Self {
        // None that the system gives out: whoever still asks for what somebody else listened at there before
        // would be taken for one who was sent here.
        let port = own_address().port();
        let both = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await;
        let listener = match both {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.unwrap(),
        };
        let came = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&came);
        let accepting = tokio::spawn(async move {
            while let Ok((_, from)) = listener.accept().await {
                notes.lock().unwrap().push(from);
            }
        });
        Self { port, came, accepting }
    }

    /// Nothing has connected but a connection of our own, which is seen: so is any other's.
    pub(super) async fn is_untouched(&self) {
        let own = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        let own = own.local_addr().unwrap().port();
        let seen = async {
            while !self.came.lock().unwrap().iter().any(|from| from.port() == own) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, seen).await.expect("the decoy notes what connects");
        let came = self.came.lock().unwrap().clone();
        assert_eq!(came.len(), 1, "connected: {came:?}");
    }
}

impl Drop for Decoy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
