//! Values from text. Each parser's error says what it accepts.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use super::{Database, PostgresParts, Secret};
use crate::task::{Millis, duration, name};

/// Labels of a node.
const MOST_LABELS: usize = 64;
/// Queues a node is kept to.
const MOST_QUEUES: usize = 100;

type Parsed<T> = Result<T, String>;

/// A whole number within a range.
pub(super) fn integer(text: &str, range: RangeInclusive<u64>) -> Parsed<u64> {
    text.trim()
        .parse()
        .ok()
        .filter(|value| range.contains(value))
        .ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
}

/// A number within a range.
pub(super) fn number(text: &str, range: RangeInclusive<f64>) -> Parsed<f64> {
    text.trim()
        .parse()
        .ok()
        .filter(|value| range.contains(value))
        .ok_or_else(|| format!("expected a number from {} to {}", range.start(), range.end()))
}

/// A duration within a range of milliseconds; a bare number is seconds.
pub(super) fn duration(text: &str, range: RangeInclusive<Millis>) -> Parsed<Millis> {
    let wanted = || {
        let (from, to) = (duration::to_text(*range.start()), duration::to_text(*range.end()));
        format!("expected {}, from {from} to {to}", duration::EXPECTED)
    };
    duration::parse(text).filter(|millis| range.contains(millis)).ok_or_else(wanted)
}

/// Longest time limit of a task.
const LONGEST_TIMEOUT: Millis = 30 * 24 * 3_600_000;

/// A time limit; `none` is no limit. 0 is refused: some would read it as "none", others as "at once".
pub(super) fn timeout(text: &str) -> Parsed<Option<Millis>> {
    if text.trim() == "none" {
        return Ok(None);
    }
    duration(text, 1..=LONGEST_TIMEOUT).map(Some).map_err(|wanted| format!("{wanted}, or \"none\" for no limit"))
}

/// `true` or `false`, also as `1`, `yes`, `on` and their opposites.
pub(super) fn switch(text: &str) -> Parsed<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false".into()),
    }
}

/// Bytes: a whole number, or one with `KiB`, `MiB` or `GiB`.
pub(super) fn bytes(text: &str, range: RangeInclusive<u64>) -> Parsed<u64> {
    let (number, scale) = match text.trim() {
        text if text.ends_with("KiB") => (text.trim_end_matches("KiB"), 1 << 10),
        text if text.ends_with("GiB") => (text.trim_end_matches("GiB"), 1 << 30),
        text if text.ends_with("MiB") => (text.trim_end_matches("MiB"), 1 << 20),
        text => (text, 1),
    };
    number
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|value| value.checked_mul(scale))
        .filter(|v| range.contains(v))
        .ok_or_else(|| {
            format!("expected bytes such as 65536, \"64KiB\" or \"4MiB\", from {} to {}", range.start(), range.end())
        })
}

/// An IP address or a host name (RFC 1123), without a port.
pub(super) fn host(text: &str) -> Parsed<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    // All digits and dots but no address is a mistyped address, not a name.
    let name = bare.len() <= 253 && bare.split('.').all(label) && bare.bytes().any(|b| b.is_ascii_alphabetic());
    if bare.parse::<IpAddr>().is_ok() || name {
        Ok(bare.to_owned())
    } else {
        Err("expected an IP address such as 127.0.0.1 or ::1, or a host name, without a port".into())
    }
}

/// Only programs on the same machine can connect to it.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What an installation is called; empty: nothing.
pub(super) fn environment(text: &str) -> Parsed<Option<String>> {
    let name = text.trim();
    let fits = name.chars().count() <= 24 && !name.chars().any(char::is_control);
    let said = || Some(name.to_owned()).filter(|name| !name.is_empty());
    fits.then(said).ok_or_else(|| "expected a name of at most 24 characters".to_owned())
}

/// One of the colours that are readable on light and on dark.
pub(super) fn color(text: &str) -> Parsed<&'static str> {
    const COLORS: [&str; 6] = ["red", "orange", "green", "blue", "violet", "gray"];
    let found = COLORS.into_iter().find(|color| *color == text.trim());
    found.ok_or_else(|| "expected red, orange, green, blue, violet or gray".to_owned())
}

