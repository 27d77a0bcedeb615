//! The book: figures since the start, and by minute those that are not in the store yet.

use std::{collections::BTreeMap, sync::Arc};

use super::labels::{ALL, ALL_QUEUES, Labels};
use crate::{
    store::MetricRow,
    task::{Figures, Millis, Span},
};

/// Minutes kept apart while the store takes nothing; what is later then counts as the last of them.
const MOST_MINUTES: usize = 120;
/// How often this node looks at what waits, so that a minute has two looks.
const LOOK_EVERY: Millis = 30_000;

pub(super) struct Book {
    labels: Labels,
    slots: u64,
    slots_since: Millis,
    looked_at: Millis,
    /// By label. What is in the store already, and in the two lists below not any more.
    stored: Vec<Figures>,
    busy: Vec<Busy>,
    pending: Vec<Page>,
    /// On their way to the store, in a transaction that may be rolled back.
    flushing: Vec<Page>,
    in_flight: bool,
    flushes: u64,
}

#[derive(Default)]
struct Busy {
    running: u64,
    since: Millis,
}

/// The figures of a minute.
struct Page {
    minute: Millis,
    figures: Vec<Figures>,
}

impl Page {
    fn add_to(&self, sums: &mut Vec<Figures>) {
        for (label, figures) in self.figures.iter().enumerate() {
            grown(sums, label).merge(figures);
        }
    }
}

fn grown<T: Default>(list: &mut Vec<T>, place: usize) -> &mut T {
    if place >= list.len() {
        list.resize_with(place + 1, T::default);
    }
    &mut list[place]
}

impl Book {
    pub(super) fn new(slots: u32, now: Millis) -> Self {
        Self {
            labels: Labels::default(),
            slots: slots.into(),
            slots_since: now,
            looked_at: 0,
            stored: Vec::new(),
            busy: Vec::new(),
            pending: Vec::new(),
            flushing: Vec::new(),
            in_flight: false,
            flushes: 0,
        }
    }

    pub(super) fn label(&mut self, queue: &str) -> usize {
        self.labels.place(queue)
    }

    pub(super) fn labels(&mut self) -> &mut Labels {
        &mut self.labels
    }

    /// The figures of a queue in the minute of a moment, to be added to.
    pub(super) fn figures(&mut self, label: usize, now: Millis) -> &mut Figures {
        let minute = Span::Minute.start_of(now);
        let is_new = self.pending.last().is_none_or(|page| page.minute < minute);
        if is_new && self.pending.len() < MOST_MINUTES {
            self.pending.push(Page { minute, figures: Vec::new() });
        }
        let last = self.pending.len().saturating_sub(1);
        grown(&mut self.pending[last].figures, label)
    }

