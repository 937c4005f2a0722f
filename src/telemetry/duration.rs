//! A histogram of durations without a lock: the hot path pays two atomic additions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Upper bounds in nanoseconds, around what a decision takes: 2 µs to 50 ms.
const BOUNDS_NS: [u64; 10] =
    [2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 50_000_000];

/// Clones count together.
#[derive(Clone, Debug, Default)]
pub struct DurationHistogram(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BOUNDS_NS.len()],
    over: AtomicU64,
    sum_ns: AtomicU64,
}

impl DurationHistogram {
    pub fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let fitting = BOUNDS_NS.iter().position(|bound| nanos <= *bound);
        let bucket = fitting.and_then(|index| self.0.buckets.get(index));
        bucket.unwrap_or(&self.0.over).fetch_add(1, Ordering::Relaxed);
        self.0.sum_ns.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl EncodeMetric for DurationHistogram {
    #[expect(clippy::cast_precision_loss, reason = "a sum of 104 days is still exact in an f64")]
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let bounds = BOUNDS_NS.iter().map(|nanos| *nanos as f64 / 1e9);
        let over = self.0.over.load(Ordering::Relaxed);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).chain([(f64::INFINITY, over)]).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum_ns.load(Ordering::Relaxed) as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
