//! Figures on their way to the store, and read back from it.

use std::collections::BTreeMap;

use super::{Engine, Meter};
use crate::{
    store::{MetricRow, Reader, StoreError},
    task::{Figures, Millis, Span},
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
    /// Moves this node's figures to the store.
    pub async fn flush_metrics(&self) -> Result<(), StoreError> {
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
