use std::collections::HashMap;

use bytes::Bytes;
use gpconnect::{
    caching::{Extent, Freshness, Lifetime},
    facts::Fields,
    interaction::InteractionId,
    rejection::Reason,
};
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;

use super::*;
use crate::telemetry::{LogSink, Metrics, Style};

const GENERATION: u64 = 1;

fn cache(bytes: usize) -> Arc<Cache> {
    let sink = LogSink::start(std::io::sink()).unwrap();
    let telemetry = Telemetry::new(Metrics::new().unwrap(), sink, Style::Json);
    Arc::new(Cache::new(bytes, GENERATION, Arc::new(telemetry)))
}

fn root(place: usize) -> ServiceRoot {
    format!("https://gp{place}.example/A20047/STU3/1/gpconnect").parse().unwrap()
}

fn question(id: InteractionId) -> Question {
    let request = if id == ORGANISATION { "Organization/17" } else { "metadata" };
    Question::of(id, request, &Fields::default()).unwrap()
}

const STATEMENT: InteractionId = InteractionId::ReadMetadata;
const ORGANISATION: InteractionId = InteractionId::ReadOrganization;

fn key(cache: &Cache, place: usize, id: InteractionId) -> Key {
    let provider = "918999198993".parse().unwrap();
    cache.key(&root(place), provider, question(id), GENERATION).unwrap()
}

fn minute() -> Lifetime {
    Lifetime::new(Duration::from_secs(60), Duration::from_secs(60), Duration::from_secs(60))
}

fn entry(body: impl Into<Bytes>) -> Entry {
    Entry::new(Kept::new(&HeaderMap::new(), body.into(), Extent::Full), minute(), Duration::ZERO)
}

fn body(entry: &Entry) -> Bytes {
    entry.kept().unwrap().body().clone()
}

fn lead(cache: &Arc<Cache>, key: &Key) -> (Lead, Waiter) {
    match cache.join(key, |_| false) {
        Turn::Lead(lead, waiter) => (lead, waiter),
        other @ (Turn::Found(_) | Turn::Wait(_)) => panic!("{other:?}"),
    }
}

fn landed(outcome: Outcome) -> Landed {
    Landed { outcome, tries: 1, upstream: None, reused: None }
}

/// gp-connect 13: dropped on a change of directory or switches, however late an answer comes.
#[test]
fn what_was_purged_is_not_found_again() {
    let (near, far) = (root(0), root(1));
    for (reach, others) in [
        (Reach::All, [false, false]),
        (Reach::Root(&near), [true, false]),
        (Reach::Interaction(STATEMENT), [false, true]),
        (Reach::Root(&far), [false, true]),
    ] {
        let is_reached = reach != Reach::Root(&far);
        for purged_first in [false, true] {
            let cache = cache(1 << 20);
            let before = key(&cache, 0, STATEMENT);
            let (call, _waiter) = lead(&cache, &before);
            let other_root = key(&cache, 1, STATEMENT);
            let other_id = key(&cache, 0, ORGANISATION);
            cache.keep(&other_root, Arc::new(entry("other root")));
            cache.keep(&other_id, Arc::new(entry("other interaction")));
            if !purged_first {
                call.keep(entry("old"));
            }
            let in_memory = [true, true, !purged_first];
            let stays = [others[0], others[1], !is_reached];
            let gone = in_memory.into_iter().zip(stays).filter(|(is, stays)| *is && !stays).count();
            let name = format!("{reach:?}, purged first: {purged_first}");
            assert_eq!(cache.purge(&[reach]), gone, "{name}");
            if purged_first {
                call.keep(entry("old"));
            }
            let now = key(&cache, 0, STATEMENT);
            assert_eq!(cache.find(&now).is_none(), is_reached, "{name}");
            // The old call is still under way, and is nobody's any more.
            let turn = cache.join(&now, |_| false);
            assert_eq!(matches!(turn, Turn::Lead(..)), is_reached, "{name}");
            if is_reached {
                cache.keep(&now, Arc::new(entry("new")));
                call.land(landed(Outcome::Alone));
                assert_eq!(
                    cache.find(&now).map(|entry| body(&entry)),
                    Some("new".into()),
                    "{name}"
                );
            }
            let found = |place, id| cache.find(&key(&cache, place, id)).is_some();
            assert_eq!([found(1, STATEMENT), found(0, ORGANISATION)], others, "{name}");
        }
    }
}

#[test]
fn a_request_of_an_older_snapshot_finds_and_begins_nothing() {
    let cache = cache(1 << 20);
    let provider = "918999198993".parse().unwrap();
    let key = |generation| cache.key(&root(0), provider, question(STATEMENT), generation);
    let before = key(1).unwrap();
    cache.keep(&before, Arc::new(entry("old")));
    cache.renew(2, &[]);
    assert!(key(1).is_none());
    assert!(cache.find(&key(2).unwrap()).is_some(), "what has not moved stays");
    cache.renew(3, &[Reach::Root(&root(0))]);
    assert!(key(2).is_none());
    assert!(cache.find(&key(3).unwrap()).is_none());
}

