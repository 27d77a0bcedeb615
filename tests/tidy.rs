//! Style as a test: imports go only downwards, files and functions stay short.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each floor with those it may use besides itself.
const FLOORS: [(&str, &[&str]); 9] = [
    ("task", &[]),
    ("clock", &["task"]),
    ("work", &["task"]),
    ("store", &["task"]),
    ("broker", &["task"]),
    ("engine", &["task", "clock", "work", "store", "broker"]),
    ("actors", &["task", "clock", "work", "store", "engine"]),
    ("http", &["task", "clock", "store", "engine", "actors"]),
    ("config", &["task", "logging"]),
];

/// Crates that are named only in these places.
const AT_HOME: [(&str, &[&str]); 4] = [
    ("redis::", &["broker/"]),
    ("diesel::", &["store/"]),
    ("actix_web::", &["http/", "server/"]),
    ("hyper::", &["client/", "bench/"]),
];

const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 70;

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 50, "the sources are found");
    found
}

fn floor(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The text without its tests, which may look anywhere.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

/// Modules of this crate that a text names after `crate::`, in one path or in a braced list.
fn uses(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in text.split("crate::").skip(1) {
        if let Some(list) = part.strip_prefix('{') {
            let mut depth = 1;
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 1 && (c.is_alphanumeric() || c == '_') {
                    word.push(c);
                } else if !word.is_empty() {
                    names.push(std::mem::take(&mut word));
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            names.push(part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    names
}

#[test]
fn imports_go_only_downwards() {
    let known: Vec<&str> = FLOORS.iter().map(|(floor, _)| *floor).chain(["server", "bench", "cli", "client"]).collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = floor(&path);
        let Some((_, allowed)) = FLOORS.iter().find(|(floor, _)| *floor == own) else { continue };
        for name in uses(product(&text)) {
            if known.contains(&name.as_str()) && name != own && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_library_is_named_only_where_it_is_at_home() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (name, homes) in AT_HOME {
            let at_home =
                homes.iter().any(|home| path.strip_prefix("src").unwrap().starts_with(home.trim_end_matches('/')));
            let named = product(&text).lines().any(|line| !line.trim_start().starts_with("//") && line.contains(name));
            if named && !at_home {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_and_functions_are_short() {
    let mut wrong = Vec::new();
    let mut lengths = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        lengths.push(lines.len());
        if lines.len() > LONGEST_FILE {
            wrong.push(format!("{} has {} lines", path.display(), lines.len()));
        }
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(super) ");
            if !head.trim_start_matches("async ").trim_start_matches("const ").starts_with("fn ") {
                continue;
            }
            // A signature of a trait ends with a semicolon and has no body.
            let opening =
                lines[at..].iter().find(|line| line.ends_with('{') || line.ends_with(';') || line.ends_with('}'));
            if !opening.is_some_and(|line| line.ends_with('{')) {
                continue;
            }
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[at..].iter().position(|line| *line == end).unwrap_or(0);
            if length > LONGEST_FUNCTION {
                wrong.push(format!("{}:{} is a function of {length} lines", path.display(), at + 1));
            }
        }
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 130, "the median file has {median} lines");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
