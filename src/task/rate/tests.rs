use proptest::prelude::*;

use super::*;

fn take(state: &mut LimitState, rule: &RateLimit, n: u32) {
    (0..n).for_each(|_| state.take(rule, Priority::MEDIUM));
}

fn rule(limit: u32, per: Millis, algorithm: Algorithm, burst: u32) -> RateLimit {
    RateLimit { by: LimitBy::Queue, limit: [limit; 3], per, algorithm, burst, enabled: true }
}

proptest! {
    /// Whatever is asked for at whatever times, and whenever within its grace each task starts.
    #[test]
    fn no_window_holds_more_starts_than_the_limit(
        limit in 1..20_u32, per in 10..30_000_i64,
        steps in prop::collection::vec((0..700_i64, 1..15_u32, 0.0..=1.0_f64), 1..200),
    ) {
        let rule = rule(limit, per, Algorithm::SlidingWindow, 0);
        let (mut state, mut now, mut starts) = (LimitState::default(), 1_000_000, Vec::new());
        for (pause, want, late) in steps {
            now += pause;
            let permits = state.permits(&rule, Key::Queue, now);
            prop_assert_eq!(permits.next_at.is_some(), permits.free == 0);
            let n = want.min(permits.free);
            take(&mut state, &rule, n);
            starts.extend((0..n).map(|_| now + (late * rule.grace() as f64) as Millis));
        }
        starts.sort_unstable();
        for (index, first) in starts.iter().enumerate() {
            let within = starts[index..].iter().take_while(|start| **start < first + per).count();
            prop_assert!(within <= limit as usize, "{} starts from {}", within, first);
        }
    }

    /// The moment told is the first at which a permit is free.
    #[test]
    fn the_next_permit_comes_when_it_was_said_to(
        limit in 1..20_u32, per in 10..5_000_i64, burst in 0..30_u32, window in any::<bool>(),
        steps in prop::collection::vec((0..900_i64, 1..15_u32), 1..60),
    ) {
        let algorithm = if window { Algorithm::SlidingWindow } else { Algorithm::TokenBucket };
        let rule = rule(limit, per, algorithm, burst);
        let (mut state, mut now) = (LimitState::default(), 1_000_000);
        for (pause, want) in steps {
            now += pause;
            let permits = state.permits(&rule, Key::Queue, now);
            if let Some(at) = permits.next_at {
                prop_assert!(at > now);
                prop_assert_eq!(state.clone().permits(&rule, Key::Queue, at - 1).free, 0);
                prop_assert!(state.clone().permits(&rule, Key::Queue, at).free > 0);
            }
            take(&mut state, &rule, want.min(permits.free));
        }
    }

    /// Of a token bucket: never more than the burst and what has come in since.
    #[test]
    fn a_bucket_gives_the_burst_and_the_rate(
        limit in 1..20_u32, per in 10..5_000_i64, burst in 1..30_u32,
        steps in prop::collection::vec((0..900_i64, 1..40_u32), 1..60),
    ) {
        let rule = rule(limit, per, Algorithm::TokenBucket, burst);
        let (mut state, mut now, mut taken) = (LimitState::default(), 1_000_000, 0_i64);
        for (pause, want) in steps {
            now += pause;
            let n = want.min(state.permits(&rule, Key::Queue, now).free);
            take(&mut state, &rule, n);
            taken += i64::from(n);
            prop_assert!(taken * per <= i64::from(burst) * per + (now - 1_000_000) * i64::from(limit));
        }
    }
}

#[test]
fn a_clock_that_goes_back_gives_no_permits_twice() {
    let rule = rule(2, 1_000, Algorithm::SlidingWindow, 0);
    let mut state = LimitState::default();
    assert_eq!(state.permits(&rule, Key::Queue, 50_000).free, 2);
    take(&mut state, &rule, 2);
    assert_eq!(state.permits(&rule, Key::Queue, 10_000).free, 0);
}

#[test]
fn a_changed_window_forgets_no_permit() {
    let (short, long) = (rule(5, 1_000, Algorithm::SlidingWindow, 0), rule(5, 60_000, Algorithm::SlidingWindow, 0));
    let mut state = LimitState::default();
    state.permits(&short, Key::Queue, 10_000);
    take(&mut state, &short, 5);
    assert_eq!(state.permits(&long, Key::Queue, 10_500).free, 0);
    assert!(state.permits(&long, Key::Queue, 72_000).free > 0);
    // Nor does it keep one longer than the new window says, from the latest start under the old one.
    take(&mut state, &long, 5);
    assert_eq!(state.permits(&short, Key::Queue, 72_100).free, 0);
    assert_eq!(state.permits(&short, Key::Queue, 72_000 + long.grace() + 1_000).free, 5);
}

/// A limit and the claims made under it: pause, how many, priority, how late they start.
type Stretch = (RateLimit, Vec<(Millis, u32, u8, f64)>);

