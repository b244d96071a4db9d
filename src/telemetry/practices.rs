//! The narrow families: those that carry every registered practice. With ten thousand of them they are nearly
//! all of the page. So they are written from what is held of each practice; to gather them as the others are
//! would copy each label of each series for every scrape.

use std::{cmp::Ordering, sync::Arc};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use gpconnect::{names::OdsCode, policy::PracticeIndex};
use hashbrown::HashMap;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use super::{
    families::Refused,
    record::{Record, Result as Verdict},
    registered::{InUse, Labels, keep},
};

const REQUESTS: Family = Family {
    name: "gpconnect_gateway_practice_requests_total",
    help: "Requests by practice and result: good, slow, refused, provider_error, failed.",
    kind: "counter",
};
const UP: Family = Family {
    name: "gpconnect_gateway_practice_up",
    help: "0 while the last request that was sent to a practice found no working system; 1 otherwise.",
    kind: "gauge",
};
const INFO: Family = Family {
    name: "gpconnect_gateway_practice_info",
    help: "The name of each registered practice and the upstream that it is reached by; always 1.",
    kind: "gauge",
};

struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
}

/// The series of one practice.
#[derive(Debug)]
struct Practice {
    /// One a [`Verdict`].
    counters: [IntCounter; Verdict::ALL.len()],
    up: IntGauge,
    code: OdsCode,
    /// The labels of its name, as they are written.
    info: Box<str>,
}

/// The series of all practices of one snapshot, so that counting costs an index and not a look-up.
#[derive(Debug, Default)]
struct Practices {
    generation: u64,
    series: Arc<[Practice]>,
    /// For requests that an older snapshot decided, in which a practice had another place.
    places: Arc<HashMap<OdsCode, usize, RandomState>>,
}

/// The families of practices. None is in the registry.
#[derive(Debug)]
pub(super) struct PracticeMetrics {
    requests: IntCounterVec,
    up: IntGaugeVec,
    current: ArcSwap<Practices>,
}

impl PracticeMetrics {
    pub(super) fn new() -> Result<Self, Refused> {
        let labels = ["practice", "result"];
        Ok(Self {
            requests: IntCounterVec::new(Opts::new(REQUESTS.name, REQUESTS.help), &labels)?,
            up: IntGaugeVec::new(Opts::new(UP.name, UP.help), &["practice"])?,
            current: ArcSwap::default(),
        })
    }

