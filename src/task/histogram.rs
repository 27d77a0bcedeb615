//! How durations are spread: counts in fixed logarithmic buckets.
//!
//! Five buckets a decade from 1 ms to 1 h, so adding one is an increment and two histograms add up exactly, whichever node
//! or minute they come from. A percentile is then known to within its bucket: at most 60 % too high or 40 % too low (and 1 ms).

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap as _};

use super::Millis;

/// The buckets' upper bounds in milliseconds, inclusive. What is longer falls into one more bucket without a bound.
pub const BOUNDS: [u32; 34] = [
    1, 2, 3, 4, 6, 10, 16, 25, 40, 63, 100, 160, 250, 400, 630, 1_000, 1_600, 2_500, 4_000, 6_300, 10_000, 16_000,
    25_000, 40_000, 63_000, 100_000, 160_000, 250_000, 400_000, 630_000, 1_000_000, 1_600_000, 2_500_000, 3_600_000,
];

const BUCKETS: usize = BOUNDS.len() + 1;

/// Durations in milliseconds: how many in each bucket, and their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    sum: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], sum: 0 }
    }
}

impl Histogram {
    /// Counts a duration; one below 0, as by a clock that was set back, counts as 0.
    pub fn record(&mut self, duration: Millis) {
        let millis = duration.max(0).unsigned_abs();
        self.buckets[bucket(millis)] += 1;
        self.sum = self.sum.saturating_add(millis);
    }

    pub fn merge(&mut self, other: &Self) {
        for (own, more) in self.buckets.iter_mut().zip(other.buckets) {
            *own += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Of all durations, in milliseconds.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Milliseconds; `None` where nothing was counted.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// The duration that a share of all (0 to 1) do not exceed, in milliseconds; `None` where nothing was counted. Beyond
    /// the last bound nothing is known: that bound is answered.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (share.clamp(0.0, 1.0) * count as f64).ceil().max(1.0);
        let mut below = 0.0;
        for (index, n) in self.buckets.iter().enumerate().filter(|(_, n)| **n > 0) {
            let n = *n as f64;
            if below + n >= rank {
                return Some(within(index, (rank - below) / n));
            }
            below += n;
        }
        Some(f64::from(BOUNDS[BOUNDS.len() - 1]))
    }

    /// How many durations are not above each bound, in order; [`Histogram::count`] is the rest's.
    pub fn cumulative(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let mut below = 0;
        BOUNDS.iter().zip(self.buckets).map(move |(bound, n)| {
            below += n;
            (*bound, below)
        })
    }
}

/// The bucket a duration falls into.
fn bucket(millis: u64) -> usize {
    BOUNDS.partition_point(|bound| u64::from(*bound) < millis)
}

/// A place in a bucket: evenly spread on the logarithmic scale, as the buckets are.
fn within(bucket: usize, part: f64) -> f64 {
    let upper = f64::from(BOUNDS[bucket.min(BOUNDS.len() - 1)]);
    match bucket.checked_sub(1).filter(|_| bucket < BOUNDS.len()) {
        Some(below) => {
            let lower = f64::from(BOUNDS[below]);
            lower * (upper / lower).powf(part)
        }
        None if bucket == 0 => upper * part,
        None => upper,
    }
}

/// Written so that a person can read it: `{"sum": 12, "4": 3}` are three durations above 3 and up to 4 ms.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("sum", &self.sum)?;
        for (index, n) in self.buckets.iter().enumerate().filter(|(_, n)| **n > 0) {
            match BOUNDS.get(index) {
                Some(bound) => map.serialize_entry(bound, n)?,
                None => map.serialize_entry("more", n)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut read = Self::default();
        for (key, n) in std::collections::BTreeMap::<String, u64>::deserialize(deserializer)? {
            if key == "sum" {
                read.sum = n;
            } else {
                // A bound that this version does not have falls into the bucket above it.
                read.buckets[key.parse().map_or(BUCKETS - 1, bucket)] += n;
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(durations: &[Millis]) -> Histogram {
        let mut histogram = Histogram::default();
        durations.iter().for_each(|duration| histogram.record(*duration));
        histogram
    }

    fn durations() -> impl Strategy<Value = Vec<Millis>> {
        // Spread over the decades as durations are, not over the numbers.
        let one = prop_oneof![0..20_i64, 0..2_000_i64, 0..3_600_000_i64];
        prop::collection::vec(one, 1..200)
    }

    proptest! {
        #[test]
        fn a_percentile_is_known_to_within_its_bucket(mut values in durations(), share in 0.0..=1.0_f64) {
            let known = of(&values).percentile(share).unwrap();
            values.sort_unstable();
            let rank = ((share * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1] as f64;
            prop_assert!(known <= exact * 1.6 + 1.0, "{known} for {exact}");
            prop_assert!(known >= exact * 0.6 - 1.0, "{known} for {exact}");
        }

        #[test]
        fn what_is_merged_is_what_was_counted_together(one in durations(), other in durations()) {
            let mut merged = of(&one);
            merged.merge(&of(&other));
            prop_assert_eq!(&merged, &of(&[one.clone(), other.clone()].concat()));
            prop_assert_eq!(merged.count() as usize, one.len() + other.len());
            prop_assert_eq!(merged.sum() as i64, one.iter().chain(&other).sum::<i64>());
        }

        #[test]
        fn what_is_written_is_read_again(values in prop::collection::vec(0..10_000_000_i64, 0..50)) {
            let histogram = of(&values);
            let text = serde_json::to_string(&histogram).unwrap();
            prop_assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
        }

        #[test]
        fn percentiles_grow_with_their_share(values in durations(), a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
            let histogram = of(&values);
            prop_assert!(histogram.percentile(a.min(b)) <= histogram.percentile(a.max(b)));
        }

        #[test]
        fn what_is_cumulated_are_those_not_above_the_bound(values in durations()) {
            for (bound, n) in of(&values).cumulative() {
                prop_assert_eq!(n as usize, values.iter().filter(|value| **value <= i64::from(bound)).count());
            }
        }
    }

    #[test]
    fn an_empty_one_has_no_percentile_and_an_endless_one_the_last_bound() {
        assert_eq!(Histogram::default().percentile(0.5), None);
        assert_eq!(Histogram::default().mean(), None);
        assert_eq!(of(&[i64::MAX]).percentile(0.5), Some(3_600_000.0));
        assert_eq!(of(&[-5]).sum(), 0);
    }
}