    /// What was found waiting, by queue and class of priority.
    pub(super) fn look<'a>(&mut self, found: impl Iterator<Item = (&'a str, [u64; 3])>, now: Millis) {
        for (queue, waiting) in found {
            let label = self.labels.place(queue);
            let figures = self.figures(label, now);
            figures.waiting.iter_mut().zip(waiting).for_each(|(sum, n)| *sum += n);
        }
        self.figures(ALL, now).looks += 1;
        self.looked_at = now;
    }

    /// A look is due.
    pub(super) fn is_to_look(&self, now: Millis) -> bool {
        now - self.looked_at >= LOOK_EVERY
    }

    /// A slot takes up (1) or ends (-1) a task of the queue.
    pub(super) fn occupy(&mut self, label: usize, change: i64, now: Millis) {
        self.accrue(label, now);
        let busy = grown(&mut self.busy, label);
        busy.running = busy.running.saturating_add_signed(change);
    }

    /// Charges the time that has gone by with as many slots busy as have been.
    fn accrue(&mut self, label: usize, now: Millis) {
        let busy = grown(&mut self.busy, label);
        let spent = busy.running * (now - busy.since).max(0).unsigned_abs();
        busy.since = busy.since.max(now);
        if spent > 0 {
            self.figures(label, now).busy_ms += spent;
        }
    }

    fn accrue_all(&mut self, now: Millis) {
        (0..self.busy.len()).for_each(|label| self.accrue(label, now));
        let there = self.slots * (now - self.slots_since).max(0).unsigned_abs();
        self.slots_since = self.slots_since.max(now);
        if there > 0 {
            self.figures(ALL, now).slot_ms += there;
        }
    }

    /// Since the start, by queue.
    pub(super) fn totals(&mut self, now: Millis) -> Vec<(Arc<str>, Figures)> {
        self.accrue_all(now);
        let mut totals = self.stored.clone();
        self.flushing.iter().chain(&self.pending).for_each(|page| page.add_to(&mut totals));
        let queues = totals.into_iter().enumerate().skip(ALL + 1);
        let used = queues.filter(|(_, figures)| *figures != Figures::default());
        used.map(|(label, figures)| (self.labels.name(label).clone(), figures)).collect()
    }

    /// What is to be added to the store. Answers the same again, with what has come since, until [`Book::end_flush`].
    pub(super) fn begin_flush(&mut self, now: Millis) -> Vec<MetricRow> {
        self.accrue_all(now);
        self.in_flight = true;
        self.flushing.append(&mut self.pending);
        let mut rows: BTreeMap<(Span, Millis, &Arc<str>), Figures> = BTreeMap::new();
        for page in &self.flushing {
            for (label, figures) in page.figures.iter().enumerate().filter(|(_, new)| **new != Figures::default()) {
                for span in Span::BOTH {
                    let starts_at = span.start_of(page.minute);
                    rows.entry((span, starts_at, self.labels.name(ALL))).or_default().merge(figures);
                    if label != ALL {
                        rows.entry((span, starts_at, self.labels.name(label))).or_default().merge(figures);
                    }
                }
            }
        }
        let row = |((span, starts_at, queue), figures): ((Span, Millis, &Arc<str>), Figures)| MetricRow {
            span,
            starts_at,
            queue: queue.clone(),
            figures,
        };
        rows.into_iter().map(row).collect()
    }

    /// The store has it.
    pub(super) fn end_flush(&mut self) {
        for page in self.flushing.drain(..) {
            page.add_to(&mut self.stored);
        }
        self.in_flight = false;
        self.flushes += 1;
    }

    /// Which flush is the latest; `None` while one is under way, when nobody can say what the store has.
    pub(super) fn flushes(&self) -> Option<u64> {
        (!self.in_flight).then_some(self.flushes)
    }

    /// What the store does not have yet, added to what it has.
    pub(super) fn add_unstored(
        &mut self,
        queue: &str,
        span: Span,
        from: Millis,
        now: Millis,
        to: &mut BTreeMap<Millis, Figures>,
    ) {
        self.accrue_all(now);
        let wanted = (queue != ALL_QUEUES).then(|| self.labels.find(queue));
        for page in self.flushing.iter().chain(&self.pending) {
            let starts_at = span.start_of(page.minute);
            if starts_at < from {
                continue;
            }
            for (label, figures) in page.figures.iter().enumerate() {
                if wanted.is_none_or(|wanted| wanted == Some(label)) {
                    to.entry(starts_at).or_default().merge(figures);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = 3_600_000;

    #[test]
    fn busy_time_is_what_the_slots_spent_whenever_it_is_looked_at() {
        let mut book = Book::new(4, HOUR);
        let label = book.label("a");
        book.occupy(label, 1, HOUR);
        book.occupy(label, 1, HOUR + 500);
        assert_eq!(book.totals(HOUR + 1_000)[0].1.busy_ms, 1_500);
        book.occupy(label, -1, HOUR + 2_000);
        book.occupy(label, -1, HOUR + 3_000);
        let rows = book.begin_flush(HOUR + 90_000);
        let all = |span| rows.iter().filter(move |row| row.span == span && &*row.queue == ALL_QUEUES);
        assert_eq!(all(Span::Hour).map(|row| row.figures.busy_ms).sum::<u64>(), 1_500 + 2_000 + 1_000);
        assert_eq!(all(Span::Minute).map(|row| row.figures.slot_ms).sum::<u64>(), 4 * 90_000);
    }

    #[test]
    fn what_waits_is_added_up_over_the_looks() {
        let mut book = Book::new(0, HOUR);
        assert!(book.is_to_look(HOUR));
        book.look([("a", [1, 0, 0]), ("b", [0, 5, 2])].into_iter(), HOUR);
        assert!(!book.is_to_look(HOUR + 29_000) && book.is_to_look(HOUR + 30_000));
        book.look([("b", [0, 1, 0])].into_iter(), HOUR + 30_000);
        let rows = book.begin_flush(HOUR + 30_000);
        let row = |queue: &str| rows.iter().find(|row| &*row.queue == queue && row.span == Span::Minute).unwrap();
        let (all, one) = (&row(ALL_QUEUES).figures, &row("b").figures);
        assert_eq!((all.waiting, all.looks, one.waiting, one.looks), ([1, 6, 2], 2, [0, 6, 2], 0));
    }

    #[test]
    fn a_flush_that_is_rolled_back_loses_and_doubles_nothing() {
        let mut book = Book::new(0, HOUR);
        let label = book.label("a");
        let submit = |book: &mut Book| book.figures(label, HOUR).submitted += 1;
        let whole = |rows: &[MetricRow]| {
            rows.iter().find(|row| &*row.queue == "a" && row.span == Span::Minute).map(|row| row.figures.submitted)
        };
        submit(&mut book);
        assert_eq!(whole(&book.begin_flush(HOUR)), Some(1));
        submit(&mut book);
        assert_eq!(whole(&book.begin_flush(HOUR)), Some(2), "the first was rolled back");
        assert_eq!(book.flushes(), None);
        book.end_flush();
        assert_eq!(whole(&book.begin_flush(HOUR)), None);
    }

    #[test]
    fn queues_beyond_the_bound_are_counted_together() {
        let mut book = Book::new(0, HOUR);
        for n in 0..150 {
            let label = book.label(&format!("q{n}"));
            book.figures(label, HOUR).submitted += 1;
        }
        let totals = book.totals(HOUR);
        assert_eq!(totals.len(), 101);
        assert_eq!(totals.iter().map(|(_, figures)| figures.submitted).sum::<u64>(), 150);
        assert_eq!(totals.iter().find(|(name, _)| &**name == "other").map(|(_, all)| all.submitted), Some(50));
    }
}
