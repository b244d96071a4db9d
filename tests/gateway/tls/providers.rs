//! TLS towards providers: whom the gateway talks to, and what it says when it does not.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gpconnect_gateway::tls::issue::{Authority, Issued, KeyKind, Order, replace, self_signed};
use openssl::dh::Dh;
use openssl::ssl::{SslContextBuilder, SslVersion};
use openssl::x509::X509Ref;
use tempfile::TempDir;

use super::pki::{DAY, now};
use super::renewal::{SOON, soon};
use crate::exposition::Exposition;
use crate::harness::interactions::{BOOK_APPOINTMENT, READ_PATIENT};
use crate::harness::promises::{mostly_within, once_within};
use crate::harness::{Answer, Call, Mode, World};
use crate::refusals::contract;
use crate::wire::Wire;

/// The host in the service roots of the first practice.
const PROVIDER: &str = "gp1.sim.example";

/// Authorities of providers and of gateways, and the files of an upstream.
struct Region {
    providers: Authority,
    gateways: Authority,
    folder: TempDir,
}

impl Region {
    fn new() -> Self {
        let region = Self {
            providers: Authority::root("Providers Root").unwrap(),
            gateways: Authority::root("Gateways Root").unwrap(),
            folder: TempDir::with_prefix("gpconnect-region-").unwrap(),
        };
        region.show(&region.gateways);
        region.believe(&region.providers);
        region.revoke(&[]);
        region
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Has the gateway show a certificate of this authority.
    fn show(&self, authority: &Authority) -> Issued {
        let issued = authority.issue(&Order::new("gateway.example")).unwrap();
        issued.write(&self.file("own.pem"), &self.file("own.key")).unwrap();
        issued
    }

    fn believe(&self, authority: &Authority) {
        replace(&self.file("ca.pem"), &authority.certificate.to_pem().unwrap()).unwrap();
    }

    fn revoke(&self, revoked: &[&X509Ref]) {
        let list = self.providers.revocation_list(revoked, now() + DAY).unwrap();
        replace(&self.file("ca.crl"), &list.to_pem().unwrap()).unwrap();
    }

    /// Another authority besides, with its empty list; an authority without a list is refused.
    fn believe_also(&self, other: &Authority) {
        let with = |file: &str, more: Vec<u8>| {
            let before = fs::read(self.file(file)).unwrap();
            replace(&self.file(file), &[before, more].concat()).unwrap();
        };
        let list = other.revocation_list(&[], now() + DAY).unwrap();
        with("ca.pem", other.certificate.to_pem().unwrap());
        with("ca.crl", list.to_pem().unwrap());
    }

    /// A good certificate of the provider.
    fn provider(&self) -> Issued {
        self.providers.issue(&Order::new(PROVIDER)).unwrap()
    }

    fn table(&self, more: &str) -> String {
        let folder = self.folder.path().to_str().unwrap();
        format!(
            "[upstream.tls]\ncertificate = \"{folder}/own.pem\"\nkey = \"{folder}/own.key\"\n\
             authorities = [\"{folder}/ca.pem\"]\nrevocation_lists = [\"{folder}/ca.crl\"]\n{more}"
        )
    }

    /// A world whose practices stand at a provider that shows this.
    async fn world(
        &self,
        shown: &Issued,
        change: impl FnOnce(&mut SslContextBuilder),
        more: &str,
    ) -> World {
        let mut context = shown.server(&self.gateways).unwrap();
        change(&mut context);
        let tls = (context.build(), self.table(more));
        World::start(|plan| plan.tls = Some(tls)).await
    }
}

fn read(world: &World) -> Call {
    world.call(Mode::Transparent, &READ_PATIENT, "Patient/1")
}

/// How often a kept connection is asked for: who comes while the engine still watches one gets a new one.
const TURNS: usize = 5;

/// Whether a good request, whose caller then goes, is carried over a connection to the provider that was
/// there before.
async fn goes_over_a_kept_one(world: &World) -> bool {
    let before = world.simulator.connections();
    let mut wire = Wire::open(world.address(Mode::Transparent)).await;
    let reply = wire.exchange(&read(world).and("Connection", "close")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    // With the caller's connection ended the provider's has been put back for others.
    assert_eq!(wire.rest().await, b"");
    let arrived = world.arrivals().len();
    assert_eq!(arrived, 1, "it arrives once");
    before > 0 && world.simulator.connections() == before
}

/// Has a request carried over a kept connection.
async fn over_a_kept_one(world: &World) {
    for _ in 0..TURNS * 2 {
        if goes_over_a_kept_one(world).await {
            return;
        }
    }
    panic!("no request went over a kept connection");
}

/// The answer is the one for a provider that is not trusted; the log says why.
async fn is_not_trusted(world: &World, answer: &Answer, why: &str, name: &str) {
    let row = contract::of("upstream_not_trusted");
    assert_eq!(answer.status, row.status, "{name}: {answer:?}");
    let issue = &answer.json()["issue"][0];
    assert_eq!(issue["code"], row.issue, "{name}");
    let diagnostics = issue["diagnostics"].as_str().unwrap();
    assert!(diagnostics.starts_with("ERROR_COMMUNICATING_TO_ENDPOINT_URL_https://"), "{name}");
    let line = world.gateway.log.wait_for("its line", |line| line["fault"] == row.word).await;
    let note = line["note"].as_str().unwrap();
    assert!(note.contains(why), "{name}: {note}, not {why}");
    assert_eq!(world.arrivals().len(), 0, "{name}: nothing of it was sent");
}

/// gp-connect 8.
#[tokio::test]
async fn a_provider_that_is_who_was_meant() {
    let region = Region::new();
    let world = region.world(&region.provider(), |_| {}, "").await;
    for _ in 0..3 {
        over_a_kept_one(&world).await;
    }
    let page = Exposition::of(&world).await;
    let labels = [("owner", "upstream provider"), ("kind", "certificate")];
    assert!(page.sum("certificate_expiry_timestamp_seconds", &labels) > now() as f64);
}

/// Every fault of a provider's certificate.
/// gp-connect 8.
#[tokio::test]
async fn a_provider_with_a_bad_certificate_gets_nothing() {
    let order = Order::new(PROVIDER);
    let other_root = Authority::root("Providers Root").unwrap();
    for (name, shown, why) in [
        ("expired", Some(Order { until: now() - 60, ..order.clone() }), "has expired"),
        ("not yet valid", Some(Order { from: now() + DAY, ..order.clone() }), "not valid yet"),
        ("another host", Some(Order::new("gp2.sim.example")), "names another host"),
        (
            "the name only as its common name",
            Some(Order { dns_names: vec!["x.example".into()], ..order.clone() }),
            "names another host",
        ),
        ("a weak key", Some(Order { key: KeyKind::Rsa(1024), ..order.clone() }), "too weak"),
        ("revoked", None, "revoked"),
        ("self-signed", None, "self-signed"),
        ("another authority of that name", None, "authority accepted here"),
    ] {
        let region = Region::new();
        let shown = match (shown, name) {
            (Some(order), _) => region.providers.issue(&order).unwrap(),
            (None, "self-signed") => self_signed(&order).unwrap(),
            (None, "revoked") => {
                let revoked = region.provider();
                region.revoke(&[&revoked.certificate]);
                revoked
            }
            (None, _) => other_root.issue(&order).unwrap(),
        };
        let world = region.world(&shown, |_| {}, "").await;
        let answer = world.send(read(&world)).await;
        is_not_trusted(&world, &answer, why, name).await;
        // A command neither.
        let book = world.call(Mode::Transparent, &BOOK_APPOINTMENT, "Appointment");
        let answer =
            world.send(book.json(&serde_json::json!({"resourceType": "Appointment"}))).await;
        assert_eq!(answer.status, 502, "{name}: {answer:?}");
        assert_eq!(world.arrivals().len(), 0, "{name}");
    }
}

/// What is agreed on must be good, whatever the certificate.
/// gp-connect 8.
#[tokio::test]
async fn weak_tls_is_not_spoken_to_a_provider() {
    type Change = fn(&mut SslContextBuilder);
    for (name, change, more, why) in [
        (
            "an older version than is wanted",
            (|it| it.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap()) as Change,
            "minimum_version = \"1.3\"\n",
            "TLSv1.2 is too old",
        ),
        (
            "no forward secrecy",
            |it| {
                it.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
                it.set_cipher_list("AES256-GCM-SHA384:@SECLEVEL=0").unwrap();
            },
            "",
            "forward secrecy",
        ),
        (
            "a version that nobody should speak",
            |it| {
                it.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
                it.set_max_proto_version(Some(SslVersion::TLS1_1)).unwrap();
            },
            "",
            "",
        ),
    ] {
        let region = Region::new();
        let order = Order { key: KeyKind::Rsa(2048), ..Order::new(PROVIDER) };
        let shown = region.providers.issue(&order).unwrap();
        let world = region.world(&shown, change, more).await;
        let answer = world.send(read(&world)).await;
        is_not_trusted(&world, &answer, why, name).await;
    }
}

/// A provider that does not accept the gateway's certificate, under either version, and one that
/// speaks no TLS.
#[tokio::test]
async fn a_provider_that_refuses_is_told_apart() {
    for (name, version) in [("TLS 1.2", SslVersion::TLS1_2), ("TLS 1.3", SslVersion::TLS1_3)] {
        let region = Region::new();
        region.show(&Authority::root("Nobody").unwrap());
        let change = |it: &mut SslContextBuilder| {
            it.set_max_proto_version(Some(version)).unwrap();
        };
        let world = region.world(&region.provider(), change, "").await;
        let answer = world.send(read(&world)).await;
        is_not_trusted(&world, &answer, "alert", name).await;
    }
    let region = Region::new();
    let plain = World::start(|_| {}).await;
    let context = region.provider().server(&region.gateways).unwrap().build();
    let tls = (context, region.table(""));
    let upstream = plain.simulator.local_addr();
    let world = World::start(|plan| {
        plan.tls = Some(tls);
        plan.upstream = Some(upstream);
    })
    .await;
    let answer = world.send(read(&world)).await;
    is_not_trusted(&world, &answer, "", "no TLS").await;
    assert_eq!(plain.arrivals().len(), 0, "and there is no falling back");
}

/// The name to be verified can be given; behind a proxy it is the proxy's.
#[tokio::test]
async fn a_proxy_must_be_who_was_meant() {
    // The simulator is no proxy: its 404 shows that the request came there.
    for (named, status) in [("spine.example", 404), ("other.example", 502)] {
        let region = Region::new();
        let shown = region.providers.issue(&Order::new(named)).unwrap();
        let context = shown.server(&region.gateways).unwrap().build();
        let tls = (context, region.table("server_name = \"spine.example\"\n"));
        let world = World::start(|plan| {
            plan.tls = Some(tls);
            plan.connection = "proxy";
        })
        .await;
        let answer = world.send(read(&world)).await;
        assert_eq!(answer.status, status, "{named}: {answer:?}");
    }
}

/// What changes for an upstream changes for its kept connections too.
/// gp-connect 8.
#[tokio::test]
async fn a_kept_connection_does_not_outlive_a_revocation() {
    let region = Region::new();
    let shown = region.provider();
    let world = region.world(&shown, |_| {}, "").await;
    once_within(SOON, async || {
        assert_eq!(world.send(read(&world)).await.status, 200);
        region.revoke(&[&shown.certificate]);
        let counts = async || world.send(read(&world)).await.status == 502;
        let took = soon("the revocation counts", counts).await;
        region.revoke(&[]);
        soon("it is taken back", async || world.send(read(&world)).await.status == 200).await;
        took
    })
    .await;
}

/// A new certificate of our own, a new list and a new authority besides, while several callers send
/// one request after another: none fails.
/// gp-connect 8.
#[tokio::test(flavor = "multi_thread")]
async fn renewals_towards_a_provider_fail_no_request() {
    let region = Region::new();
    let world = Arc::new(region.world(&region.provider(), |_| {}, "").await);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = world.send(read(&world)).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let before = world.simulator.connections();
    let other = Authority::root("Other Providers").unwrap();
    let gone = region.provider();
    let changes: [(&str, &dyn Fn()); 3] = [
        ("certificate and key", &|| drop(region.show(&region.gateways))),
        ("a list", &|| region.revoke(&[&gone.certificate])),
        ("an authority and its list", &|| region.believe_also(&other)),
    ];
    let (mut renewed, mut all) = (0.0, Vec::new());
    for (name, change) in changes {
        change();
        let took = soon(name, async || {
            let page = Exposition::of(&world).await;
            let now = page.sum("tls_renewals_total", &[("result", "renewed")]);
            // Two files may be seen as two changes.
            std::mem::replace(&mut renewed, now) < now
        })
        .await;
        all.push(took);
        let before = answered.load(Ordering::Relaxed);
        soon("requests are answered", async || answered.load(Ordering::Relaxed) > before + 10)
            .await;
    }
    mostly_within(SOON, &all);
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(world.simulator.connections() > before, "new connections show the new certificate");
    let page = Exposition::of(&world).await;
    assert_eq!(page.sum("practice_requests_total", &[("result", "failed")]), 0.0);
}

/// The suites of TLS 1.2 that reach a provider which has no other, and those that do not: the engine
/// offers no Diffie-Hellman without curves, and what it offers without forward secrecy is refused.
/// gp-connect 8.
#[tokio::test]
async fn suites_towards_a_provider() {
    let region = Region::new();
    let order = Order { key: KeyKind::Rsa(2048), ..Order::new(PROVIDER) };
    let with_rsa = region.providers.issue(&order).unwrap();
    let on_curve = region.provider();
    for (shown, suite, refusal) in [
        (&with_rsa, "ECDHE-RSA-AES128-GCM-SHA256", None),
        (&with_rsa, "ECDHE-RSA-AES256-GCM-SHA384", None),
        (&with_rsa, "ECDHE-RSA-AES256-SHA384", None),
        (&on_curve, "ECDHE-ECDSA-AES128-GCM-SHA256", None),
        (&on_curve, "ECDHE-ECDSA-AES256-GCM-SHA384", None),
        (&with_rsa, "DHE-RSA-AES256-GCM-SHA384", Some("no suite in common")),
        (&with_rsa, "DHE-RSA-AES256-SHA", Some("no suite in common")),
        (&with_rsa, "ADH-AES256-GCM-SHA384", Some("no suite in common")),
        (&with_rsa, "NULL-SHA256", Some("no suite in common")),
        (&with_rsa, "AES256-SHA", Some("forward secrecy")),
        (&with_rsa, "AES128-GCM-SHA256", Some("forward secrecy")),
    ] {
        let change = |it: &mut SslContextBuilder| {
            it.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
            it.set_tmp_dh(&Dh::get_2048_256().unwrap()).unwrap();
            it.set_cipher_list(&format!("{suite}:@SECLEVEL=0")).unwrap();
        };
        let world = region.world(shown, change, "").await;
        let answer = world.send(read(&world)).await;
        match refusal {
            None => {
                assert_eq!(answer.status, 200, "{suite}: {answer:?}");
                assert_eq!(world.arrivals().len(), 1, "{suite}");
            }
            Some(why) => is_not_trusted(&world, &answer, why, suite).await,
        }
    }
}

/// Two upstreams at one address that believe different authorities: what one accepted serves only
/// itself.
/// gp-connect 8.
#[tokio::test]
async fn two_trust_domains_share_no_connection() {
    let region = Region::new();
    let stranger = Region::new();
    let world = region.world(&region.provider(), |_| {}, "").await;
    over_a_kept_one(&world).await;
    let address = world.simulator.local_addr();
    let second = format!(
        "\n[[upstream]]\nname = \"second\"\naddress = \"{address}\"\n{}",
        stranger.table("")
    );
    let mut added = second;
    let mut is_kept = false;
    for _ in 0..TURNS {
        over_a_kept_one(&world).await;
        world.gateway.reload("gateway.toml", |text| text + &added).await;
        added = "# nothing\n".to_owned();
        is_kept = is_kept || goes_over_a_kept_one(&world).await;
    }
    assert!(is_kept, "a reload that changes nothing keeps it");
    let moved = |text: String| text.replace("upstream = \"provider\"", "upstream = \"second\"");
    world.gateway.reload("practices.toml", moved).await;
    let answer = world.send(read(&world)).await;
    assert_eq!(answer.status, 502, "{answer:?}");
}
