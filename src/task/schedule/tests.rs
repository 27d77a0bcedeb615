use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Millis {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn cron(pattern: &str, zone: &str) -> Ticks {
    let rule = Rule { cron: Some(pattern.into()), timezone: Some(zone.into()), ..Rule::default() };
    rule.compile(0).unwrap_or_else(|faults| panic!("{pattern}: {faults:?}"))
}

fn every(period: Millis, anchor: Millis) -> Ticks {
    Rule { every: Some(period), ..Rule::default() }.compile(anchor).unwrap()
}

/// The next ticks, as the clock of the zone shows them.
fn shown(pattern: &str, zone: &str, after: &str, n: usize) -> Vec<String> {
    let clock = TimeZone::get(zone).unwrap();
    let ticks = cron(pattern, zone).preview(at(after), n);
    let text = |tick: &Millis| {
        let tick = Timestamp::from_millisecond(*tick).unwrap();
        let (offset, minutes) = (clock.to_offset(tick), clock.to_offset(tick).seconds() / 60);
        let sign = if minutes < 0 { '-' } else { '+' };
        let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
        format!("{} {sign}{hours:02}:{minutes:02}", offset.to_datetime(tick).strftime("%d %H:%M"))
    };
    ticks.iter().map(text).collect()
}

fn fault(rule: &Rule) -> (&'static str, String) {
    rule.compile(0).unwrap_err().remove(0)
}

#[test]
fn patterns_of_five_and_six_fields_with_names_and_the_last_the_nearest_and_the_nth() {
    for (pattern, expected) in [
        ("*/15 * * * *", "2026-01-01T00:15:00Z"),
        ("30 */10 * * * *", "2026-01-01T00:00:30Z"),
        ("0 9 * * MON-FRI", "2026-01-01T09:00:00Z"),
        ("0 0 * Jul sun", "2026-07-05T00:00:00Z"),
        ("0 0 L * *", "2026-01-31T00:00:00Z"),
        ("0 0 15W 2 *", "2026-02-16T00:00:00Z"),
        ("0 0 * * 5#3", "2026-01-16T00:00:00Z"),
        ("0 0 * * FRI#L", "2026-01-30T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 0 * * 7", "2026-01-04T00:00:00Z"),
        // Where both days are given, either of them; where one has a `*` in it, both, as in cron.
        ("0 0 13 * FRI", "2026-01-02T00:00:00Z"),
        ("0 0 */2 * FRI", "2026-01-09T00:00:00Z"),
        ("0 0 13-19 * */5", "2026-01-16T00:00:00Z"),
        ("0 0 ? * FRI", "2026-01-02T00:00:00Z"),
        ("0 0 13 * ?", "2026-01-13T00:00:00Z"),
        ("@monthly", "2026-02-01T00:00:00Z"),
        ("@midnight", "2026-01-02T00:00:00Z"),
    ] {
        assert_eq!(cron(pattern, "UTC").next(at("2026-01-01T00:00:00Z")), Some(at(expected)), "{pattern}");
    }
}

#[test]
fn what_is_no_pattern_is_refused_and_told_by_its_field() {
    let long = "1,".repeat(200) + " * * * *";
    for (pattern, what) in [
        ("*/0 * * * *", "minute"),
        ("99 * * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 0 32 * *", "day of month"),
        ("0 0 0 * *", "day of month"),
        ("0 0 * 13 *", "month"),
        ("0 0 * * 8", "day of week"),
        ("60 0 0 * * *", "second"),
        ("0-99999999999999999999 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("1-59/0 * * * *", "minute"),
        ("*/999999999999 * * * *", "minute"),
        ("MON * * * *", "minute"),
        ("0 0 * * 5#9", "day of week"),
        (",, * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("0 0 30 2 *", "no such day"),
        ("0 0 31 4,6,9,11 *", "no such day"),
        ("0 0 * * L", "FRI#L"),
        ("0 0 * * mon,l", "FRI#L"),
        ("* * * *", "fields"),
        ("* * * * * * *", "fields"),
        ("", "fields"),
        ("@reboot", "fields"),
        ("é * * * *", "minute"),
        (&long, "characters"),
    ] {
        let rule = Rule { cron: Some(pattern.into()), ..Rule::default() };
        let (field, detail) = fault(&rule);
        assert!(field == "cron" && detail.contains(what), "{pattern}: {field} {detail}");
    }
}

#[test]
fn other_fields_are_refused_by_their_names() {
    let daily = || Rule { cron: Some("@daily".into()), ..Rule::default() };
    for zone in
        ["localtime", "posixrules", "factory", "Europe/Nowhere", "", "../../etc/passwd", "Etc/Unknown", "UTC0UTC", "\0"]
    {
        assert_eq!(fault(&Rule { timezone: Some(zone.into()), ..daily() }).0, "timezone", "{zone:?}");
    }
    assert_eq!(fault(&Rule { jitter: Some(MAX_JITTER + 1), ..daily() }).0, "jitter");
    assert_eq!(fault(&Rule { every: Some(60_000), ..daily() }).0, "every");
    assert_eq!(fault(&Rule::default()).0, "cron");
    let every = |every| Rule { every: Some(every), ..Rule::default() };
    assert_eq!(fault(&every(999)).0, "every");
    assert_eq!(fault(&every(367 * 86_400_000)).0, "every");
    assert_eq!(fault(&Rule { jitter: Some(1_000), ..every(1_000) }).0, "jitter");
    assert_eq!(fault(&Rule { timezone: Some("UTC".into()), ..every(1_000) }).0, "timezone");
}

#[test]
fn a_named_time_that_the_clock_leaps_over_ticks_once_when_it_has_leapt() {
    // Berlin: at 02:00 it becomes 03:00.
    let march = "2026-03-28T12:00:00Z";
    assert_eq!(shown("30 2 * * *", "Europe/Berlin", march, 2), ["29 03:00 +02:00", "30 02:30 +02:00"]);
    // Several that fall into the leap are one.
    assert_eq!(
        shown("0,15,30 2,3 * * *", "Europe/Berlin", march, 4),
        ["29 03:00 +02:00", "29 03:15 +02:00", "29 03:30 +02:00", "30 02:00 +02:00"]
    );
    // New York: at 02:00 it becomes 03:00.
    assert_eq!(
        shown("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
        ["08 03:00 -04:00", "09 02:30 -04:00"]
    );
    // Lord Howe: at 02:00 it becomes 02:30.
    assert_eq!(
        shown("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", 2),
        ["04 02:30 +11:00", "05 02:15 +11:00"]
    );
    assert_eq!(shown("30 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", 1), ["04 02:30 +11:00"]);
}

#[test]
fn a_named_time_that_the_clock_shows_twice_ticks_the_first_time() {
    assert_eq!(shown("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), ["25 02:30 +02:00", "26 02:30 +01:00"]);
    assert_eq!(
        shown("0,30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 3),
        ["25 02:00 +02:00", "25 02:30 +02:00", "26 02:00 +01:00"]
    );
    // Also where one looks from within the second time.
    assert_eq!(shown("0,30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1), ["26 02:00 +01:00"]);
    assert_eq!(
        shown("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
        ["01 01:30 -04:00", "02 01:30 -05:00"]
    );
    // Lord Howe: at 02:00 it becomes 01:30.
    assert_eq!(
        shown("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", 2),
        ["05 01:45 +11:00", "06 01:45 +10:30"]
    );
}

#[test]
fn a_pattern_that_follows_the_clock_goes_on_by_elapsed_time() {
    for (zone, around) in [
        ("Europe/Berlin", "2026-03-29T00:00:00Z"),
        ("Europe/Berlin", "2026-10-24T22:00:00Z"),
        ("America/New_York", "2026-03-08T05:00:00Z"),
        ("America/New_York", "2026-11-01T04:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T12:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T12:00:00Z"),
    ] {
        let ticks = cron("*/5 * * * *", zone).preview(at(around), 200);
        let steps: Vec<_> = ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(ticks[0] == at(around) + 300_000 && steps.iter().all(|step| *step == 300_000), "{zone} {around}");
    }
    // An hour that is shown twice is there twice; one that is not shown is not there.
    assert_eq!(
        shown("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 5),
        ["25 02:00 +02:00", "25 02:30 +02:00", "25 02:00 +01:00", "25 02:30 +01:00", "26 02:00 +01:00"]
    );
    assert_eq!(shown("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1), ["30 02:00 +02:00"]);
    assert_eq!(
        shown("20 * * * *", "Australia/Lord_Howe", "2026-10-03T14:00:00Z", 4),
        ["04 01:20 +10:30", "04 03:20 +11:00", "04 04:20 +11:00", "04 05:20 +11:00"]
    );
}

#[test]
fn every_counts_from_its_anchor_whatever_the_clock_does() {
    let ticks = every(7_000, 1_000);
    assert_eq!(ticks.preview(0, 3), [8_000, 15_000, 22_000]);
    assert_eq!(ticks.preview(8_000, 2), [15_000, 22_000]);
    assert_eq!(ticks.next(Millis::MAX), None);
    assert_eq!(ticks.count(8_000, 22_000, 100), 2);
}

#[test]
fn what_comes_late_by_little_is_made_whatever_is_said_of_missed_ticks() {
    let ticks = every(1_000, 0);
    for catch_up in [CatchUp::Skip, CatchUp::One, CatchUp::All] {
        let rule = Rule { every: Some(1_000), catch_up, ..Rule::default() };
        let plan = rule.plan("a", &ticks, 5_000, 7_500, 100);
        assert_eq!(plan, Plan { make: vec![5_000, 6_000, 7_000], skipped: 0, next: Some(8_000) }, "{catch_up:?}");
        assert_eq!(rule.plan("a", &ticks, 8_000, 7_500, 100), Plan { next: Some(8_000), ..Plan::default() });
    }
}

#[test]
fn missed_ticks_are_left_out_made_once_or_made_within_bounds() {
    let (minute, day, now) = (60_000, 86_400_000, at("2026-06-01T00:00:30Z"));
    let ticks = cron("* * * * *", "UTC");
    let rule = |catch_up| Rule { cron: Some("* * * * *".into()), catch_up, ..Rule::default() };
    let first = now - 30_000 - 10 * minute;
    let next = Some(now + 30_000);

    let plan = rule(CatchUp::Skip).plan("a", &ticks, first, now, 100);
    assert_eq!(plan, Plan { make: vec![], skipped: 11, next });
    let plan = rule(CatchUp::One).plan("a", &ticks, first, now, 100);
    assert_eq!(plan, Plan { make: vec![now - 30_000], skipped: 10, next });
    let plan = rule(CatchUp::All).plan("a", &ticks, first, now, 100);
    assert_eq!((plan.make.len(), plan.skipped, plan.next), (11, 0, next));
    // A part at a time, without a gap between them.
    let part = rule(CatchUp::All).plan("a", &ticks, first, now, 4);
    assert_eq!((part.make.len(), part.next), (4, Some(first + 4 * minute)));

    // Ten years: what is left out is counted up to a bound, and what is made is the last of it.
    let long_ago = now - 3_650 * day;
    let (mut next, mut made, mut skipped) = (long_ago, Vec::new(), 0);
    loop {
        let plan = rule(CatchUp::All).plan("a", &ticks, next, now, 100);
        skipped += plan.skipped;
        made.extend(plan.make);
        next = plan.next.unwrap();
        if next > now {
            break;
        }
    }
    assert!((500..=MOST_CAUGHT_UP + 1).contains(&made.len()), "{}", made.len());
    assert_eq!((made.last(), skipped), (Some(&(now - 30_000)), 10_000));
    assert!(made.windows(2).all(|pair| pair[1] - pair[0] == minute));
    let plan = rule(CatchUp::One).plan("a", &ticks, long_ago, now, 100);
    assert_eq!((plan.make, plan.next), (vec![now - 30_000], Some(now + 30_000)));
}

#[test]
fn jitter_is_the_same_for_everybody_and_within_its_bound() {
    let rule = Rule { cron: Some("@hourly".into()), jitter: Some(600_000), ..Rule::default() };
    let ticks = rule.compile(0).unwrap();
    let delays: Vec<_> = ticks.preview(0, 100).iter().map(|tick| rule.due("backup", *tick) - tick).collect();
    assert!(delays.iter().all(|delay| (0..=600_000).contains(delay)));
    assert!(delays.iter().collect::<std::collections::BTreeSet<_>>().len() > 90, "they differ");
    assert_eq!(rule.due("backup", 3_600_000), rule.due("backup", 3_600_000));
    assert_ne!(rule.due("backup", 3_600_000), rule.due("reports", 3_600_000));
    // It is not made before it is due.
    let due = rule.due("backup", 3_600_000);
    assert_eq!(rule.plan("backup", &ticks, 3_600_000, due - 1, 10).make, [0; 0]);
    assert_eq!(rule.plan("backup", &ticks, 3_600_000, due, 10).make, [3_600_000]);
}

#[test]
fn a_template_is_a_task_with_the_defaults_of_the_moment() {
    let text = r#"{"name":"a","queue":"q","priority":8,"args":[1, 2],"timeout":null,"delay":"5s","meta":{"k":1}}"#;
    let template: Template = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&template).unwrap(), text);
    let defaults = crate::task::TaskDefaults { max_retries: 7, ..Default::default() };
    let task = template.task("nightly", Some(0), 1_000, &defaults, None).unwrap();
    assert_eq!((task.max_retries, task.timeout_ms, task.run_at), (7, None, Some(6_000)));
    let meta: serde_json::Value = serde_json::from_str(task.meta.as_deref().unwrap()).unwrap();
    assert_eq!(meta, serde_json::json!({"k": 1, "schedule": "nightly", "tick": "1970-01-01T00:00:00Z"}));
    let queue = crate::task::QueueSettings { max_age: Some(4_000), ..Default::default() };
    assert!(template.task("nightly", Some(0), 1_000, &defaults, Some(&queue)).is_err());
}

/// Fields that a scan by the minute can judge: numbers, lists and steps.
fn field(range: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = (String, Vec<u8>)> {
    let all: Vec<u8> = range.clone().collect();
    let first = *range.start();
    prop_oneof![
        Just(("*".to_owned(), all.clone())),
        (1..=12_u8).prop_map(move |step| {
            (format!("*/{step}"), all.iter().copied().filter(|n| (n - first).is_multiple_of(step)).collect())
        }),
        proptest::collection::btree_set(range, 1..4).prop_map(|set| {
            let text: Vec<_> = set.iter().map(ToString::to_string).collect();
            (text.join(","), set.into_iter().collect())
        }),
    ]
}

const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_is_more_than_refused(text in "[ -~]{0,40}|([*0-9LW#,/-]{1,6} ){4,5}[*0-9LW#,/-]{1,6}|\\PC{0,20}") {
        if let Ok(ticks) = (Rule { cron: Some(text), ..Rule::default() }).compile(0) {
            let next = ticks.preview(1_700_000_000_000, 3);
            prop_assert!(next.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn ticks_agree_with_a_scan_of_the_clock(
        minute in field(0..=59),
        hour in field(0..=23),
        day in field(1..=31),
        zone in proptest::sample::select(&ZONES[..]),
        // Around the changes of a year, and in between.
        start in proptest::sample::select(vec!["2026-03-07", "2026-03-28", "2026-04-04", "2026-06-30", "2026-10-03", "2026-10-24", "2026-10-31"]),
        offset in 0_i64..86_400_000,
    ) {
        let pattern = format!("{} {} {} * *", minute.0, hour.0, day.0);
        let (ticks, clock) = (cron(&pattern, zone), TimeZone::get(zone).unwrap());
        let after = at(&format!("{start}T00:00:00Z")) + offset;
        let until = after + 50 * 3_600_000;
        let found: Vec<_> = std::iter::successors(ticks.next(after), |tick| ticks.next(*tick))
            .take_while(|tick| *tick <= until)
            .collect();
        prop_assert!(found.first().is_none_or(|first| *first > after));
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
        // Where the next one is does not depend on from where one looks.
        for tick in &found {
            prop_assert_eq!(ticks.next(tick - 1), Some(*tick));
        }
        prop_assert_eq!(ticks.count(after, until, 10_000), found.len());

        let matches = |at: Millis| {
            let at = Timestamp::from_millisecond(at).unwrap();
            let local = clock.to_offset(at).to_datetime(at);
            let has = |of: &(String, Vec<u8>), n: i8| of.1.contains(&n.unsigned_abs());
            has(&minute, local.minute()) && has(&hour, local.hour()) && has(&day, local.day())
        };
        let minutes = (after.div_euclid(60_000) + 1..=until.div_euclid(60_000)).map(|minute| minute * 60_000);
        let scanned: Vec<_> = minutes.filter(|at| matches(*at)).collect();
        if pattern.starts_with(|c| c != '*') && !hour.0.contains('*') {
            // Named times: as often as the scan where the clock does not change.
            let offset_at = |at: Millis| clock.to_offset(Timestamp::from_millisecond(at).unwrap());
            if offset_at(after - 86_400_000) == offset_at(until + 86_400_000) {
                prop_assert_eq!(found, scanned);
            }
        } else {
            prop_assert_eq!(found, scanned);
        }
    }

    #[test]
    fn the_newest_are_no_more_than_wanted_and_no_fewer_than_half(
        most in 1_usize..50,
        hours in 1_i64..200,
        pattern in proptest::sample::select(vec!["* * * * *", "*/7 3 * * *", "0 0 * * *", "*/10 * 1 * * *"]),
    ) {
        let ticks = cron(pattern, "Europe/Berlin");
        let until = at("2026-11-01T00:00:00Z");
        let after = until - hours * 3_600_000;
        let from = ticks.newest(most, after, until);
        let (all, kept) = (ticks.count(after, until, 1_000_000), ticks.count(from, until, 1_000_000));
        prop_assert!(from >= after && kept <= most && kept >= all.min(most.div_ceil(2)), "{kept} of {all}, most {most}");
    }
}