/// Keys separated by commas. A header must be able to carry each.
pub(super) fn keys(text: &str) -> Parsed<Vec<Secret>> {
    let keys: Vec<&str> = text.split(',').map(str::trim).filter(|key| !key.is_empty()).collect();
    let sound = |key: &&str| key.bytes().all(|byte| byte.is_ascii_graphic());
    if (text.is_empty() || !keys.is_empty()) && keys.iter().all(sound) {
        return Ok(keys.into_iter().map(Secret::new).collect());
    }
    Err("expected keys of printable ASCII characters without spaces, separated by commas".into())
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Labels separated by commas.
pub(super) fn labels(text: &str) -> Parsed<BTreeSet<String>> {
    let label = |text: &str| name::label(text).map(|()| text.to_owned()).map_err(|error| error.to_string());
    let labels: BTreeSet<String> = listed(text).map(label).collect::<Parsed<_>>()?;
    if labels.len() > MOST_LABELS { Err(format!("expected at most {MOST_LABELS} labels")) } else { Ok(labels) }
}

/// Queues separated by commas, each with its weight behind a colon if need be.
pub(super) fn worker_queues(text: &str) -> Parsed<BTreeMap<String, Option<u32>>> {
    let mut queues = BTreeMap::new();
    for item in listed(text) {
        let (queue, weight) = item.split_once(':').map_or((item, None), |(queue, weight)| (queue, Some(weight)));
        name::queue(queue).map_err(|error| error.to_string())?;
        let weight = weight.map(|weight| integer(weight, 1..=1_000).map(|weight| weight as u32)).transpose();
        let weight = weight.map_err(|wanted| format!("{wanted} behind the colon of {item:?}"))?;
        if queues.insert(queue.to_owned(), weight).is_some() {
            return Err(format!("names {queue:?} twice: leave one of the two out"));
        }
    }
    if queues.len() > MOST_QUEUES { Err(format!("expected at most {MOST_QUEUES} queues")) } else { Ok(queues) }
}

/// `sqlite://data/x.db` is relative, `sqlite:///var/lib/x.db` is not; `postgres://…` as libpq reads it.
pub(super) fn database(url: &str) -> Parsed<Database> {
    const WANTED: &str = "expected sqlite://PATH, such as sqlite://data/jobqueue.db or sqlite:///var/lib/jobqueue/jobqueue.db, \
                          or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    let path = match url.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sqlite") => rest.strip_prefix("//").unwrap_or(rest),
        Some((scheme, rest)) if is_postgres(scheme) => return server(rest),
        _ => return Err(WANTED.into()),
    };
    if path.contains('?') || path.contains('#') {
        return Err(format!("{WANTED}; options after the path are not supported"));
    }
    if path.starts_with(":memory:") {
        return Err(format!("{WANTED}; a database in memory would lose every task when the process ends"));
    }
    if path.is_empty() || path.ends_with('/') || path.contains('\0') || Path::new(path).file_name().is_none() {
        return Err(WANTED.into());
    }
    Ok(Database::File(PathBuf::from(path)))
}

/// The address of a server, where no file will do.
pub(super) fn database_server(url: &str) -> Parsed<Database> {
    match url.split_once(':') {
        Some((scheme, rest)) if is_postgres(scheme) => server(rest),
        _ => Err(SERVER_WANTED.into()),
    }
}

const SERVER_WANTED: &str = "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, with % codes for special characters and \
                             options such as ?sslmode=verify-full behind it";

fn server(rest: &str) -> Parsed<Database> {
    const WANTED: &str = SERVER_WANTED;
    let place = rest.strip_prefix("//").ok_or(WANTED)?;
    let named =
        place.split('?').next().and_then(|place| place.split_once('/')).is_some_and(|(_, name)| !name.is_empty());
    if !named || place.contains(|c: char| c.is_control() || c == ' ') {
        return Err(WANTED.into());
    }
    Ok(Database::Server(Secret::new(format!("postgres:{rest}"))))
}

/// An address of its parts. Whatever they contain is no part of its grammar.
pub(super) fn postgres(parts: &PostgresParts) -> Database {
    let PostgresParts { host, port, db, user, password } = parts;
    let host = if host.contains(':') { format!("[{host}]") } else { encoded(host) };
    let password = password.as_ref().map(|password| format!(":{}", encoded(password.reveal()))).unwrap_or_default();
    Database::Server(Secret::new(format!("postgres://{}{password}@{host}:{port}/{}", encoded(user), encoded(db))))
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn is_postgres(scheme: &str) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    // SQLAlchemy writes the driver behind a plus: postgresql+psycopg2://.
    matches!(scheme.split('+').next(), Some("postgres" | "postgresql"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_takes_is_read_from_a_list() {
        let queues = worker_queues("mail:3, default ,").unwrap_or_default();
        assert_eq!(queues, BTreeMap::from([("default".into(), None), ("mail".into(), Some(3))]));
        assert_eq!(worker_queues(""), Ok(BTreeMap::new()));
        for (text, told) in [
            ("mail:0", "from 1 to 1000 behind the colon of \"mail:0\""),
            ("mail:x", "from 1 to 1000"),
            ("a b", "a queue name"),
            ("mail,mail:2", "\"mail\" twice"),
        ] {
            let fault = worker_queues(text).err().unwrap_or_default();
            assert!(fault.contains(told), "{text}: {fault}");
        }
        assert_eq!(labels("gpu,region:eu,gpu"), Ok(BTreeSet::from(["gpu".into(), "region:eu".into()])));
        assert!(labels("a b").is_err_and(|fault| fault.contains("a label")));
    }
}
