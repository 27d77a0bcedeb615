//! `submit` of unique tasks.

use super::{Answer, against, task};

#[test]
fn a_unique_key_is_given_or_made_of_parts() {
    let replaced = format!(r#"{{"replaced":true,{}"#, &task("scheduled")[1..]);
    let args = ["submit", "x", "--unique-by", "name,args.0", "--unique-by", "kwargs.a"];
    let more = ["--unique-while", "waiting,running,success", "--unique-for", "10m", "--on-conflict", "replace"];
    let (ran, fake) = against([Answer::Json(200, replaced)], &[&args[..], &more[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("it is now what was submitted"), "{ran:?}");
    assert_eq!(
        fake.asked()[0].body,
        r#"{"name":"x","unique_conflict":"replace","unique":{"by":["name","args.0","kwargs.a"],"while":["waiting","running","success"],"for":"10m"}}"#
    );
    for (args, said) in [
        (&["--on-conflict", "replace"][..], "--unique-by"),
        (&["--unique-for", "1m"], "--unique-by"),
        (&["--unique-key", "k", "--unique-by", "name"], "cannot be used with"),
        (&["--unique-key", "k", "--unique-while", "queued"], "waiting"),
        (&["--unique-key", "k", "--on-conflict", "keep"], "replace"),
    ] {
        let (ran, fake) = against([], &[&["submit", "x"], args].concat());
        assert!(ran.code == 2 && ran.err.contains(said), "{args:?} {ran:?}");
        assert!(fake.asked().is_empty());
    }
}