#[tokio::test]
async fn one_leads_and_all_hear_of_it() {
    let cache = cache(1 << 20);
    let key = key(&cache, 0, STATEMENT);
    let (call, own) = lead(&cache, &key);
    let waiters: Vec<_> = (0..100)
        .map(|_| match cache.join(&key, |_| true) {
            Turn::Wait(waiter) => waiter,
            other @ (Turn::Found(_) | Turn::Lead(..)) => panic!("{other:?}"),
        })
        .collect();
    let entry = call.keep(entry("answer"));
    call.land(landed(Outcome::Kept { entry, confirmed: false }));
    for waiter in waiters.into_iter().chain([own]) {
        let Outcome::Kept { entry, .. } = waiter.landed().await.unwrap().outcome else { panic!() };
        assert_eq!(body(&entry), "answer");
    }
    assert!(matches!(cache.join(&key, |_| true), Turn::Found(_)));
    assert!(matches!(cache.join(&key, |_| false), Turn::Lead(..)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_at_once_are_one_call() {
    const ASKING: usize = 10_000;
    let cache = cache(1 << 20);
    let key = key(&cache, 0, STATEMENT);
    let calls = Arc::new(AtomicU64::new(0));
    let everybody = Arc::new(tokio::sync::Barrier::new(ASKING));
    let asking: Vec<_> = (0..ASKING)
        .map(|_| {
            let (cache, key) = (Arc::clone(&cache), key.clone());
            let (calls, everybody) = (Arc::clone(&calls), Arc::clone(&everybody));
            tokio::spawn(async move {
                everybody.wait().await;
                if let Some(entry) = cache.find(&key) {
                    return body(&entry);
                }
                let waiter = match cache.join(&key, |_| true) {
                    Turn::Found(entry) => return body(&entry),
                    Turn::Wait(waiter) => waiter,
                    Turn::Lead(call, waiter) => {
                        calls.fetch_add(1, Ordering::SeqCst);
                        tokio::spawn(async move {
                            tokio::task::yield_now().await;
                            let entry = call.keep(entry("answer"));
                            call.land(landed(Outcome::Kept { entry, confirmed: false }));
                        });
                        waiter
                    }
                };
                let outcome = waiter.landed().await.unwrap().outcome;
                let Outcome::Kept { entry, .. } = outcome else { panic!("{outcome:?}") };
                body(&entry)
            })
        })
        .collect();
    for one in asking {
        assert_eq!(one.await.unwrap(), "answer");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// A failure is nobody's but theirs who waited for it.
#[tokio::test]
async fn a_failed_call_leaves_nothing_behind() {
    let cache = cache(1 << 20);
    let key = key(&cache, 0, STATEMENT);
    let (call, waiter) = lead(&cache, &key);
    call.land(landed(Outcome::Failed(Reason::AuditUnavailable)));
    assert!(matches!(waiter.landed().await.unwrap().outcome, Outcome::Failed(_)));
    assert!(cache.find(&key).is_none());
    assert!(matches!(cache.join(&key, |_| true), Turn::Lead(..)));
}

#[tokio::test]
async fn a_call_that_is_lost_holds_nobody_up() {
    let cache = cache(1 << 20);
    let key = key(&cache, 0, STATEMENT);
    let (call, waiter) = lead(&cache, &key);
    drop(call);
    assert!(waiter.landed().await.is_none());
    // Its end does not end the next one.
    let (next, waiter) = lead(&cache, &key);
    assert!(matches!(cache.join(&key, |_| true), Turn::Wait(_)));
    next.land(landed(Outcome::Alone));
    assert!(waiter.landed().await.is_some());
}

#[test]
fn memory_is_bounded_by_bytes() {
    const MOST: usize = 100_000;
    let cache = cache(MOST);
    for place in 0..500 {
        let key = key(&cache, place, STATEMENT);
        cache.keep(&key, Arc::new(entry(vec![0; 1_000])));
    }
    let one = key(&cache, 1_000, STATEMENT);
    cache.keep(&one, Arc::new(entry(vec![0; MOST])));
    cache.entries.run_pending_tasks();
    let metrics = &cache.telemetry.metrics.cache;
    let (bytes, entries) = (metrics.bytes.get(), metrics.entries.get());
    assert!(bytes > 50_000 && bytes <= 100_000, "{bytes}");
    assert_eq!(u64::try_from(bytes).unwrap(), cache.entries.weighted_size());
    assert_eq!(u64::try_from(entries).unwrap(), cache.entries.entry_count());
    assert!(metrics.evicted.get() > 400);
    assert!(cache.find(&one).is_none(), "larger than all the room");
    cache.purge(&[Reach::All]);
    cache.entries.run_pending_tasks();
    assert_eq!((metrics.bytes.get(), metrics.entries.get()), (0, 0));
}

#[test]
fn replacing_an_answer_counts_it_once() {
    let cache = cache(1 << 20);
    let key = key(&cache, 0, STATEMENT);
    for length in [10, 1_000, 100] {
        cache.keep(&key, Arc::new(entry(vec![0; length])));
    }
    cache.entries.run_pending_tasks();
    let metrics = &cache.telemetry.metrics.cache;
    assert_eq!(metrics.entries.get(), 1);
    assert_eq!(u64::try_from(metrics.bytes.get()).unwrap(), cache.entries.weighted_size());
    assert_eq!(metrics.evicted.get(), 0);
}

/// gp-connect 4.3: the tag is kept.
#[test]
fn only_what_describes_an_answer_is_kept_of_its_headers() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/fhir+json"),
        (header::ETAG, "W/\"1\""),
        (header::SERVER, "x"),
        (header::SET_COOKIE, "a=b"),
        (header::CACHE_CONTROL, "max-age=9"),
        (header::CONNECTION, "close"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("ssp-traceid", HeaderValue::from_static("another's"));
    let kept = Kept::new(&headers, "body".into(), Extent::Full);
    let names: Vec<_> = kept.headers().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "etag"]);
    assert_eq!(kept.tag(), Some("W/\"1\""));
    let mut news = HeaderMap::new();
    news.insert(header::ETAG, HeaderValue::from_static("\"1\""));
    news.insert(header::SERVER, HeaderValue::from_static("y"));
    let confirmed = kept.confirmed(&news);
    assert_eq!((confirmed.tag(), confirmed.body().as_ref()), (Some("\"1\""), b"body".as_slice()));
    assert_eq!(confirmed.headers().len(), 2);
}

#[test]
fn an_answer_is_as_old_as_it_says() {
    let kept = Kept::new(&HeaderMap::new(), Bytes::new(), Extent::Full);
    let entry = Entry::new(kept, minute(), Duration::from_secs(61));
    assert_eq!(entry.freshness(), Freshness::Stale);
    assert!(entry.age() >= Duration::from_secs(61) && entry.left() < 0);
}

#[derive(Clone, Debug)]
enum Step {
    Begin(usize),
    Land(usize),
    PurgeRoot(usize),
    PurgeAll,
    PurgeStatements,
    Look(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3_usize).prop_map(Step::Begin),
        (0..3_usize).prop_map(Step::Land),
        (0..3_usize).prop_map(Step::PurgeRoot),
        Just(Step::PurgeAll),
        Just(Step::PurgeStatements),
        (0..3_usize).prop_map(Step::Look),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In whatever order calls begin and end, and purges and look-ups come between: an answer that
    /// is found was asked for after the last purge that reaches it.
    #[test]
    fn nothing_that_is_found_was_asked_for_before_a_purge(steps in steps()) {
        let cache = cache(1 << 20);
        let mut under_way = HashMap::<usize, Vec<(usize, Lead)>>::new();
        let mut purged = [0; 3];
        for (now, step) in steps.into_iter().enumerate() {
            match step {
                Step::Begin(place) => {
                    if let Turn::Lead(lead, _) = cache.join(&key(&cache, place, STATEMENT), |_| false) {
                        under_way.entry(place).or_default().push((now, lead));
                    }
                }
                Step::Land(place) => {
                    if let Some((began, lead)) = under_way.get_mut(&place).and_then(Vec::pop) {
                        let entry = lead.keep(entry(began.to_string()));
                        lead.land(landed(Outcome::Kept { entry, confirmed: false }));
                    }
                }
                Step::PurgeRoot(place) => {
                    cache.purge(&[Reach::Root(&root(place))]);
                    purged[place] = now;
                }
                Step::PurgeAll | Step::PurgeStatements => {
                    let all = matches!(step, Step::PurgeAll);
                    cache.purge(&[if all { Reach::All } else { Reach::Interaction(STATEMENT) }]);
                    purged = [now; 3];
                }
                Step::Look(place) => {
                    if let Some(found) = cache.find(&key(&cache, place, STATEMENT)) {
                        let body = String::from_utf8(body(&found).to_vec()).unwrap();
                        let began: usize = body.parse().unwrap();
                        prop_assert!(began >= purged[place], "{began} before {}", purged[place]);
                    }
                }
            }
        }
    }
}

/// Without anybody asking only that is asked for anew which a consumer has got and may get stale.
#[test]
fn an_answer_is_due_that_is_wanted_and_ageing() {
    let entry = |extent, age: u64| {
        let kept = Kept::new(&HeaderMap::new(), "x".into(), extent);
        Entry::new(kept, minute(), Duration::from_secs(age))
    };
    for (name, entry, is_given, expected) in [
        ("young", entry(Extent::Full, 40), true, false),
        ("in its last fifth", entry(Extent::Full, 50), true, true),
        ("stale", entry(Extent::Full, 61), true, true),
        ("nobody got it", entry(Extent::Full, 50), false, false),
        ("it says that there is nothing", entry(Extent::Nothing, 50), true, false),
        ("too large", Entry::too_large(minute()), true, false),
    ] {
        if is_given {
            entry.give();
        }
        assert_eq!(entry.is_due(), expected, "{name}");
        let newer = Entry::new(
            Kept::new(&HeaderMap::new(), "x".into(), Extent::Full),
            minute(),
            Duration::from_secs(50),
        );
        assert_eq!(newer.in_place_of(Some(&entry)).is_due(), is_given, "{name}: wanted as much");
    }
}
