//! What the process takes of its machine, read when metrics are asked for.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use nix::sys::resource::{UsageWho, getrusage};
use prometheus::{
    Counter, IntGauge, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::families::Refused;

/// The families of the process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    cpu: Counter,
    memory: IntGauge,
    threads: IntGauge,
    open_files: IntGauge,
    most_files: IntGauge,
    started: IntGauge,
}

impl Process {
    pub(super) fn new() -> Result<Self, Refused> {
        let started = IntGauge::new(
            "process_start_timestamp_seconds",
            "When the process started, in seconds since 1970 UTC.",
        )?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        started.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        Ok(Self {
            cpu: Counter::with_opts(Opts::new(
                "process_cpu_seconds_total",
                "CPU time of the process, its own and the system's for it.",
            ))?,
            memory: IntGauge::new("process_memory_bytes", "Memory that the process occupies.")?,
            threads: IntGauge::new("process_threads", "Threads of the process.")?,
            open_files: IntGauge::new("process_open_files", "Open files and connections.")?,
            most_files: IntGauge::new(
                "process_open_files_limit",
                "How many files and connections the system lets the process open.",
            )?,
            started,
        })
    }

    /// What can't be read stays as it was: a scrape must not fail by it.
    fn read(&self) {
        if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
            let seconds = [usage.user_time(), usage.system_time()].map(|time| {
                std::time::Duration::new(
                    u64::try_from(time.tv_sec()).unwrap_or_default(),
                    u32::try_from(time.tv_usec() * 1_000).unwrap_or_default(),
                )
            });
            let total = seconds.iter().sum::<std::time::Duration>().as_secs_f64();
            // A counter takes no less than nothing; two readers may meet here.
            self.cpu.inc_by((total - self.cpu.get()).max(0.0));
        }
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            let number = |name: &str| -> Option<i64> {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                line.trim().trim_end_matches(" kB").parse().ok()
            };
            number("VmRSS:").iter().for_each(|kilobytes| self.memory.set(kilobytes * 1_024));
            number("Threads:").iter().for_each(|count| self.threads.set(*count));
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            self.open_files.set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        }
        if let Ok((most, _)) = rlimit::Resource::NOFILE.get() {
            self.most_files.set(i64::try_from(most).unwrap_or(i64::MAX));
        }
    }

    fn gauges(&self) -> [&IntGauge; 5] {
        [&self.memory, &self.threads, &self.open_files, &self.most_files, &self.started]
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = self.gauges();
        self.cpu.desc().into_iter().chain(gauges.into_iter().flat_map(Collector::desc)).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read();
        let gauges = self.gauges();
        self.cpu
            .collect()
            .into_iter()
            .chain(gauges.into_iter().flat_map(Collector::collect))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_read_each_time() {
        let process = Process::new().unwrap();
        process.collect();
        let before = process.cpu.get();
        let mut sum = 0_u64;
        while process.cpu.get() <= before {
            (0..1_000_000_u64).for_each(|number| sum = std::hint::black_box(sum ^ number));
            process.collect();
        }
        for gauge in process.gauges() {
            assert!(gauge.get() > 0, "{gauge:?}");
        }
        assert!(process.memory.get() > 1_000_000, "in bytes");
        assert!(process.open_files.get() < process.most_files.get());
        assert!(process.started.get() > 1_700_000_000);
    }
}
