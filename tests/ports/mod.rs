//! Addresses of this machine that a test names before anybody listens at them. The system gives out none of
//! these to whoever asks for any, so nobody else gets one between.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

/// The lowest port that is handed out here.
const LOWEST: u16 = 10_000;

/// What says to the tests of other processes that a port is taken, until this one ends.
static HELD: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// An address that nobody listens at, and that nobody else is given.
pub(crate) fn own_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let end = first_given_out().max(LOWEST + 1);
    for _ in LOWEST..end {
        let port = LOWEST + NEXT.fetch_add(1, Ordering::Relaxed) % (end - LOWEST);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let Ok(held) = UdpSocket::bind(address) else { continue };
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).push(held);
            return address;
        }
    }
    panic!("no port is free between {LOWEST} and {end}");
}

/// The first of the ports that the system gives out to whoever asks for any.
fn first_given_out() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    range.split_whitespace().next().unwrap().parse().unwrap()
}
