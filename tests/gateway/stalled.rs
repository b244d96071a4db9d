//! What it costs the gateway to rewrite links within gzip for consumers that stop reading: 256 kB a
//! request beyond what the engine takes for the same answer as it is. And when they read on, each
//! gets the whole of it.
//!
//! Both kinds of consumers stand at one gateway at once, so that no memory is counted for one kind
//! that the other has given back. What is measured is the memory that is no file's.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::exposition::Exposition;
use crate::harness::call::root;
use crate::harness::interactions::READ_PATIENT;
use crate::harness::{Connection, HOST, Mode, Plan, Provider, World, say};

/// Of each kind.
const CONSUMERS: usize = 100;
/// What rewriting may take for each.
const MOST: usize = 256_000;
/// What else may have grown meanwhile, for each: a tenth.
const NOISE: usize = MOST / 10;
/// The answer as it is written: far more, also compressed, than engine and sockets hold of it.
const LONG: usize = 12_000_000;
const PIECE: usize = 16 << 10;
/// Read before a consumer stops.
const BEGINNING: usize = 64 << 10;

/// Nothing here is late: how long it takes is the machine's affair.
const PATIENCE: &str = "[timeouts]\nconnect = \"1m\"\nquery = \"10m\"\nconsumer_stall = \"10m\"\n\
                        idle = \"10m\"\nexchange = \"1h\"\n";

/// Statements as a record has them: keys and codes that repeat, ids and words that don't. The provider
/// compresses them better than the gateway does, so that more leaves than came.
fn bundle(root: &str) -> String {
    const WORDS: [&str; 8] = ["seen", "in", "surgery", "no", "change", "since", "last", "visit"];
    let mut random = 88_172_645_463_325_252_u64;
    let mut draw = |bits: u32| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> (64 - bits)).unwrap()
    };
    let mut text = String::from("{\"resourceType\":\"Bundle\",\"entry\":[");
    for number in 0.. {
        let [version, request, medication] = [(); 3].map(|()| draw(60));
        let (month, day) = (draw(3) + 1, draw(4) + 10);
        let words = (0..16).map(|_| WORDS[draw(3)]).collect::<Vec<_>>().join(" ");
        text.push_str(&format!(
            "{{\"fullUrl\":\"{root}/MedicationStatement/{number}\",\"resource\":{{\
             \"resourceType\":\"MedicationStatement\",\"id\":\"{number}\",\"meta\":{{\
             \"versionId\":\"{version:016x}\",\"profile\":[\"https://fhir.nhs.uk/STU3/\
             StructureDefinition/CareConnect-GPC-MedicationStatement-1\"]}},\"basedOn\":[{{\
             \"reference\":\"MedicationRequest/{request:016x}\"}}],\"status\":\"completed\",\
             \"medicationReference\":{{\"reference\":\"{root}/Medication/{medication:016x}\"}},\
             \"effectivePeriod\":{{\"start\":\"2026-0{month}-{day}\"}},\"subject\":{{\"reference\":\
             \"Patient/2\"}},\"taken\":\"unk\",\"note\":[{{\"text\":\"{words}\"}}]}}}}"
        ));
        if text.len() >= LONG {
            break;
        }
        text.push(',');
    }
    text + "]}"
}

fn packed(body: &str) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(body.as_bytes()).unwrap();
    gzip.finish().unwrap().into()
}

