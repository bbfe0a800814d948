//! Metrics in the Prometheus text format 0.0.4 and in OpenMetrics 1.0.

use crate::domain::notice::State;
use crate::domain::registry::Counts;
use crate::domain::time::Wall;
use std::fmt::Write;

/// The content type of the one.
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The content type of the other.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is shown; label values are our own words and need no escaping.
pub struct Input<'a> {
    /// Our version.
    pub version: &'a str,
    /// Beats by transport and result.
    pub beats: &'a [(&'static str, &'static str, u64)],
    /// Beats of the fast path.
    pub fast_path_beats: u64,
    /// Changes of state, by [`State::ALL`].
    pub transitions: [u64; State::ALL.len()],
    /// Connections by transport.
    pub connections: &'a [(&'static str, u64)],
    /// Connections turned away, by reason.
    pub refused: &'a [(&'static str, u64)],
    /// Tokens shown that nobody knows.
    pub wrong_tokens: u64,
    /// Monitors by state.
    pub counts: Counts,
    /// Log lines lost.
    pub log_lines_dropped: u64,
    /// From a deadline to the moment at which it was found to have passed.
    pub detection_delay: Histogram<'a>,
    /// Changes of state that nobody was told of.
    pub muted_changes: u64,
    /// Beats that are known and were not kept.
    pub beats_unstored: u64,
    /// Bytes in the journal.
    pub journal_bytes: u64,
    /// Age of the oldest beat that a power cut would lose, in seconds.
    pub unsynced_s: f64,
    /// How many times the governor stretches intervals.
    pub governor_stretch: f64,
    /// Tries to tell somebody, by notifier and result. A notifier's name needs no escaping.
    pub alerts: &'a [(&'a str, &'static str, u64)],
    /// Alerts that are to be told.
    pub alerts_pending: u64,
    /// The process, where the system tells.
    pub process: ProcessMetrics,
    /// When the daemon started.
    pub started: Wall,
}

/// How often something took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Histogram<'a> {
    /// Upper bounds in seconds, rising, and how many lie within each and beyond the one before.
    pub buckets: &'a [(f64, u64)],
    /// The sum of all, in seconds.
    pub sum_s: f64,
    /// How many there are in all.
    pub count: u64,
}

/// What the system says of our process; `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessMetrics {
    /// CPU time of user and system, seconds.
    pub cpu_s: Option<f64>,
    /// Resident memory.
    pub resident_bytes: Option<u64>,
    /// Virtual memory.
    pub virtual_bytes: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// Most file descriptors.
    pub max_fds: Option<u64>,
}

/// All metrics as text.
pub fn render(input: &Input<'_>, openmetrics: bool) -> String {
    let mut out = MetricsWriter { text: String::with_capacity(4096), openmetrics };
    out.family("heartbeat_beats", "counter", "Beats by the way they came and what became of them.");
    for (transport, result, n) in input.beats {
        out.sample("heartbeat_beats_total", &[("transport", transport), ("result", result)], *n);
    }
    out.family("heartbeat_fast_path_beats", "counter", "HTTP beats answered without hyper.");
    out.sample("heartbeat_fast_path_beats_total", &[], input.fast_path_beats);
    out.family("heartbeat_monitors", "gauge", "Monitors by state.");
    for state in State::ALL {
        out.sample("heartbeat_monitors", &[("state", state.name())], input.counts[state as usize]);
    }
    out.family("heartbeat_transitions", "counter", "Changes of state by the state entered.");
    for state in State::ALL {
        out.sample("heartbeat_transitions_total", &[("to", state.name())], input.transitions[state as usize]);
    }
    out.family(
        "heartbeat_muted_changes",
        "counter",
        "Changes of state that were only counted: too many of one monitor in an hour.",
    );
    out.sample("heartbeat_muted_changes_total", &[], input.muted_changes);
    out.histogram(
        "heartbeat_detection_delay_seconds",
        "From a deadline to the moment at which it was found to have passed.",
        &input.detection_delay,
    );
    out.family("heartbeat_beats_unstored", "counter", "Beats that were taken and could not be kept.");
    out.sample("heartbeat_beats_unstored_total", &[], input.beats_unstored);
    out.family("heartbeat_journal_bytes", "gauge", "Bytes in the journal.");
    out.sample("heartbeat_journal_bytes", &[], input.journal_bytes);
    out.family(
        "heartbeat_unsynced_seconds",
        "gauge",
        "Age of the oldest beat that a power cut would lose; 0 where there is none.",
    );
    out.sample("heartbeat_unsynced_seconds", &[], input.unsynced_s);
    out.family(
        "heartbeat_governor_stretch",
        "gauge",
        "How many times longer than their own the intervals are that senders are asked for; 1: not at all.",
    );
    out.sample("heartbeat_governor_stretch", &[], input.governor_stretch);
    out.family("heartbeat_connections", "gauge", "Open connections.");
    for (transport, n) in input.connections {
        out.sample("heartbeat_connections", &[("transport", transport)], *n);
    }
    out.family("heartbeat_connections_refused", "counter", "Connections turned away or cut off, by reason.");
    for (reason, n) in input.refused {
        out.sample("heartbeat_connections_refused_total", &[("reason", reason)], *n);
    }
    out.family("heartbeat_wrong_tokens", "counter", "Tokens shown that are not in the configuration.");
    out.sample("heartbeat_wrong_tokens_total", &[], input.wrong_tokens);
    out.family("heartbeat_alerts", "counter", "Tries to tell a notifier, by what came of them.");
    for (notifier, result, n) in input.alerts {
        out.sample("heartbeat_alerts_total", &[("notifier", notifier), ("result", result)], *n);
    }
    out.family("heartbeat_alerts_pending", "gauge", "Alerts that are to be told.");
    out.sample("heartbeat_alerts_pending", &[], input.alerts_pending);
    out.family("heartbeat_log_lines_dropped", "counter", "Log lines that reached no target.");
    out.sample("heartbeat_log_lines_dropped_total", &[], input.log_lines_dropped);
    out.family("heartbeat_build_info", "gauge", "Always 1; the version is its label.");
    out.sample("heartbeat_build_info", &[("version", input.version)], 1);
    out.process(input);
    if openmetrics {
        out.text.push_str("# EOF\n");
    }
    out.text
}

