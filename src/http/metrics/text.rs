//! Prometheus's text format, version 0.0.4.

use std::fmt::Write as _;

use crate::task::Histogram;

/// A metric and what it means.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

#[derive(Default)]
pub(super) struct Text(String);

/// The samples of one family follow each other.
pub(super) struct Samples<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Text {
    pub(super) fn family(&mut self, family: &Family) -> Samples<'_> {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        self.0 += &format!("# HELP {} {help}\n# TYPE {} {kind}\n", family.name, family.name);
        Samples { text: &mut self.0, name: family.name }
    }

    /// A family with one sample and no label.
    pub(super) fn single(&mut self, family: &Family, value: f64) {
        self.family(family).add(&[], value);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Samples<'_> {
    pub(super) fn add(&mut self, labels: Labels<'_>, value: f64) {
        self.sample("", labels, None, value);
    }

    /// `scale`: how many of the histogram's units are one of the metric's. Every other bucket is told: a monitoring system
    /// keeps a series for each.
    pub(super) fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram, scale: f64) {
        for (bound, n) in histogram.cumulative().step_by(2) {
            let bound = (f64::from(bound) / scale).to_string();
            self.sample("_bucket", labels, Some(&bound), n as f64);
        }
        let count = histogram.count() as f64;
        self.sample("_bucket", labels, Some("+Inf"), count);
        self.sample("_sum", labels, None, histogram.sum() as f64 / scale);
        self.sample("_count", labels, None, count);
    }

    fn sample(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<&str>, value: f64) {
        *self.text += self.name;
        *self.text += suffix;
        let mut separator = '{';
        for (name, value) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
            let _ = write!(self.text, "{separator}{name}=\"{}\"", escaped(value));
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_and_help_are_escaped() {
        let mut text = Text::default();
        let family = Family { name: "a_total", kind: Kind::Counter, help: "one\ntwo \\ three" };
        text.family(&family).add(&[("b", "x\"y\\z\n"), ("c", "ü")], 1.5);
        assert_eq!(
            text.finish(),
            "# HELP a_total one\\ntwo \\\\ three\n# TYPE a_total counter\na_total{b=\"x\\\"y\\\\z\\n\",c=\"ü\"} 1.5\n"
        );
    }

    #[test]
    fn a_histogram_is_cumulated_in_the_metrics_unit() {
        let mut histogram = Histogram::default();
        [1, 5, 5, 9_999_999].iter().for_each(|millis| histogram.record(*millis));
        let mut text = Text::default();
        let family = Family { name: "a_seconds", kind: Kind::Histogram, help: "" };
        text.family(&family).histogram(&[("q", "x")], &histogram, 1_000.0);
        let text = text.finish();
        for line in ["a_seconds_bucket{q=\"x\",le=\"0.001\"} 1", "a_seconds_bucket{q=\"x\",le=\"0.006\"} 3"] {
            assert!(text.contains(line), "{text}");
        }
        let end = "le=\"+Inf\"} 4\na_seconds_sum{q=\"x\"} 10000.01\na_seconds_count{q=\"x\"} 4\n";
        assert!(text.ends_with(end), "{text}");
    }
}
