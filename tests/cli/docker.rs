//! What `docker/` says to the program, the program understands.

use std::fs;

use crate::{
    run::{alone, ended},
    support::program,
};

fn text(file: &str) -> String {
    fs::read_to_string(format!("{}/docker/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The words of a list like `["migrate", "up"]`, where a line has one behind `key`.
fn words(line: &str, key: &str) -> Option<Vec<String>> {
    let (_, list) = line.split_once(key)?;
    serde_json::from_str(list.trim()).ok()
}

/// `NAME: value` below `environment:`, with the defaults of what is taken from the caller's.
fn environment(compose: &str) -> Vec<(String, String)> {
    let mut lines = compose.lines().skip_while(|line| line.trim() != "environment: &environment").skip(1);
    let own = lines.by_ref().take_while(|line| line.starts_with("    "));
    own.map(|line| {
        let (name, value) = line.trim().split_once(": ").unwrap();
        let mut value = value.trim_matches('"').to_owned();
        if let Some((before, rest)) = value.clone().split_once("${") {
            let (given, after) = rest.split_once('}').unwrap();
            value = format!("{before}{}{after}", given.split_once(":-").unwrap().1);
        }
        (name.to_owned(), value)
    })
    .collect()
}

#[test]
fn every_variable_of_the_compose_file_is_a_setting() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(&text("compose.yml"));
    assert!(environment.len() > 5, "{environment:?}");
    let ran = ended(program(folder.path()).envs(environment.clone()).args(["config", "show", "--json"]));
    ran.is(0, &[]);
    for (name, value) in environment {
        assert!(ran.out.contains(&format!("environment {name}\"")), "{name}={value} is no setting: {}", ran.out);
    }
}

#[test]
fn every_command_of_the_images_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let (docker, compose) = (text("Dockerfile"), text("compose.yml"));
    let entry: Vec<_> = docker.lines().filter_map(|line| words(line, "ENTRYPOINT")).collect();
    assert_eq!(entry, [["jobqueue"]]);
    let probes: Vec<_> = docker.lines().filter_map(|line| words(line, " CMD")).collect();
    let commands = compose.lines().filter_map(|line| words(line, " command:"));
    let all: Vec<Vec<String>> = commands.chain(probes.into_iter().map(|probe| probe[1..].to_vec())).collect();
    let own = all.iter().filter(|words| words[0] != "redis-server");
    assert_eq!(own.clone().count(), 3, "{all:?}");
    for words in own {
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        alone(folder.path(), &words).is(0, &["Usage: jobqueue"]);
    }
}
