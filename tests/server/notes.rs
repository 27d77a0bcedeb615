//! What handlers of commands say: lines of their standard error, and what a persistent child writes besides its answers.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Server, eventually};

const CONFIG: &str = r#"
[tasks.once]
command = ["perl", "-e", 'print STDERR "begins\nhalf"; print STDERR " a line"; print 1']

[tasks.stays]
mode = "persistent"
command = ["perl", "-e", '''
    $| = 1;
    while (my $line = <STDIN>) {
        my ($id) = $line =~ /"id":"([^"]+)"/;
        print STDERR "from stderr\n";
        print qq({"id":"$id","heartbeat":true}\n);
        print qq({"id":"$id","progress":{"percent":40,"message":"page 4"}}\n);
        print qq({"id":"$id","log":{"level":"warn","message":"page 3 is empty"}}\n);
        print qq({"id":"$id","log":{"message":"at last"}}\n);
        print qq({"id":"$id","result":1}\n);
    }
''']

[tasks.wrong]
mode = "persistent"
command = ["perl", "-e", '$| = 1; my ($id) = <STDIN> =~ /"id":"([^"]+)"/; print qq({"id":"$id","progress":{"percent":"half"}}\n); sleep 60']

[tasks.floods]
command = ["perl", "-e", 'print STDERR "line $_\n" for 1..20000; print 1']
"#;

fn lines(server: &Server, id: &str) -> Vec<(String, String)> {
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    let log = server.get(&format!("/api/v1/tasks/{id}/logs"));
    log["data"].as_array().unwrap().iter().map(|line| (text(line, "level"), text(line, "message"))).collect()
}

#[test]
fn commands_say_how_far_they_have_come() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("jobqueue.toml"), CONFIG).unwrap();
    let server = Server::start_with(folder.path(), &["--concurrency", "2"]);
    let line = |level: &str, message: &str| (level.to_owned(), message.to_owned());

    let id = server.submit(r#"{"name": "once"}"#);
    assert_eq!(server.finished(&id)["status"], "success");
    let said = [line("info", "begins"), line("info", "half a line")];
    eventually("its lines are there", || lines(&server, &id) == said);

    for _ in 0..2 {
        let id = server.submit(r#"{"name": "stays"}"#);
        assert_eq!(server.finished(&id)["result"], 1);
        eventually("its lines are there", || {
            let mut said = lines(&server, &id);
            said.sort();
            said == [line("info", "at last"), line("info", "from stderr"), line("warn", "page 3 is empty")]
        });
        let progress = server.task(&id)["progress"].clone();
        assert_eq!((&progress["percent"], &progress["message"]), (&json!(40.0), &json!("page 4")));
    }

    let id = server.submit(r#"{"name": "wrong", "max_retries": 0}"#);
    let failed = server.finished(&id);
    assert_eq!((&failed["status"], &failed["error"]["kind"]), (&json!("failed"), &json!("output")));

    let id = server.submit(r#"{"name": "floods"}"#);
    assert_eq!(server.finished(&id)["status"], "success");
    eventually("the end of it is kept", || {
        let said = lines(&server, &id);
        said.len() <= 1_000 && said.last() == Some(&line("info", "line 20000"))
    });
    let log = server.get(&format!("/api/v1/tasks/{id}/logs"));
    assert_eq!(log["dropped"].as_u64().unwrap() + log["data"].as_array().unwrap().len() as u64, 20_000);
}
