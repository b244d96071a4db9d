//! The gateway's memory does not grow with what passes through it.
//!
//! What is measured is the most memory that the process ever had (`VmHWM`): after a warm-up with
//! small answers, and again after the large ones. Buffers and what the allocator keeps for later
//! take 4 to 21 MB, a level that is reached within some hundred answers and not left again (tried
//! with 1,000). Bodies that were held would take 60 MB at the least. The bound stands between.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::interactions::READ_PATIENT;
use crate::harness::{Connection, Mode, Provider, World};

const MEGABYTE: usize = 1 << 20;
/// About as much as the largest structured records.
const RECORD: usize = 3 * MEGABYTE;
/// Far more than the sockets of two connections hold.
const HUGE: usize = 192 * MEGABYTE;
const BOUND: usize = 40 * MEGABYTE;
const PIECE: usize = 16 << 10;

/// A body of one piece over and over that counts what is asked of it.
struct Repeated {
    piece: Bytes,
    left: usize,
    asked: Arc<AtomicUsize>,
}

impl Body for Repeated {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.piece.slice(..self.left.min(self.piece.len()));
        self.left -= piece.len();
        self.asked.fetch_add(piece.len(), Ordering::Relaxed);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

/// A warm gateway before a provider that serves `.../Patient/{length}` with so many bytes.
struct Warm {
    world: World,
    mode: Mode,
    accepts: &'static str,
    asked: Arc<AtomicUsize>,
    before: usize,
    _provider: Provider,
}

impl Warm {
    async fn start() -> Self {
        Self::over(Mode::Transparent, "identity", |_| vec![0; PIECE]).await
    }

    /// For a consumer in that mode who accepts that coding. The body is made of the service root.
    async fn over(
        mode: Mode,
        accepts: &'static str,
        piece: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&asked);
        let provider = Provider::start(move |request: &http::Request<()>| {
            let (before, length) = request.uri().path().rsplit_once("/Patient/").unwrap();
            let host = request.headers()["host"].to_str().unwrap();
            let piece = piece(&format!("https://{host}{before}")).into();
            let left = length.parse().unwrap();
            let body = Repeated { piece, left, asked: Arc::clone(&counter) };
            let answer = Response::builder().header("Content-Type", "application/fhir+json");
            answer.body(body.boxed_unsync()).unwrap()
        })
        .await;
        let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
        let mut warm = Self { world, mode, accepts, asked, before: 0, _provider: provider };
        let mut begun = Vec::new();
        for _ in 0..20 {
            begun.push(warm.begin(2_000).await);
        }
        let mut reading: JoinSet<usize> = begun.into_iter().map(read).collect();
        while let Some(read) = reading.join_next().await {
            assert!(read.unwrap() > 0);
        }
        for _ in 0..100 {
            assert!(read(warm.begin(2_000).await).await > 0);
        }
        warm.before = warm.world.gateway.peak_memory();
        warm
    }

    async fn begin(&self, length: usize) -> Incoming {
        let path = format!("Patient/{length}");
        let call = self.world.call(self.mode, &READ_PATIENT, &path);
        let mut connection = Connection::open(self.world.address(self.mode)).await;
        let answer = connection.begin(call.with("Accept-Encoding", self.accepts)).await;
        assert_eq!(answer.status(), 200);
        answer.into_body()
    }

    async fn fetch(&self, length: usize) {
        assert_eq!(read(self.begin(length).await).await, length);
    }

    async fn fetch_in_parallel(&self, consumers: usize, length: usize) {
        let mut begun = Vec::new();
        for _ in 0..consumers {
            begun.push(self.begin(length).await);
        }
        let mut reading: JoinSet<usize> = begun.into_iter().map(read).collect();
        while let Some(read) = reading.join_next().await {
            assert_eq!(read.unwrap(), length);
        }
    }

    fn check_growth(&self) {
        let growth = self.world.gateway.peak_memory() - self.before;
        assert!(growth < BOUND, "the gateway grew by {growth} bytes");
    }
}

/// Reads a body away and tells its length.
async fn read(mut body: Incoming) -> usize {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    length
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_one_after_another_leave_nothing_behind() {
    let warm = Warm::start().await;
    for _ in 0..200 {
        warm.fetch(RECORD).await;
    }
    warm.check_growth(); // kept, they would take 600 MB
}

/// gp-connect 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_at_once_take_buffers_and_no_more() {
    let warm = Warm::start().await;
    warm.fetch_in_parallel(20, RECORD).await;
    warm.check_growth(); // held, they would take 60 MB
}

/// gp-connect 4.3 and 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_answer_streams() {
    let warm = Warm::start().await;
    warm.fetch(HUGE).await;
    warm.check_growth(); // held, it would take 192 MB
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_that_stop_reading_stop_their_providers() {
    const CONSUMERS: usize = 10;
    let warm = Warm::start().await;
    warm.asked.store(0, Ordering::Relaxed);
    let mut stopped = Vec::new();
    for _ in 0..CONSUMERS {
        stopped.push(warm.begin(HUGE).await);
    }
    // Until nothing moves any more. A pause that only looks like the end makes this test weaker,
    // not wrong.
    let mut before = usize::MAX;
    while before != warm.asked.load(Ordering::Relaxed) {
        before = warm.asked.load(Ordering::Relaxed);
        sleep(Duration::from_millis(300)).await;
    }
    assert!(before < CONSUMERS * HUGE / 4, "{before} bytes for consumers that do not read");
    warm.check_growth(); // held, they would take 1.9 GB
    assert_eq!(read(stopped.remove(0)).await, HUGE, "and go on when they do");
}

/// What is rewritten on its way, and compressed, takes no more: of a link only its beginning is held.
/// gp-connect 6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_answer_streams_while_its_links_are_rewritten() {
    const LONG: usize = 64 * MEGABYTE;
    for accepts in ["identity", "gzip"] {
        let links = |root: &str| {
            let link = format!("{{\"fullUrl\":\"{root}/Patient/1\",\"text\":\"words\"}},\n");
            link.repeat(PIECE / link.len()).into_bytes()
        };
        let warm = Warm::over(Mode::Assist, accepts, links).await;
        let length = read(warm.begin(LONG).await).await;
        if accepts == "gzip" {
            assert!(length < LONG / 20, "{length}: compressed");
        } else {
            assert_ne!(length, LONG, "links have another length");
        }
        warm.check_growth(); // held, it would take 64 MB
    }
}
