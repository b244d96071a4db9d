//! How fast a big journal is indexed and searched.

use std::time::{Duration, Instant};

use super::{
    super::*,
    made::{self, Estate, Made},
};
use crate::audit::keys::Subject;

/// A region: 1,000 practices, a million accesses in some days.
const REGION: Estate = Estate {
    practices: 1_000,
    consumers: 40,
    patients: 100_000,
    users: 20_000,
    pace: Duration::from_millis(100),
};

/// Issue-sized figures: 100,000 records a second into the index; by patient, user or trace id in
/// 200 ms, by day and practice in a second. `AUDIT_RECORDS` says how many (a million).
#[test]
#[ignore = "measures: run with --release --ignored, alone"]
#[expect(clippy::print_stderr, reason = "its figures are for people")]
fn a_big_journal_is_searched_in_time() {
    let records = std::env::var("AUDIT_RECORDS").ok().and_then(|text| text.parse().ok());
    let records: u64 = records.unwrap_or(1_000_000);
    let mut made = Made::new(64 << 20, REGION, 1);
    let begun = Instant::now();
    made.requests(records / 2 + records / 40);
    made.flush();
    eprintln!("made {} records in {:.1?}", made.records, begun.elapsed());

    let begun = Instant::now();
    let bring = || Index::bring(&made.index(), made.folder(), Duration::ZERO);
    let Brought { index, caught, fault } = bring();
    let took = begun.elapsed();
    assert!(fault.is_none(), "{fault:?}");
    drop(index);
    let rate = caught.records as f64 / took.as_secs_f64();
    let bytes = std::fs::metadata(made.index().join("index.redb")).unwrap().len();
    let each = bytes / caught.records;
    eprintln!("indexed {} records in {took:.1?}: {rate:.0}/s, {each} bytes each", caught.records);
    assert!(rate >= 100_000.0, "{rate:.0} records a second");

    let day = |day: u64| {
        let at = i64::try_from(made::FIRST.as_secs() + day * 86_400).unwrap();
        jiff::Timestamp::from_second(at).unwrap().to_string()
    };
    let (patient, trace) = made.last.clone().unwrap();
    let number = made.hash(Subject::NhsNumber, &made::number(patient));
    let user = made.hash(Subject::User, &made::user(77));
    let one = |member, value: &str| {
        let mut query = Query::default();
        query.ask(member, value);
        query
    };
    let mut practice = one(Member::Practice, &made::practice(77));
    practice.between(Some(&day(0)), Some(&day(1)));
    let mut both = one(Member::Practice, &made::practice(77));
    both.ask(Member::Fault, "upstream_timeout");
    for (name, query, most) in [
        ("by patient", Query::default(), 200),
        ("by user", one(Member::User, &user), 200),
        ("by trace id", one(Member::TraceId, &trace), 200),
        ("by day and practice", practice, 1_000),
        ("by practice and fault", both, 1_000),
    ] {
        let begun = Instant::now();
        let index = bring().index;
        let opened = begun.elapsed();
        let mut query = query;
        if name == "by patient" {
            let ids = resources_of(made.folder(), index.as_ref(), &number).unwrap().0;
            let id = made.hash(Subject::Resource, &made::resource(patient, REGION.practices));
            query.ask_patient(&number, ids.into_iter().chain([id]));
        }
        let mut count = 0;
        walk(made.folder(), index.as_ref(), &query, &mut |_, _| {
            count += 1;
            Ok(true)
        })
        .unwrap();
        let took = begun.elapsed();
        eprintln!("{name}: {count} found in {took:.1?}, {opened:.1?} of it to open the index");
        assert!(count > 0 && took < Duration::from_millis(most), "{name}: {count} in {took:?}");
    }
}
