//! Persistent commands: children that stay.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use jobqueue::{
    task::{Again, ErrorKind, Granted, Outcome, TaskError},
    work::{CommandSpec, Limits, PersistentHandler, Recycling, Registry, StopSignal, perform},
};
use serde_json::{Value, json};

use crate::support::{ended, eventually, granted, run, within};

const FOR_EVER: Recycling = Recycling { max_tasks: 0, memory: None };

/// Answers by what its first argument says, in Perl: it is on every Debian.
const CHILD: &str = r##"
use strict; use warnings; use POSIX; $| = 1; my $served = 0;
while (my $line = <STDIN>) {
    my ($id) = $line =~ /"id":"([^"]+)"/; my ($what) = $line =~ /"args":\["([^"]*)"/; my ($more) = $line =~ /"args":\["[^"]*","([^"]*)"/;
    $served++;
    if ($what eq 'pid') { print qq({"id":"$id","result":{"pid":$$,"served":$served}}\n) }
    elsif ($what eq 'null') { print qq({"id":"$id","result":null}\n) }
    elsif ($what eq 'error') { print STDERR "on stderr\n"; print qq({"id":"$id","error":{"message":"no customer","retryable":false}}\n) }
    elsif ($what eq 'snooze') { print qq({"id":"$id","snooze":"5m"}\n) }
    elsif ($what eq 'exit') { print STDERR "giving up\n"; exit $more }
    elsif ($what eq 'kill') { kill 'KILL', $$; sleep 60 }
    elsif ($what eq 'print') { print "hello\n" }
    elsif ($what eq 'bytes') { print "\xff\xfe\n" }
    elsif ($what eq 'half') { print qq({"id":"$id","res); exit 0 }
    elsif ($what eq 'flood') { print 'x' x 10000 for 1..100000 }
    elsif ($what eq 'close') { close STDOUT; sleep 60 }
    elsif ($what eq 'other') { print qq({"id":"00000000-0000-7000-8000-000000000000","result":1}\n) }
    elsif ($what eq 'twice') { print qq({"id":"$id","result":1}\n{"id":"$id","result":2}\n) }
    elsif ($what eq 'late') { print qq({"id":"$id","result":1}\n); system("mkfifo $more.fifo"); open my $f, '>', $more; close $f;
        open my $wait, '<', "$more.fifo"; <$wait>; print qq({"id":"$id","result":2}\n); open $f, '>', "$more.done"; close $f }
    elsif ($what eq 'term') { local $SIG{TERM} = sub { print qq({"id":"$id","error":{"message":"told to stop"}}\n); die "stop\n" };
        open my $f, '>', $more; close $f; eval { sleep 60 while 1 } }
    elsif ($what eq 'deaf') { local $SIG{TERM} = 'IGNORE'; open my $f, '>', $more; print $f $$; close $f; sleep 60 while 1 }
    elsif ($what eq 'hoard') { our $hoard = 'x' x (64e6 + $served); print qq({"id":"$id","result":{"pid":$$}}\n) }
    elsif ($what eq 'limits') { my $l = `ulimit -n; ulimit -v`; $l =~ s/\s+/ /g; print qq({"id":"$id","result":"$l"}\n) }
    elsif ($what eq 'env') { print qq({"id":"$id","result":["$ENV{JOBQUEUE_PROTOCOL}",").(exists $ENV{JOBQUEUE_TASK_ID} ? 1 : 0).qq("]}\n) }
    elsif ($what eq 'farewell') { print qq({"id":"$id","result":{"pid":$$}}\n); while (<STDIN>) {} open my $f, '>', $more; close $f; exit 0 }
}
"##;

fn spec() -> CommandSpec {
    CommandSpec::new(["perl", "-e", CHILD])
}

fn registry(spec: CommandSpec, recycling: Recycling) -> Registry {
    let mut registry = Registry::new();
    registry.add("child", PersistentHandler::new(spec, recycling, None).unwrap()).unwrap();
    registry
}

fn task(args: &[&str]) -> Granted {
    granted("child", &serde_json::to_string(args).unwrap(), "{}")
}

async fn ask(registry: &Registry, args: &[&str]) -> Outcome {
    run(registry, task(args)).await
}

async fn answer(registry: &Registry, args: &[&str]) -> Value {
    match ask(registry, args).await {
        Outcome::Success(result) => serde_json::from_str(&result).unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn failure(registry: &Registry, args: &[&str]) -> (TaskError, Again) {
    match ask(registry, args).await {
        Outcome::Failure { error, again } => (error, again),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_child_runs_task_after_task() {
    let registry = registry(spec(), FOR_EVER);
    let first = answer(&registry, &["pid"]).await;
    for served in 2..20 {
        assert_eq!(answer(&registry, &["pid"]).await, json!({"pid": first["pid"], "served": served}));
    }
    assert_eq!(answer(&registry, &["null"]).await, Value::Null);
    assert!(matches!(ask(&registry, &["snooze"]).await, Outcome::Snoozed(300_000)));
    let (error, again) = failure(&registry, &["error"]).await;
    assert_eq!((error.kind, &*error.message, again), (ErrorKind::Failure, "no customer", Again::Never));
    assert_eq!(answer(&registry, &["env"]).await, json!(["1", "0"]));
    // None of that was a reason for another child.
    assert_eq!(answer(&registry, &["pid"]).await["pid"], first["pid"]);
}

#[tokio::test]
async fn tasks_at_a_time_have_children_of_their_own() {
    let registry = registry(spec(), FOR_EVER);
    let args = ["pid"];
    let answers = futures_util::future::join_all((0..4).map(|_| answer(&registry, &args))).await;
    let children: HashSet<_> = answers.iter().map(|answer| answer["pid"].as_u64().unwrap()).collect();
    assert_eq!(children.len(), 4);
    assert!(children.contains(&answer(&registry, &args).await["pid"].as_u64().unwrap()));
}

#[tokio::test]
async fn whatever_a_child_does_fails_its_attempt_with_the_reason_and_no_other() {
    let mut spec = spec();
    spec.output_limit = 64 * 1024;
    spec.permanent_exit_codes.insert(65);
    let registry = registry(spec, FOR_EVER);
    for (args, kind, told) in [
        (&["exit", "3"][..], ErrorKind::Exit, "giving up (exit code 3)"),
        (&["exit", "0"], ErrorKind::Exit, "giving up (it ended (exit code 0) before it answered)"),
        (&["kill"], ErrorKind::Signal, "signal 9"),
        (&["print"], ErrorKind::Output, "begins with \"hello\""),
        (&["bytes"], ErrorKind::Output, "not UTF-8"),
        (&["half"], ErrorKind::Exit, "before it answered"),
        (&["flood"], ErrorKind::Output, "longer than 65536 bytes"),
        (&["close"], ErrorKind::Output, "closed its standard output"),
        (&["other"], ErrorKind::Output, "not the task that it was given"),
    ] {
        let (error, again) = failure(&registry, args).await;
        assert_eq!(error.kind, kind, "{args:?}: {error:?}");
        assert!(error.message.contains(told), "{args:?}: {error:?}");
        assert_eq!(again, Again::ByPolicy);
        assert_eq!(answer(&registry, &["pid"]).await["served"], 1, "after {args:?}");
    }
    assert_eq!(failure(&registry, &["exit", "65"]).await.1, Again::Never);
    // The first answer counts, and that child is not asked again.
    let before = answer(&registry, &["pid"]).await["pid"].clone();
    assert_eq!(answer(&registry, &["twice"]).await, 1);
    assert_ne!(answer(&registry, &["pid"]).await["pid"], before);
}

#[tokio::test]
async fn a_second_answer_between_tasks_is_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let registry = registry(spec(), FOR_EVER);
    assert_eq!(answer(&registry, &["late", ready.to_str().unwrap()]).await, 1);
    exists(&ready).await;
    fs::write(folder.path().join("ready.fifo"), "go\n").unwrap();
    exists(&folder.path().join("ready.done")).await;
    assert_eq!(answer(&registry, &["pid"]).await["served"], 1);
}

async fn exists(file: &Path) {
    eventually("the child writes its file", || file.exists().then_some(())).await;
}

#[tokio::test]
async fn a_child_that_died_without_a_task_costs_no_attempt() {
    let registry = registry(spec(), FOR_EVER);
    let pid = answer(&registry, &["pid"]).await["pid"].as_u64().unwrap() as u32;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL).unwrap();
    ended(pid).await;
    assert_eq!(answer(&registry, &["pid"]).await["served"], 1);
}

#[tokio::test]
async fn a_child_is_replaced_after_its_tasks_and_ends_by_itself() {
    let registry = registry(spec(), Recycling { max_tasks: 3, memory: None });
    let mut children = HashSet::new();
    for number in 0..9 {
        let answer = answer(&registry, &["pid"]).await;
        assert!(answer["served"].as_u64().unwrap() <= 3, "{number}: {answer}");
        children.insert(answer["pid"].as_u64().unwrap());
    }
    assert!((3..=9).contains(&children.len()), "{children:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("farewell");
    let registry = self::registry(spec(), Recycling { max_tasks: 1, memory: None });
    answer(&registry, &["farewell", file.to_str().unwrap()]).await;
    exists(&file).await;
}

#[tokio::test]
async fn a_child_that_holds_too_much_is_replaced() {
    let registry = registry(spec(), Recycling { max_tasks: 0, memory: Some(48 << 20) });
    let small = answer(&registry, &["pid"]).await["pid"].clone();
    assert_eq!(answer(&registry, &["hoard"]).await["pid"], small);
    assert_ne!(answer(&registry, &["pid"]).await["pid"], small);
}

#[tokio::test]
async fn the_kernel_holds_its_limits() {
    let mut spec = spec();
    spec.limits = Limits { memory: Some(256 << 20), open_files: Some(40), ..Limits::default() };
    let registry = registry(spec, FOR_EVER);
    assert_eq!(answer(&registry, &["limits"]).await, format!("40 {} ", 256 << 10));
}

#[tokio::test]
async fn a_child_is_asked_to_stop_and_then_killed() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry(spec(), FOR_EVER);
    let file = folder.path().join("polite");
    // Asked, it answers: that is heard, the task is cancelled, and the child has been told to stop, so it is not used again.
    let (stop, task_) = (StopSignal::new(), task(&["term", file.to_str().unwrap()]));
    let stopping = async {
        exists(&file).await;
        stop.cancel();
    };
    let (outcome, ()) =
        within(async { tokio::join!(perform(&registry, task_, &stop, Duration::from_secs(10)), stopping) }).await;
    assert!(matches!(outcome, Outcome::Cancelled), "{outcome:?}");
    // Deaf, it is killed when the grace is over; a limit of time says so.
    let file = folder.path().join("deaf");
    let mut late = task(&["deaf", file.to_str().unwrap()]);
    late.timeout_ms = Some(300);
    let began = Instant::now();
    let outcome = within(perform(&registry, late, &StopSignal::new(), Duration::from_millis(100))).await;
    assert!(matches!(outcome, Outcome::TimedOut(_)), "{outcome:?}");
    assert!(began.elapsed() >= Duration::from_millis(400));
    ended(fs::read_to_string(&file).unwrap().parse().unwrap()).await;
    assert_eq!(answer(&registry, &["pid"]).await["served"], 1);
}

#[tokio::test]
async fn children_end_with_their_handler() {
    let registry = registry(spec(), FOR_EVER);
    let pid = answer(&registry, &["pid"]).await["pid"].as_u64().unwrap() as u32;
    drop(registry);
    ended(pid).await;
}

#[tokio::test]
async fn a_program_that_cannot_start_is_named() {
    let registry = registry(CommandSpec::new(["/does/not/exist"]), FOR_EVER);
    let (error, _) = failure(&registry, &["pid"]).await;
    assert_eq!(error.kind, ErrorKind::Spawn);
    assert!(error.message.contains("/does/not/exist"), "{error:?}");
}
