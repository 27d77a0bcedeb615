//! `submit` of tasks that are not for every worker.

use super::{Answer, against, task};

#[test]
fn labels_are_sent_as_they_are_given_and_bad_ones_not_at_all() {
    let args = ["submit", "x", "--requires", "gpu", "--requires", "region:eu"];
    let (ran, fake) = against([Answer::Json(201, task("queued"))], &args);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(fake.asked()[0].body, r#"{"name":"x","requires":["gpu","region:eu"]}"#);
    for label in ["", "a b", "a,b"] {
        let (ran, fake) = against([], &["submit", "x", "--requires", label]);
        assert!(ran.code == 2 && ran.err.contains("a label"), "{label:?} {ran:?}");
        assert!(fake.asked().is_empty());
    }
}
