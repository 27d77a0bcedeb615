//! The database file, read behind the server's back.

use std::{collections::BTreeMap, fs, path::Path};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    sql_types::{BigInt, Binary, Integer},
};
use jobqueue::task::Status;

/// What the file says of a task.
#[derive(Debug, QueryableByName)]
pub(crate) struct Row {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = Integer)]
    status: i32,
    #[diesel(sql_type = Integer)]
    pub(crate) attempt: i32,
    #[diesel(sql_type = Integer)]
    pub(crate) failures: i32,
    #[diesel(sql_type = Integer)]
    pub(crate) crashes: i32,
    /// Earlier attempts on record.
    #[diesel(sql_type = BigInt)]
    pub(crate) kept: i64,
}

impl Row {
    pub(crate) fn status(&self) -> Status {
        i16::try_from(self.status).ok().and_then(Status::from_code).unwrap()
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// What was in the file at one moment, while no server had it open.
pub(crate) struct Snapshot {
    pub(crate) tasks: BTreeMap<String, Row>,
    pub(crate) leases: i64,
    pub(crate) dead_letters: i64,
}

impl Snapshot {
    /// Reads a copy: opening the file itself would already repair what a killed server has left.
    pub(crate) fn of(folder: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for name in ["jobqueue.db", "jobqueue.db-wal"] {
            let from = folder.join("data").join(name);
            if from.exists() {
                fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        let mut file = connect(&copy.path().join("jobqueue.db"));
        let kept = "(SELECT count(*) FROM attempts WHERE task_id = id) AS kept";
        let tasks = format!("SELECT id, status, attempt, failures, crashes, {kept} FROM tasks");
        let rows: Vec<Row> = diesel::sql_query(tasks).load(&mut file).unwrap();
        let name = |row: &Row| uuid::Uuid::from_slice(&row.id).unwrap().to_string();
        let mut count = |table: &str| {
            let query = diesel::sql_query(format!("SELECT count(*) AS n FROM {table}"));
            query.get_result::<Count>(&mut file).unwrap().n
        };
        let (leases, dead_letters) = (count("leases"), count("dead_letter_queue"));
        Self { tasks: rows.into_iter().map(|row| (name(&row), row)).collect(), leases, dead_letters }
    }

    /// The tasks that were in somebody's hands.
    pub(crate) fn running(&self) -> Vec<String> {
        let running = self.tasks.iter().filter(|(_, row)| row.status() == Status::Running);
        running.map(|(id, _)| id.clone()).collect()
    }
}

pub(crate) fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}
