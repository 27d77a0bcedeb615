use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use log::{Level, Log, Record};
use serde_json::{Value, json};

use super::{DailyFiles, Format, Options, build, filter, format};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn record<R>(message: &str, pairs: &[(&str, log::kv::Value<'_>)], with: impl FnOnce(&Record<'_>) -> R) -> R {
    let pairs: &dyn log::kv::Source = &pairs;
    with(
        &Record::builder()
            .level(Level::Warn)
            .target("jobqueue::test")
            .args(format_args!("{message}"))
            .key_values(pairs)
            .build(),
    )
}

#[test]
fn json_is_one_object_a_line_with_types_kept() {
    let ids = serde_json::json!({"a": [1, null]});
    let pairs = [
        ("task.id", "id\n1".into()),
        ("duration_ms", 12_u64.into()),
        ("ratio", 0.5.into()),
        ("ok", true.into()),
        ("huge", u128::MAX.into()),
        ("nan", f64::NAN.into()),
        ("none", log::kv::Value::null()),
        ("nested", log::kv::Value::from_serde(&ids)),
        ("msg", "not the message".into()),
    ];
    let line = record("line one\nline \"two\" ü 🦀 \u{1b}[31m\u{9b}\u{2028}", &pairs, |r| {
        format::json(r, at("2026-01-31T23:59:59.9996Z"))
    });
    assert_eq!(line.matches('\n').count(), 1);
    assert!(
        line.ends_with("}\n") && line.starts_with(r#"{"ts":"2026-01-31T23:59:59.999Z","level":"warn","target":"#),
        "{line}"
    );
    assert!(!line.trim_end().contains(|c: char| c.is_control() || c == '\u{2028}'), "{line:?}");
    assert!(line.contains(&format!("\"huge\":{}", u128::MAX)), "{line}");
    let value: Value = serde_json::from_str(&line.replace(&u128::MAX.to_string(), "1")).unwrap();
    assert_eq!(
        value,
        json!({
            "ts": "2026-01-31T23:59:59.999Z", "level": "warn", "target": "jobqueue::test",
            "msg": "line one\nline \"two\" ü 🦀 \u{1b}[31m\u{9b}\u{2028}",
            "task.id": "id\n1", "duration_ms": 12, "ratio": 0.5, "ok": true, "huge": 1, "nan": null, "none": null,
            "nested": {"a": [1, null]}, "field.msg": "not the message",
        })
    );
}

#[test]
fn text_is_indented_and_cannot_command_a_terminal() {
    let pairs = [("task.id", "a".into()), ("why", "two words\u{1b}".into()), ("n", 3.into()), ("empty", "".into())];
    let line = record("one\n2026 two\u{1b}[2J", &pairs, |r| format::text(r, at("2026-01-31T12:00:00Z"), None));
    assert_eq!(
        line,
        "2026-01-31T12:00:00.000Z WARN  jobqueue::test: one\n    2026 two\\u{1b}[2J task.id=a \
         why=\"two words\\u{1b}\" n=3 empty=\"\"\n"
    );
}

#[test]
fn filters_are_checked() {
    for (text, filter) in [
        ("info", "info"),
        ("WARNING", "warn"),
        ("critical", "error"),
        ("off", "off"),
        (" warn , jobqueue::engine=debug ", "warn,jobqueue::engine=debug"),
        ("info/task", "info/task"),
    ] {
        assert_eq!(filter::parse(text).as_deref(), Ok(filter), "{text}");
    }
    for text in ["inof", "", ",", "jobqueue", "jobqueue=verbose", "=info", "a b=info", "info,nonsense"] {
        assert!(filter::parse(text).unwrap_err().starts_with("expected error, warn"), "{text}");
    }
}

/// A clock for each test: the function pointer leaves no room for state, so each test has its own static.
macro_rules! clock {
    ($name:ident) => {
        static NOW: AtomicI64 = AtomicI64::new(0);
        fn $name() -> Timestamp {
            Timestamp::from_millisecond(NOW.load(Ordering::SeqCst)).unwrap()
        }
    };
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_file_at_midnight_and_old_ones_go() {
    clock!(now);
    let set = |text: &str| NOW.store(at(text).as_millisecond(), Ordering::SeqCst);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("made/on/demand");
    fs::create_dir_all(&dir).unwrap();
    for name in
        ["jobqueue_2026-01-01.log", "jobqueue_2026-01-02.log", "jobqueue_2020-02-30.log", "other_2020-01-01.log"]
    {
        fs::write(dir.join(name), "old").unwrap();
    }
    set("2026-01-31T23:59:59.999Z");
    let mut files = DailyFiles::new(dir.clone(), now);
    assert_eq!(files.prepare(), None);
    let kept =
        ["jobqueue_2020-02-30.log", "jobqueue_2026-01-01.log", "jobqueue_2026-01-02.log", "jobqueue_2026-01-31.log"];
    assert_eq!(names(&dir), [&kept[..], &["other_2020-01-01.log"]].concat(), "thirty days are kept");
    files.write("a\n");
    set("2026-02-01T00:00:00Z");
    files.write("b\n");
    files.write("c\n");
    assert_eq!(fs::read_to_string(dir.join("jobqueue_2026-01-31.log")).unwrap(), "a\n");
    assert_eq!(fs::read_to_string(dir.join("jobqueue_2026-02-01.log")).unwrap(), "b\nc\n");
    assert!(!names(&dir).contains(&"jobqueue_2026-01-01.log".to_owned()), "the switch removes what is too old by then");
    assert!(names(&dir).contains(&"jobqueue_2026-01-02.log".to_owned()));
}

#[test]
fn a_folder_that_cannot_be_made_is_one_warning_until_it_works() {
    clock!(now);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("logs");
    fs::write(&dir, "a file is in the way").unwrap();
    let mut files = DailyFiles::new(dir.clone(), now);
    let warning = files.prepare().unwrap();
    assert!(warning.contains("cannot write log files in") && warning.contains("LOG_DIR"), "{warning}");
    assert_eq!(files.write("lost\n"), None);
    fs::remove_file(&dir).unwrap();
    NOW.fetch_add(59_999, Ordering::SeqCst);
    assert_eq!(files.write("still lost\n"), None);
    assert!(!dir.exists());
    NOW.fetch_add(1, Ordering::SeqCst);
    assert_eq!(files.write("kept\n"), None);
    assert_eq!(fs::read_to_string(dir.join("jobqueue_1970-01-01.log")).unwrap(), "kept\n");
}

#[test]
fn a_full_disk_costs_the_lines_and_nothing_else() {
    clock!(now);
    let folder = tempfile::tempdir().unwrap();
    // Every write to it fails with ENOSPC.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("jobqueue_1970-01-01.log")).unwrap();
    let mut files = DailyFiles::new(folder.path().to_owned(), now);
    assert_eq!(files.prepare(), None);
    assert!(files.write("a\n").unwrap().contains("No space left"), "the first loss is reported");
    assert_eq!(files.write("b\n"), None, "the next is not");
    NOW.store(86_400_000, Ordering::SeqCst);
    assert_eq!(files.write("c\n"), None);
    assert_eq!(fs::read_to_string(folder.path().join("jobqueue_1970-01-02.log")).unwrap(), "c\n");
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[test]
fn a_terminal_gets_text_and_the_file_json() {
    clock!(now);
    let folder = tempfile::tempdir().unwrap();
    for (format, terminal, json_shown, json_kept) in [
        (Format::Auto, true, false, true),
        (Format::Auto, false, true, true),
        (Format::Json, true, true, true),
        (Format::Text, false, false, false),
    ] {
        let sink = Sink::default();
        let dir = folder.path().join(format!("{format:?}{terminal}"));
        let options = Options { filter: "warn".into(), format, dir: None };
        let files = Some(DailyFiles::new(dir.clone(), now));
        let (logger, warning) = build(&options, files, terminal, Some(Box::new(sink.clone())));
        assert_eq!(warning, None);
        record("hello", &[], |record| logger.log(record));
        logger.log(&Record::builder().level(Level::Info).args(format_args!("filtered")).build());
        let kept = fs::read_to_string(dir.join("jobqueue_1970-01-01.log")).unwrap();
        for (text, json) in [(sink.text(), json_shown), (kept, json_kept)] {
            assert_eq!(text.lines().count(), 1, "{text}");
            assert_eq!(text.starts_with('{'), json, "{format:?} {terminal}: {text}");
            assert!(text.contains("hello"));
        }
    }
}

#[test]
fn trouble_with_the_file_is_said_where_the_log_goes_on() {
    clock!(now);
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("jobqueue_1970-01-01.log")).unwrap();
    let sink = Sink::default();
    let options = Options { filter: "info".into(), format: Format::Json, dir: None };
    let files = Some(DailyFiles::new(folder.path().to_owned(), now));
    let (logger, _) = build(&options, files, false, Some(Box::new(sink.clone())));
    record("one", &[], |record| logger.log(record));
    record("two", &[], |record| logger.log(record));
    let lines: Vec<Value> = sink.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0]["msg"].as_str().unwrap().contains("No space left"), "{lines:?}");
    assert_eq!((&lines[1]["msg"], &lines[2]["msg"]), (&json!("one"), &json!("two")));
}

/// Logging and the hook belong to a whole process, so this test runs itself again as one of its own.
#[test]
fn a_process_logs_its_panics() {
    const CHILD: &str = "JOBQUEUE_TEST_LOG_DIR";
    let name = format!("{}::a_process_logs_its_panics", module_path!().split_once("::").unwrap().1);
    if let Some(dir) = std::env::var_os(CHILD) {
        super::init(&Options { filter: "info".into(), format: Format::Json, dir: Some(dir.into()) }).unwrap();
        super::install_panic_hook();
        super::install_panic_hook();
        log::info!("task.id" = "a"; "started");
        let doomed = std::thread::Builder::new().name("doomed".into()).spawn(|| panic!("on\npurpose")).unwrap();
        assert!(doomed.join().is_err());
        assert_eq!(super::panics(), 1);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, folder.path())
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let kept = fs::read_to_string(folder.path().join(&names(folder.path())[0])).unwrap();
    let shown = String::from_utf8(child.stderr).unwrap();
    assert_eq!(kept, shown, "both have the same lines");
    let lines: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["task.id"], &lines[1]["level"]), (2, &json!("a"), &json!("error")));
    assert_eq!(lines[1]["msg"], "a thread panicked: on\npurpose");
    assert_eq!((&lines[1]["panic.thread"], &lines[1]["panic.backtrace"]), (&json!("doomed"), &Value::Null));
    assert!(lines[1]["panic.location"].as_str().unwrap().contains("logging/tests.rs:"), "{lines:?}");
}
