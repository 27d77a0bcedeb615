//! The layers, laid over each other from the weakest to the strongest.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Config, ConfigError, Entry, Fault, Origin, SETTINGS, Secrecy, Setting,
    file::{self, File, Node, Value},
    refusals, sections, suggest,
};

/// What a configuration is made of. [`Sources::process`] takes the process' own; tests make them up.
#[derive(Clone, Default)]
pub struct Sources {
    /// Name of the setting (`api.port`) and its text.
    pub flags: Vec<(&'static str, String)>,
    /// `--config`.
    pub file: Option<PathBuf>,
    pub env: BTreeMap<OsString, OsString>,
    /// Where `jobqueue.toml` is looked for.
    pub folder: PathBuf,
}

/// The environment holds secrets, ours and others': nothing of it is shown.
impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Sources {
    /// The environment and the working folder of this process, with these flags.
    pub fn process(flags: Vec<(&'static str, String)>, file: Option<PathBuf>) -> Self {
        Self { flags, file, env: std::env::vars_os().collect(), folder: PathBuf::new() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Everything,
    /// Settings whose name starts with `client.`.
    Client,
}

impl Scope {
    fn covers(self, name: &str) -> bool {
        self == Self::Everything || name.starts_with("client.")
    }
}

/// A value with its place, before it is parsed.
struct Written {
    text: String,
    /// As the place writes it, for messages.
    quoted: String,
    origin: Origin,
}

impl Written {
    fn new(text: String, origin: Origin) -> Self {
        Self { quoted: text.clone(), text, origin }
    }
}

pub(super) fn load(sources: &Sources, scope: Scope) -> Result<Config, ConfigError> {
    let (mut config, faults) = examine(sources, scope);
    config.sources = Arc::new(sources.clone());
    if faults.is_empty() { Ok(config) } else { Err(ConfigError { faults }) }
}

/// What holds as far as it is sound, and everything that is not.
pub(super) fn examine(sources: &Sources, scope: Scope) -> (Config, Vec<Fault>) {
    let mut config = Config::default();
    let mut faults = Vec::new();
    let file = open(sources, &mut faults);
    let leaves = file.as_ref().map(|file| leaves(&file.nodes)).unwrap_or_default();
    for setting in SETTINGS.iter().filter(|setting| scope.covers(setting.name)) {
        let layers = [
            Ok(Some(Written::new(setting.default.to_owned(), Origin::Default))),
            from_file(setting, file.as_ref(), &leaves),
            from_environment(setting, &sources.env),
            Ok(from_flags(setting, &sources.flags)),
        ];
        let entry = overlay(setting, layers, &mut config, &mut faults);
        config.entries.extend(entry);
    }
    if scope == Scope::Everything {
        refusals::postgres_by_parts(&mut config);
        faults.extend(refusals::refused(&config));
        config.warnings.extend(refusals::short_keys(&config));
        config.warnings.extend(refusals::without_effect(&config.entries));
        config.warnings.extend(
            suggest::misspelt(&sources.env)
                .into_iter()
                .map(|(name, meant)| format!("{name} is set, but nothing reads it; did you mean {meant}?")),
        );
        if let Some(file) = &file {
            faults.extend(unknown(file, &leaves));
            sections::read(file, &mut config, &mut faults);
        }
    }
    config.file = file.map(|file| file.path);
    (config, faults)
}

/// Applies the layers in order, so that a value which a stronger layer hides is still checked. Returns the entry of the
/// strongest.
fn overlay(
    setting: &'static Setting,
    layers: [Result<Option<Written>, Fault>; 4],
    config: &mut Config,
    faults: &mut Vec<Fault>,
) -> Option<Entry> {
    let mut entry = None;
    for layer in layers {
        match layer {
            Ok(None) => {}
            Err(fault) => faults.push(fault),
            Ok(Some(Written { text, quoted, origin })) => {
                if let Err(problem) = (setting.set)(config, &text) {
                    let shown = if setting.secrecy.hides(&text) { MASK } else { &quoted };
                    faults.push(Fault { place: origin.place(setting.name, shown), problem });
                }
                let value = if setting.secrecy.hides(&text) { MASK.to_owned() } else { text };
                entry = Some(Entry { setting, value, origin });
            }
        }
    }
    entry
}

const MASK: &str = "***";

fn open(sources: &Sources, faults: &mut Vec<Fault>) -> Option<File> {
    let variable = sources.env.get(&OsString::from("JOBQUEUE_CONFIG")).filter(|path| !path.is_empty());
    let named = sources.file.as_deref().or(variable.map(Path::new));
    file::read(named, &sources.folder).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    })
}

/// A value of the file that is no table, with its full path.
struct Leaf<'f> {
    path: String,
    node: &'f Node,
}

/// All leaves outside of the named sections.
fn leaves(nodes: &[Node]) -> Vec<Leaf<'_>> {
    fn collect<'f>(prefix: &str, nodes: &'f [Node], into: &mut Vec<Leaf<'f>>) {
        for node in nodes {
            let path = if prefix.is_empty() { node.key.clone() } else { format!("{prefix}.{}", node.key) };
            match &node.value {
                _ if prefix.is_empty() && sections::NAMES.contains(&node.key.as_str()) => {}
                // An empty table says nothing, but its name may be a mistyped one.
                Value::Table(inner) if !inner.is_empty() => collect(&path, inner, into),
                _ => into.push(Leaf { path, node }),
            }
        }
    }
    let mut found = Vec::new();
    collect("", nodes, &mut found);
    found
}