/// A body that was made long before, and lets others run before each of its pieces.
struct Paced {
    left: Bytes,
    is_due: bool,
    asked: Arc<AtomicUsize>,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.is_due = !self.is_due;
        if self.is_due {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let length = self.left.len().min(PIECE);
        let piece = self.left.split_to(length);
        self.asked.fetch_add(length, Ordering::Relaxed);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// Takes what it expects and nothing else.
struct Expected {
    text: Bytes,
    taken: usize,
}

impl Write for Expected {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let end = self.taken + part.len();
        // Not compared by a macro that would print megabytes.
        assert!(self.text.get(self.taken..end) == Some(part), "another body behind {}", self.taken);
        self.taken = end;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a body is held against as it comes.
enum Check {
    AsItIs(Expected),
    Opened(Box<GzDecoder<Expected>>),
}

/// A consumer in the middle of its answer.
struct Reader {
    body: Incoming,
    check: Check,
    read: usize,
}

impl Reader {
    /// Reads that much, or to the end.
    async fn read(&mut self, most: usize) {
        while self.read < most {
            let Some(frame) = self.body.frame().await else { return };
            let part = frame.unwrap().into_data().unwrap_or_default();
            self.read += part.len();
            match &mut self.check {
                Check::AsItIs(expected) => expected.write_all(&part).unwrap(),
                Check::Opened(gzip) => gzip.write_all(&part).unwrap(),
            }
        }
    }

    async fn read_on(mut self) {
        self.read(usize::MAX).await;
        let expected = match self.check {
            Check::AsItIs(expected) => expected,
            Check::Opened(gzip) => gzip.finish().unwrap(),
        };
        assert_eq!(expected.taken, expected.text.len(), "the whole body");
    }
}

/// A gateway before a provider with one long answer.
struct Stage {
    world: World,
    /// The answer, as both kinds of consumers are to get it.
    packed: Bytes,
    linked: Bytes,
    /// How much of it the provider has been asked for.
    asked: Arc<AtomicUsize>,
    _provider: Provider,
}

impl Stage {
    async fn start() -> Self {
        let estate = Plan::default().estate();
        let root = root(&estate.practices()[0], &READ_PATIENT);
        let body = bundle(root);
        let (_, path) = root.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let linked = body.replace(root, &format!("http://{HOST}/{path}")).into();
        let packed = packed(&body);
        let (asked, left) = (Arc::<AtomicUsize>::default(), packed.clone());
        let counter = Arc::clone(&asked);
        let provider = Provider::start(move |_: &Request<()>| {
            let body = Paced { left: left.clone(), is_due: false, asked: Arc::clone(&counter) };
            let answer = Response::builder()
                .header("Content-Type", "application/fhir+json")
                .header("Content-Encoding", "gzip");
            answer.body(body.boxed_unsync()).unwrap()
        })
        .await;
        let world = World::start(|plan| {
            plan.upstream = Some(provider.address);
            plan.settings = PATIENCE.into();
            // What is given back goes back at once: else it is chance how much the allocator keeps.
            plan.environment.push(("MIMALLOC_PURGE_DELAY".into(), "0".into()));
        })
        .await;
        Self { world, packed, linked, asked, _provider: provider }
    }

    async fn begin(&self, mode: Mode) -> Reader {
        let call = self.world.call(mode, &READ_PATIENT, "Patient/1");
        let mut connection = Connection::over(narrow(self.world.address(mode))).await;
        let answer = connection.begin(call.with("Accept-Encoding", "gzip")).await;
        assert_eq!(answer.status(), 200);
        let text = if mode == Mode::Assist { &self.linked } else { &self.packed };
        let expected = Expected { text: text.clone(), taken: 0 };
        let check = match mode {
            Mode::Transparent => Check::AsItIs(expected),
            Mode::Assist => Check::Opened(GzDecoder::new(expected).into()),
        };
        Reader { body: answer.into_body(), check, read: 0 }
    }

    /// So many more consumers of that kind stop reading: what the gateway's memory grows by.
    async fn stop_reading(&self, mode: Mode, stopped: &mut Vec<Reader>) -> usize {
        // What each thread has once.
        for _ in 0..10 {
            self.begin(mode).await.read_on().await;
        }
        self.stand_still().await;
        let memory = self.world.gateway.memory();
        for _ in 0..CONSUMERS {
            let mut reader = self.begin(mode).await;
            reader.read(BEGINNING).await;
            stopped.push(reader);
        }
        self.stand_still().await;
        let page = Exposition::of(&self.world).await;
        let carried = page.sum("requests_in_flight", &[]);
        let expected = stopped.len() as f64;
        assert!((carried - expected).abs() < 0.5, "{carried} of {expected} in the middle");
        self.world.gateway.memory().saturating_sub(memory)
    }

    /// Waits until the gateway has nothing to do: nothing is asked of the provider, and a second goes by
    /// in which it works for less than a tenth.
    async fn stand_still(&self) {
        const TENTH: u64 = 10;
        let now = || (self.asked.load(Ordering::Relaxed), self.world.gateway.ticks());
        let mut before = now();
        // Ten minutes: far longer than any machine needs.
        for _ in 0..600 {
            sleep(Duration::from_secs(1)).await;
            let after = now();
            if after.0 == before.0 && after.1 - before.1 < TENTH {
                return;
            }
            before = after;
        }
        panic!("it goes on working though nobody reads");
    }
}

/// A connection whose sockets hold little: a large segment would have the system give the other end
/// megabytes for what nobody reads.
fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.set_tcp_mss(1_448).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    TcpStream::from_std(socket.into()).unwrap()
}

/// gp-connect 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_within_gzip_cost_a_stalled_consumer_little() {
    let stage = Stage::start().await;
    let mut stopped = Vec::new();
    let as_it_is = stage.stop_reading(Mode::Transparent, &mut stopped).await / CONSUMERS;
    let rewritten = stage.stop_reading(Mode::Assist, &mut stopped).await / CONSUMERS;
    let figures = format!("{rewritten} bytes a request with links, {as_it_is} without");
    say(&figures);
    assert!(rewritten < as_it_is + MOST + NOISE, "{figures}");
    let mut reading: JoinSet<_> = stopped.into_iter().map(Reader::read_on).collect();
    while let Some(read) = reading.join_next().await {
        read.unwrap();
    }
}
