//! Rust functions as handlers: how arguments map, what errors become; and the demo handlers.

use std::{collections::BTreeMap, error::Error, fmt, time::Duration};

use crate::support::{failure, granted, run};
use jobqueue::{
    task::{Again, ErrorKind, Outcome},
    work::{Arguments, Registry, Snooze, TaskFailure, demo},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Runs an identity function over a `T`: its result shows how the arguments were read, or the message why not.
async fn read<T: DeserializeOwned + Serialize + Send + 'static>(args: &str, kwargs: &str) -> Result<String, String> {
    let mut registry = Registry::new();
    registry.task("identity", |_, value: T| async move { Ok::<_, TaskFailure>(value) }).unwrap();
    match run(&registry, granted("identity", args, kwargs)).await {
        Outcome::Success(result) => Ok(result),
        Outcome::Failure { error, again: Again::Never } if error.kind == ErrorKind::Arguments => Err(error.message),
        other => panic!("{other:?}"),
    }
}

macro_rules! reads {
    ($type:ty, $args:expr, $kwargs:expr => $result:expr) => {
        assert_eq!(read::<$type>($args, $kwargs).await, Ok($result.to_string()), "{}", stringify!($type));
    };
}

macro_rules! refuses {
    ($type:ty, $args:expr, $kwargs:expr => $message:expr) => {
        assert_eq!(read::<$type>($args, $kwargs).await, Err($message.to_string()), "{}", stringify!($type));
    };
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Point {
    x: i64,
    y: i64,
}

#[derive(Serialize, Deserialize)]
struct Strict {
    items: Vec<Point>,
    label: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Both {
    kwargs: Point,
    args: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
struct Wrapped(Vec<i64>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Custom(u8),
}

#[tokio::test]
async fn structs_and_maps_are_read_from_names_or_one_object_or_positions() {
    reads!(Point, "[]", r#"{"x":1,"y":2}"# => r#"{"x":1,"y":2}"#);
    reads!(Point, r#"[ {"x":1} ]"#, "{ }" => r#"{"x":1,"y":0}"#);
    reads!(Point, "[3,4]", "{}" => r#"{"x":3,"y":4}"#);
    reads!(Point, "[ ]", " {} " => r#"{"x":0,"y":0}"#);
    reads!(BTreeMap<String, i64>, "[]", r#"{"a":1}"# => r#"{"a":1}"#);
    reads!(BTreeMap<String, i64>, r#"[{"a":1}]"#, "{}" => r#"{"a":1}"#);
    reads!(BTreeMap<String, i64>, "[]", "{}" => "{}");
}

#[tokio::test]
async fn lists_are_read_from_the_array_and_values_from_its_only_element() {
    reads!((i64, String), r#"[1,"a"]"#, "{}" => r#"[1,"a"]"#);
    reads!((i64,), "[1]", "{}" => "[1]");
    reads!(Vec<i64>, "[]", "{}" => "[]");
    reads!(Vec<Vec<i64>>, "[[1,2]]", "{}" => "[[1,2]]");
    reads!(Wrapped, "[1,2]", "{}" => "[1,2]");
    reads!(i64, "[-5]", "{}" => "-5");
    reads!(u128, "[340282366920938463463374607431768211455]", "{}" => "340282366920938463463374607431768211455");
    reads!(f64, "[1.5]", "{}" => "1.5");
    reads!(bool, "[true]", "{}" => "true");
    reads!(String, r#"["\u00e9; $(id)"]"#, "{}" => "\"é; $(id)\"");
    reads!(Colour, r#"["red"]"#, "{}" => r#""red""#);
    reads!(Colour, r#"[{"custom":7}]"#, "{}" => r#"{"custom":7}"#);
    reads!(Colour, "[]", r#"{"custom":7}"# => r#"{"custom":7}"#);
}

#[tokio::test]
async fn nothing_is_unit_or_none_and_anything_is_what_was_given() {
    reads!((), "[]", "{}" => "null");
    reads!(Option<i64>, "[]", "{}" => "null");
    reads!(Option<i64>, "[4]", "{}" => "4");
    reads!(Option<Point>, "[]", r#"{"x":1}"# => r#"{"x":1,"y":0}"#);
    reads!(Value, "[4]", "{}" => "[4]");
    reads!(Value, "[]", r#"{"a":[1]}"# => r#"{"a":[1]}"#);
}

#[tokio::test]
async fn both_are_read_by_a_type_with_both() {
    reads!(Both, "[1,2]", r#"{"x":5}"# => r#"{"kwargs":{"x":5,"y":0},"args":[1,2]}"#);
    reads!(Both, "[1,2]", "{}" => r#"{"kwargs":{"x":0,"y":0},"args":[1,2]}"#);
    reads!(Arguments, "[1, 2]", r#"{"big":9007199254740993}"# => r#"{"args":[1, 2],"kwargs":{"big":9007199254740993}}"#);
    let both = "the arguments do not fit: it takes either positional (args) or named (kwargs) arguments, and the task \
                has both";
    refuses!(Point, "[1]", r#"{"x":5}"# => both);
    refuses!(Value, "[1]", r#"{"x":5}"# => both);
}

#[tokio::test]
async fn a_misfit_names_the_field() {
    refuses!(Strict, "[]", r#"{"items":[{"x":1},{"x":"one"}]}"# =>
        "argument `items[1].x`: invalid type: string \"one\", expected i64");
    refuses!(Strict, "[]", r#"{"label":"a"}"# => "the arguments do not fit: missing field `items`");
    refuses!(Both, "[1]", r#"{"x":null}"# => "argument `kwargs.x`: invalid type: null, expected i64");
    refuses!((i64, i64), r#"[1,"b"]"#, "{}" => "argument `[1]`: invalid type: string \"b\", expected i64");
    refuses!(i64, "[]", "{}" => "the arguments do not fit: expected exactly one positional argument");
    refuses!(i64, "[1,2]", "{}" => "the arguments do not fit: expected exactly one positional argument");
    refuses!(i64, "[]", r#"{"a":1}"# => "the arguments do not fit: invalid type: map, expected i64");
    refuses!((), "[1]", "{}" => "the arguments do not fit: it takes no arguments");
}

#[derive(Debug)]
struct Layer(&'static str, Option<Box<Layer>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Layer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|inner| &**inner as &dyn Error)
    }
}

fn layers() -> Layer {
    Layer("cannot charge", Some(Box::new(Layer("gateway", Some(Box::new(Layer("refused", None)))))))
}

#[tokio::test]
async fn errors_of_every_sort_are_recorded_with_their_sources() {
    let mut registry = Registry::new();
    registry.task("error", |_, ()| async { Err::<(), _>(layers()) }).unwrap();
    registry.task("boxed", |_, ()| async { Err::<(), Box<dyn Error + Send + Sync>>(layers().into()) }).unwrap();
    registry.task("string", |_, ()| async { Err::<(), _>(String::from("cannot charge")) }).unwrap();
    registry.task("text", |_, ()| async { Err::<(), _>("cannot charge") }).unwrap();
    registry
        .task("question", |_, ()| async {
            Err(layers())?;
            Ok::<_, TaskFailure>(())
        })
        .unwrap();
    registry.task("final", |_, ()| async { Err::<(), _>(TaskFailure::new("cannot charge").not_retryable()) }).unwrap();
    for name in ["error", "boxed", "question", "string", "text", "final"] {
        let outcome = run(&registry, granted(name, "[]", "{}")).await;
        assert_eq!(matches!(outcome, Outcome::Failure { again: Again::ByPolicy, .. }), name != "final", "{name}");
        let error = failure(outcome, ErrorKind::Failure);
        assert_eq!(error.message, "cannot charge");
        let chain = matches!(name, "error" | "boxed" | "question");
        assert_eq!(error.detail.as_deref(), chain.then_some("caused by: gateway\ncaused by: refused"), "{name}");
    }
}

#[tokio::test]
async fn a_function_says_when_it_is_to_run_again() {
    const HALF: Duration = Duration::from_secs(30);
    let mut registry = Registry::new();
    registry
        .task("later", |_, ()| async { Err::<(), _>(TaskFailure::new("busy").not_retryable().retry_after(HALF)) })
        .unwrap()
        .task("plain", |_, ()| async { Err::<(), _>(Snooze(HALF)) })
        .unwrap()
        .task("question", |_, ()| async {
            Err(Snooze(HALF))?;
            Ok::<_, TaskFailure>(())
        })
        .unwrap()
        .task("never", |_, ()| async { Err::<(), _>(Snooze(Duration::MAX)) })
        .unwrap();
    let ended = |name| run(&registry, granted(name, "[]", "{}"));
    let later = ended("later").await;
    assert!(matches!(&later, Outcome::Failure { again: Again::After(30_000), .. }), "{later:?}");
    assert_eq!(ended("plain").await, Outcome::Snoozed(30_000));
    assert_eq!(ended("question").await, Outcome::Snoozed(30_000));
    assert_eq!(ended("never").await, Outcome::Snoozed(i64::MAX));
}

#[tokio::test]
async fn a_result_that_is_not_json_is_a_failure() {
    let mut registry = Registry::new();
    registry.task("odd", |_, ()| async { Ok::<_, TaskFailure>(BTreeMap::from([(vec![1], 2)])) }).unwrap();
    let outcome = run(&registry, granted("odd", "[]", "{}")).await;
    assert!(failure(outcome, ErrorKind::Failure).message.starts_with("the result is not JSON: "));
}

async fn demo(name: &str, args: &str, kwargs: &str) -> Outcome {
    let mut registry = Registry::new();
    demo::register(&mut registry).unwrap();
    demo::register_faults(&mut registry).unwrap();
    run(&registry, granted(name, args, kwargs)).await
}

#[tokio::test]
async fn demo_add_is_exact_for_integers() {
    for (args, sum) in [
        ("[]", "0"),
        ("[1,2,3]", "6"),
        ("[9007199254740993, 0]", "9007199254740993"),
        ("[18446744073709551615, 18446744073709551615]", "36893488147419103230"),
        ("[-1, 1.5]", "0.5"),
        ("[1e2]", "100.0"),
    ] {
        assert_eq!(demo("demo.add", args, "{}").await, Outcome::Success(sum.into()), "{args}");
    }
    let error = failure(demo("demo.add", r#"[1,"2"]"#, "{}").await, ErrorKind::Arguments);
    assert_eq!(error.message, "argument `[1]`: expected a number, not \"2\"");
    failure(demo("demo.add", "[1.7e308, 1.7e308]", "{}").await, ErrorKind::Failure);
}

#[tokio::test(start_paused = true)]
async fn the_other_demo_handlers_do_as_they_are_told() {
    let echoed = r#"{"args":[1,"é"],"kwargs":{"a":null}}"#;
    assert_eq!(demo("demo.echo", "[1,\"é\"]", r#"{"a":null}"#).await, Outcome::Success(echoed.into()));
    assert_eq!(demo("demo.sleep", "[1.5]", "{}").await, Outcome::Success("1.5".into()));
    assert_eq!(demo("demo.sleep", "[]", r#"{"seconds":2}"#).await, Outcome::Success("2.0".into()));
    failure(demo("demo.sleep", "[1e300]", "{}").await, ErrorKind::Arguments);
    failure(demo("demo.sleep", "[]", "{}").await, ErrorKind::Arguments);
    assert_eq!(failure(demo("demo.fail", r#"["boom"]"#, "{}").await, ErrorKind::Failure).message, "boom");
    failure(demo("demo.fail", "[]", r#"{"times":1}"#).await, ErrorKind::Failure);
    assert_eq!(demo("demo.fail", "[]", r#"{"times":0}"#).await, Outcome::Success("\"succeeded at attempt 1\"".into()));
    assert_eq!(demo("fault.noop", "[1]", "{}").await, Outcome::Success("null".into()));
    assert_eq!(demo("fault.block", "[3]", "{}").await, Outcome::Success("3.0".into()));
    failure(demo("fault.panic", "[]", "{}").await, ErrorKind::Panic);
}