fn from_file(setting: &Setting, file: Option<&File>, leaves: &[Leaf<'_>]) -> Result<Option<Written>, Fault> {
    let Some((file, leaf)) = file.zip(leaves.iter().find(|leaf| leaf.path == setting.name)) else { return Ok(None) };
    let origin = Origin::File { path: file.path.clone(), line: leaf.node.line };
    let value = &leaf.node.value;
    if let Some(text) = value.scalar().map(str::to_owned).or_else(|| value.joined().filter(|_| setting.is_list)) {
        return Ok(Some(Written { quoted: value.shown(), text, origin }));
    }
    let problem =
        if setting.is_list { "expected a list of values" } else { "expected a single value, not a list or a table" };
    Err(Fault { place: origin.place(setting.name, &value.shown()), problem: problem.into() })
}

fn from_flags(setting: &Setting, flags: &[(&'static str, String)]) -> Option<Written> {
    let (_, text) = flags.iter().find(|(name, _)| *name == setting.name)?;
    Some(Written::new(text.clone(), Origin::Flag(setting.flag.unwrap_or(setting.name))))
}

fn from_environment(setting: &Setting, env: &BTreeMap<OsString, OsString>) -> Result<Option<Written>, Fault> {
    for variable in setting.env {
        let direct = variable_text(env, variable, setting.empty_is_a_value)?;
        let pointer = format!("{variable}_FILE");
        let path = if setting.secrecy != Secrecy::Open { variable_text(env, &pointer, false)? } else { None };
        match (direct, path) {
            (Some(_), Some(_)) => {
                let problem = format!("{variable} and {pointer} are both set; unset one of them");
                return Err(Fault { place: pointer, problem });
            }
            (Some(text), None) => {
                return Ok(Some(Written::new(text, Origin::Environment((*variable).to_owned()))));
            }
            (None, Some(path)) => return secret_file(pointer, path.into()).map(Some),
            (None, None) => {}
        }
    }
    Ok(None)
}

fn variable_text(
    env: &BTreeMap<OsString, OsString>,
    name: &str,
    empty_is_a_value: bool,
) -> Result<Option<String>, Fault> {
    match env.get(&OsString::from(name)).map(|value| value.to_str()) {
        None => Ok(None),
        Some(Some("")) if !empty_is_a_value => Ok(None),
        // Kubernetes sets NAME_PORT=tcp://… for every service of the namespace: nobody meant us.
        Some(Some(text)) if name.ends_with("_PORT") && text.starts_with("tcp://") => Ok(None),
        Some(Some(text)) => Ok(Some(text.to_owned())),
        Some(None) => Err(Fault { place: name.to_owned(), problem: "is not UTF-8 text".into() }),
    }
}

/// A secret as container platforms hand it over: a file, whose last line end is not part of it.
fn secret_file(variable: String, path: PathBuf) -> Result<Written, Fault> {
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
            Ok(Written::new(text.to_owned(), Origin::SecretFile { variable, path }))
        }
        Err(error) => Err(Fault {
            place: format!("{variable}={}", path.display()),
            problem: format!("cannot be read: {error}; name a file that this user may read, or unset {variable}"),
        }),
    }
}

/// Keys that no setting has, with what was probably meant.
fn unknown(file: &File, leaves: &[Leaf<'_>]) -> Vec<Fault> {
    let is_known = |path: &str| SETTINGS.iter().any(|setting| setting.name == path);
    // A table in which everything is commented out.
    let is_empty = |leaf: &Leaf<'_>| {
        let within = |name: &str| name.strip_prefix(&leaf.path).is_some_and(|rest| rest.starts_with('.'));
        matches!(leaf.node.value, Value::Table(_)) && SETTINGS.iter().any(|setting| within(setting.name))
    };
    leaves
        .iter()
        .filter(|leaf| !is_known(&leaf.path) && !is_empty(leaf))
        .map(|leaf| Fault {
            place: format!("{}:{}: {}", file.path.display(), leaf.node.line, leaf.path),
            problem: format!("unknown setting{}", suggest::hint(meant(&leaf.path))),
        })
        .collect()
}

/// The setting that a wrong key stands for: by a small slip, by its variable's name, or by its name without the table.
fn meant(path: &str) -> Option<&'static str> {
    let last = path.rsplit('.').next().unwrap_or(path);
    let names = || SETTINGS.iter().map(|setting| setting.name);
    let by_variable =
        || SETTINGS.iter().find(|s| s.env.iter().any(|env| env.eq_ignore_ascii_case(last))).map(|setting| setting.name);
    let by_last = || {
        let lasts = names().map(|name| name.rsplit('.').next().unwrap_or(name));
        let close = suggest::closest(last, lasts)?;
        names().find(|name| name.rsplit('.').next() == Some(close))
    };
    suggest::closest(path, names().chain(sections::NAMES.iter().copied())).or_else(by_variable).or_else(by_last)
}