struct MetricsWriter {
    text: String,
    openmetrics: bool,
}

impl MetricsWriter {
    /// A family's head. The older format names a counter with its suffix, OpenMetrics without.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let suffix = if kind == "counter" && !self.openmetrics { "_total" } else { "" };
        let _ = writeln!(self.text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{label}=\"{text}\"", if n == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram<'_>) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut within = 0;
        for (most_s, count) in histogram.buckets {
            within += count;
            // OpenMetrics wants 1.0 and not 1, and the older format takes it.
            self.sample(&bucket, &[("le", &format!("{most_s:?}"))], within);
        }
        self.sample(&bucket, &[("le", "+Inf")], histogram.count);
        self.sample(&format!("{name}_sum"), &[], histogram.sum_s);
        self.sample(&format!("{name}_count"), &[], histogram.count);
    }

    fn process(&mut self, input: &Input<'_>) {
        let p = &input.process;
        if let Some(cpu_s) = p.cpu_s {
            self.family("process_cpu_seconds", "counter", "CPU time of user and system in seconds.");
            self.sample("process_cpu_seconds_total", &[], cpu_s);
        }
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory in bytes.", p.resident_bytes),
            ("process_virtual_memory_bytes", "Virtual memory in bytes.", p.virtual_bytes),
            ("process_open_fds", "Open file descriptors.", p.open_fds),
            ("process_max_fds", "Most file descriptors there may be.", p.max_fds),
        ] {
            if let Some(value) = value {
                self.family(name, "gauge", help);
                self.sample(name, &[], value);
            }
        }
        self.family("process_start_time_seconds", "gauge", "When the process started, in Unix seconds.");
        self.sample("process_start_time_seconds", &[], input.started.0 as f64 / 1000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Input<'static> {
        Input {
            version: "1.2.3",
            beats: &[("http", "accepted", 7), ("http", "invalid", 1)],
            fast_path_beats: 6,
            transitions: [0, 1, 2, 3, 4],
            connections: &[("http", 5)],
            refused: &[("timeout", 2)],
            counts: [0, 3, 1, 0, 0],
            log_lines_dropped: 0,
            detection_delay: Histogram { buckets: &[(0.005, 3), (1.0, 2)], sum_s: 4.25, count: 6 },
            muted_changes: 0,
            wrong_tokens: 0,
            beats_unstored: 0,
            journal_bytes: 4096,
            unsynced_s: 0.5,
            governor_stretch: 1.25,
            alerts: &[("ops", "sent", 3)],
            alerts_pending: 2,
            process: ProcessMetrics { cpu_s: Some(1.5), ..ProcessMetrics::default() },
            started: Wall(1_770_000_000_500),
        }
    }

    #[test]
    fn both_formats_name_their_counters_as_they_must() {
        let text = render(&input(), false);
        assert!(text.contains("# TYPE heartbeat_beats_total counter\nheartbeat_beats_total{transport=\"http\",result=\"accepted\"} 7\n"));
        assert!(text.contains("heartbeat_monitors{state=\"late\"} 1\n"));
        assert!(text.contains("process_start_time_seconds 1770000000.5\n") && !text.contains("EOF"));
        let open = render(&input(), true);
        assert!(open.contains("# TYPE heartbeat_beats counter\n") && open.ends_with("# EOF\n"));
    }

    #[test]
    fn a_histogram_counts_upwards() {
        let text = render(&input(), true);
        let want = "# TYPE heartbeat_detection_delay_seconds histogram\n\
                    heartbeat_detection_delay_seconds_bucket{le=\"0.005\"} 3\n\
                    heartbeat_detection_delay_seconds_bucket{le=\"1.0\"} 5\n\
                    heartbeat_detection_delay_seconds_bucket{le=\"+Inf\"} 6\n\
                    heartbeat_detection_delay_seconds_sum 4.25\n\
                    heartbeat_detection_delay_seconds_count 6\n";
        assert!(text.contains(want), "{text}");
    }

    #[test]
    fn every_sample_follows_the_type_of_its_family() {
        for openmetrics in [false, true] {
            let mut family = String::new();
            for line in render(&input(), openmetrics).lines() {
                if let Some(rest) = line.strip_prefix("# TYPE ") {
                    family = rest.split(' ').next().unwrap_or_default().to_string();
                } else if !line.starts_with('#') {
                    assert!(line.starts_with(&family), "{line} under {family}");
                }
            }
        }
    }
}