/// Rules of one queue one after the other, all of the same `per`, with so many steps under each.
fn rules() -> impl Strategy<Value = (Millis, Vec<Stretch>)> {
    let change = (any::<bool>(), any::<bool>(), [1..12_u32, 1..12, 1..12], 0..15_u32);
    let steps = prop::collection::vec((0..400_i64, 1..8_u32, 0..=9_u8, 0.0..=1.0_f64), 0..25);
    (10..20_000_i64, prop::collection::vec((change, steps), 1..8)).prop_map(|(per, spans)| {
        let span = |((window, by_queue, limit, burst), steps): ((bool, bool, [u32; 3], u32), _)| {
            let (algorithm, by) = (
                if window { Algorithm::SlidingWindow } else { Algorithm::TokenBucket },
                if by_queue { LimitBy::Queue } else { LimitBy::Priority },
            );
            let limit = if by_queue { [limit[0]; 3] } else { limit };
            (RateLimit { by, limit, per, algorithm, burst, enabled: true }, steps)
        };
        (per, spans.into_iter().map(span).collect())
    })
}

proptest! {
    /// Whatever kind of limit there was before: what has started counts, of each class where the classes are told apart.
    #[test]
    fn no_start_under_a_window_is_one_too_many_whatever_the_rule_was_before((per, spans) in rules()) {
        let (mut state, mut now) = (LimitState::default(), 1_000_000);
        // When, of which class, and where under a window: how many may start within `per`.
        let mut starts: Vec<(Millis, Key, Option<u32>, LimitBy)> = Vec::new();
        for (rule, steps) in spans {
            for (pause, want, level, late) in steps {
                now += pause;
                let priority = Priority::new(level).unwrap();
                let free = state.permits(&rule, rule.key(priority), now).free;
                let late = (late * rule.grace() as f64) as Millis;
                let bound = (rule.algorithm == Algorithm::SlidingWindow).then(|| rule.limit_of(rule.key(priority)));
                for _ in 0..want.min(free) {
                    state.take(&rule, priority);
                    starts.push((now + late, Key::of(priority), bound, rule.by));
                }
            }
        }
        for (index, (at, class, bound, by)) in starts.iter().enumerate() {
            let Some(bound) = bound else { continue };
            let of_part = |other: &&(Millis, Key, Option<u32>, LimitBy)| *by == LimitBy::Queue || other.1 == *class;
            // Those granted before it: where two of different moments change places, the later one has looked.
            let within = starts[..=index].iter().filter(of_part).filter(|start| start.0 > at - per && start.0 <= *at);
            prop_assert!(within.count() <= *bound as usize, "start {} of {:?}", index, starts);
        }
    }

    /// Nobody waits for longer after a change than the new rule alone could make them wait.
    #[test]
    fn a_change_holds_up_for_no_longer_than_the_new_rule_would(
        (_, spans) in rules(), pause in 0..90_000_000_i64, per in 10..100_000_i64, after in rules(), looks in 0..5_i64,
    ) {
        let (mut state, mut now) = (LimitState::default(), 1_000_000);
        let mut before = 0;
        for (mut rule, steps) in spans {
            rule.per *= 5_000;
            before = before.max(rule.grace());
            for (pause, want, level, _) in steps {
                now += pause;
                let priority = Priority::new(level).unwrap();
                let n = want.min(state.permits(&rule, rule.key(priority), now).free);
                (0..n).for_each(|_| state.take(&rule, priority));
            }
        }
        let rule = RateLimit { per, ..after.1[0].0 };
        let changed = now + pause;
        for key in rule.keys() {
            // Looks that are not kept change nothing.
            let mut look = state.clone();
            for passed in 0..looks {
                look.permits(&rule, *key, changed + passed);
            }
            let seen = state.clone().permits(&rule, *key, changed + looks);
            prop_assert_eq!(look.permits(&rule, *key, changed + looks).next_at, seen.next_at);
            let longest = match rule.algorithm {
                Algorithm::SlidingWindow => per + before,
                Algorithm::TokenBucket => (per + Millis::from(rule.limit_of(*key)) - 1) / Millis::from(rule.limit_of(*key)),
            };
            if let Some(at) = state.clone().permits(&rule, *key, changed).next_at {
                prop_assert!(at <= now + longest, "{} > {} + {}", at, now, longest);
            }
            let over = state.matters_until(&rule);
            let permits = state.clone().permits(&rule, *key, over);
            prop_assert_eq!((permits.used, permits.next_at), (0, None));
        }
    }
}

#[test]
fn a_window_that_became_shorter_opens_at_the_new_pace() {
    let day = rule(5, 86_400_000, Algorithm::SlidingWindow, 0);
    let mut state = LimitState::default();
    state.permits(&day, Key::Queue, 0);
    take(&mut state, &day, 5);
    let second = rule(5, 1_000, Algorithm::SlidingWindow, 0);
    assert_eq!(state.clone().permits(&second, Key::Queue, 500).free, 0);
    // Where nobody has looked in between as well.
    assert_eq!(state.permits(&second, Key::Queue, 3_100).free, 5);
}
