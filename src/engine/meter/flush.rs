//! Figures on their way to the store, and read back from it.

use std::collections::BTreeMap;

use super::{Engine, Meter};
use crate::{
    store::{Counted, MetricRow, Reader, StoreError},
    task::{Figures, Millis, Span, Status},
};

/// How often a read that met a flush is made again before what it has is taken as it is.
const TRIES: usize = 5;

impl Meter {
    fn begin_flush(&self, now: Millis) -> Vec<MetricRow> {
        self.metered().book.begin_flush(now)
    }

    fn end_flush(&self) {
        self.metered().book.end_flush();
    }

    fn flushes(&self) -> Option<u64> {
        self.metered().book.flushes()
    }
}

impl Engine {
    /// Looks at what waits, where it is time to. Every node does: what they find is averaged.
    async fn look_at_depths(&self) {
        if !self.meter().metered().book.is_to_look(self.clock().now()) {
            return;
        }
        let reader = self.reader().clone();
        // A store that cannot be read will be another time.
        let Ok(Ok(counters)) = tokio::task::spawn_blocking(move || reader.counters(None)).await else { return };
        let mut waiting: BTreeMap<&str, [i64; 3]> = BTreeMap::new();
        for row in &counters {
            if matches!(row.kind, Counted::In(status) if Status::CLAIMABLE.contains(&status)) {
                waiting.entry(&row.queue).or_default()[row.priority.class() as usize] += row.n;
            }
        }
        let found = waiting.into_iter().map(|(queue, found)| (queue, found.map(|n| u64::try_from(n).unwrap_or(0))));
        let found = found.filter(|(_, found)| *found != [0; 3]);
        let now = self.clock().now();
        self.meter().metered().book.look(found, now);
    }

    /// Moves this node's figures to the store.
    pub async fn flush_metrics(&self) -> Result<(), StoreError> {
        self.look_at_depths().await;
        let (begin, end) = (self.clone(), self.clone());
        let run = move |tx: &mut dyn crate::store::Tx, now| tx.add_metrics(&begin.meter().begin_flush(now));
        self.admin(run, move |(), _| end.meter().end_flush()).await
    }

    /// What has happened from a moment on in one queue, or under [`super::ALL_QUEUES`] in all: by minute or hour, with what
    /// this node has not stored yet. Blocks.
    pub fn figures(
        &self,
        reader: &dyn Reader,
        queue: &str,
        span: Span,
        from: Millis,
    ) -> Result<BTreeMap<Millis, Figures>, StoreError> {
        let from = span.start_of(from);
        let mut tries = 0;
        loop {
            tries += 1;
            let before = self.meter().flushes();
            let mut figures: BTreeMap<_, _> = reader.metrics(queue, span, from)?.into_iter().collect();
            let book = &mut self.meter().metered().book;
            // A flush in between would have moved figures past us, or let us see them twice.
            if tries == TRIES || (before.is_some() && before == book.flushes()) {
                book.add_unstored(queue, span, from, self.clock().now(), &mut figures);
                return Ok(figures);
            }
        }
    }
}