    /// Takes note of a snapshot: its practices get their series, those that are gone lose theirs.
    pub(super) fn show(&self, new: &InUse<'_>) {
        let old = self.current.load();
        let series = |practice: &gpconnect::policy::Practice| {
            let code = practice.ods_code;
            let up = self.up.with_label_values(&[code.as_str()]);
            if !old.places.contains_key(&code) {
                up.set(1);
            }
            let counter = |verdict: Verdict| {
                self.requests.with_label_values(&[code.as_str(), verdict.as_str()])
            };
            let (name, upstream) = (escaped(&practice.name), escaped(new.upstream(practice)));
            let info =
                format!("name=\"{name}\",practice=\"{code}\",upstream=\"{upstream}\"").into();
            Practice { counters: Verdict::ALL.map(counter), up, code, info }
        };
        let practices = new.policy.practices();
        let practices = Practices {
            generation: new.generation,
            series: practices.iter().map(series).collect(),
            places: Arc::new(practices.iter().map(|it| it.ods_code).zip(0..).collect()),
        };
        let is_known = |labels: &Labels<'_>| {
            let code = labels.of("practice").parse();
            code.is_ok_and(|code: OdsCode| practices.places.contains_key(&code))
        };
        keep(&self.requests, is_known);
        keep(&self.up, is_known);
        self.current.store(Arc::new(practices));
    }

    /// Takes note of a snapshot with the practices of the one before.
    pub(super) fn switched(&self, generation: u64) {
        let Practices { series, places, .. } = &**self.current.load();
        let (series, places) = (Arc::clone(series), Arc::clone(places));
        self.current.store(Arc::new(Practices { generation, series, places }));
    }

    /// Counts a finished request of a practice.
    pub(super) fn count(
        &self,
        (PracticeIndex(index), code): (PracticeIndex, OdsCode),
        record: &Record<'_>,
    ) {
        let practices = self.current.load();
        let place = match record.generation.cmp(&practices.generation) {
            Ordering::Equal => Some(index as usize),
            // One that is gone since must not get a series again.
            Ordering::Less => practices.places.get(&code).copied(),
            Ordering::Greater => None,
        };
        let verdict = record.result();
        let series = place.and_then(|place| practices.series.get(place));
        if let Some(series) = series {
            series.counters.get(verdict as usize).into_iter().for_each(IntCounter::inc);
            record.finds_practice_up().iter().for_each(|up| series.up.set((*up).into()));
        } else if record.generation > practices.generation {
            // The snapshot is in use a moment before its practices get their series.
            self.requests.with_label_values(&[code.as_str(), verdict.as_str()]).inc();
        }
    }

    /// Writes all of it in the text format of Prometheus.
    pub(super) fn write(&self, page: &mut Vec<u8>) {
        let practices = self.current.load();
        REQUESTS.begin(page);
        for practice in practices.series.iter() {
            for (verdict, counter) in Verdict::ALL.into_iter().zip(&practice.counters) {
                let code = practice.code.as_str();
                let labels = ["practice=\"", code, "\",result=\"", verdict.as_str(), "\""];
                REQUESTS.line(page, &labels, counter.get());
            }
        }
        UP.begin(page);
        for practice in practices.series.iter() {
            let labels = ["practice=\"", practice.code.as_str(), "\""];
            UP.line(page, &labels, practice.up.get());
        }
        INFO.begin(page);
        practices.series.iter().for_each(|practice| INFO.line(page, &[&practice.info], 1));
    }
}

impl Family {
    fn begin(&self, page: &mut Vec<u8>) {
        let Self { name, help, kind } = self;
        page.extend_from_slice(format!("# HELP {name} {help}\n# TYPE {name} {kind}\n").as_bytes());
    }

    fn line(&self, page: &mut Vec<u8>, labels: &[&str], value: impl itoa::Integer) {
        page.extend_from_slice(self.name.as_bytes());
        page.push(b'{');
        labels.iter().for_each(|part| page.extend_from_slice(part.as_bytes()));
        page.extend_from_slice(b"} ");
        page.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        page.push(b'\n');
    }
}

/// The value of a label as the text format has it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use gpconnect::{
        Policy,
        interaction::InteractionSet,
        policy::{Enablement, Endpoints},
    };

    use super::*;
    use crate::telemetry::registered;

    /// As the library writes families that it gathers.
    #[test]
    fn a_page_of_practices() {
        let practice = |code: &str, name: &str| gpconnect::policy::Practice {
            ods_code: code.parse().unwrap(),
            name: name.into(),
            endpoints: Endpoints::default(),
            enablement: Enablement::default(),
        };
        let practices =
            vec![practice("A20047", "The \"Avenue\" \\ Surgery\n"), practice("B82617", "")];
        let policy = Policy::new(practices, vec![], [], InteractionSet::default());
        let metrics = PracticeMetrics::new().unwrap();
        metrics.show(&registered::example(1, &policy));
        let mut page = Vec::new();
        metrics.write(&mut page);
        let page = String::from_utf8(page).unwrap();
        let lines: Vec<_> = page.lines().collect();
        assert_eq!(lines.len(), 3 * 2 + 2 * Verdict::ALL.len() + 2 + 2);
        for line in [
            "# TYPE gpconnect_gateway_practice_requests_total counter",
            "gpconnect_gateway_practice_requests_total{practice=\"A20047\",result=\"good\"} 0",
            "gpconnect_gateway_practice_up{practice=\"B82617\"} 1",
            r#"gpconnect_gateway_practice_info{name="The \"Avenue\" \\ Surgery\n",practice="A20047",upstream=""} 1"#,
        ] {
            assert!(lines.contains(&line), "{line} in {page}");
        }
    }
}
