//! What `packaging/systemd/` says to the program, the program understands; and where there is a systemd, it understands the rest.

use std::{fs, process::Command};

use crate::{
    run::{alone, ended},
    support::program,
};

const UNITS: [&str; 2] = ["jobqueue.service", "jobqueue@.service"];

fn text(unit: &str) -> String {
    fs::read_to_string(format!("{}/packaging/systemd/{unit}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_command_and_variable_of_the_units_is_one() {
    let folder = tempfile::tempdir().unwrap();
    for unit in UNITS {
        let text = text(unit);
        let commands = text.lines().filter_map(|line| line.strip_prefix("ExecStart")?.split_once('='));
        let commands: Vec<Vec<&str>> = commands.map(|(_, command)| command.split(' ').skip(1).collect()).collect();
        assert_eq!(commands, [vec!["config", "check"], vec!["serve"]]);
        for words in commands {
            alone(folder.path(), &[words, vec!["--help"]].concat()).is(0, &["Usage: jobqueue"]);
        }
        let variables = text.lines().find_map(|line| line.strip_prefix("Environment=")).unwrap().replace("%i", "1");
        let variables: Vec<(&str, &str)> = variables.split(' ').map(|one| one.split_once('=').unwrap()).collect();
        let ran = ended(program(folder.path()).envs(variables.clone()).args(["config", "show", "--json"]));
        ran.is(0, &[]);
        for (name, value) in variables {
            assert!(ran.out.contains(&format!("environment {name}\"")), "{name}={value} is no setting: {}", ran.out);
        }
    }
}

#[test]
fn systemd_takes_the_units() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else { return };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    for unit in UNITS {
        // The program need not be installed here.
        let path = folder.path().join(unit.replace('@', "@1"));
        fs::write(&path, text(unit).replace("/usr/local/bin/jobqueue", "/bin/true")).unwrap();
        let ran = ended(Command::new("systemd-analyze").args(["verify", "--recursive-errors=no"]).arg(&path));
        assert!(ran.code == 0 && !ran.err.contains(unit.trim_end_matches(".service")), "{ran:?}");
    }
}
