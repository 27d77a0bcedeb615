//! Where the phases keep their tasks: each in a database of its own, which goes with the measurement.

use std::{cell::RefCell, path::PathBuf};

use super::{BenchError, Options, counter::Counter, machine::Folder};
use crate::{
    broker::{RedisConfig, RedisGauge},
    server::Place,
    store::{Location, postgres},
};

/// A folder, and perhaps a PostgreSQL server and a Redis.
pub(super) struct Site {
    folder: Folder,
    postgres: Option<String>,
    /// The address as it was given, for servers of their own processes; and its parsed form, with a prefix of this run.
    redis: Option<(String, RedisConfig)>,
    run: String,
    /// Databases that were made.
    made: RefCell<Vec<String>>,
}

/// Of one phase.
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) redis: Option<RedisConfig>,
    /// What a server of its own process is told.
    pub(super) environment: Vec<(&'static str, String)>,
}

impl Site {
    pub(super) fn new(options: &Options) -> Result<Self, BenchError> {
        let folder = Folder::new(options.folder.as_deref())?;
        let run = uuid::Uuid::new_v4().as_simple().to_string()[..12].to_owned();
        let redis = options.redis.clone().map(|url| {
            let config = RedisConfig::parse(&url).and_then(|config| config.with_prefix(&prefix(&run)));
            config.map(|config| (url, config)).map_err(|error| BenchError::Other(format!("--redis-url: {error}")))
        });
        Ok(Self {
            folder,
            postgres: options.postgres.clone(),
            redis: redis.transpose()?,
            run,
            made: RefCell::default(),
        })
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(super) const fn store(&self) -> &'static str {
        if self.postgres.is_some() { "postgresql" } else { "sqlite" }
    }

    pub(super) const fn broker(&self) -> &'static str {
        if self.redis.is_some() { "redis" } else { "in_process" }
    }

    /// A new and empty one.
    pub(super) fn spot(&self, phase: &str) -> Result<Spot, BenchError> {
        let data = self.folder.path().join(phase);
        let mut environment = Vec::new();
        let store = match &self.postgres {
            None => Location::File(data.join("data/jobqueue.db")),
            Some(url) => {
                let name = format!("jobqueue_bench_{}_{phase}", self.run);
                let made = postgres::create_scratch(url, &name)?;
                self.made.borrow_mut().push(name);
                environment.push(("DATABASE_URL", made.clone()));
                Location::Server(made)
            }
        };
        if let Some((url, _)) = &self.redis {
            environment.push(("REDIS_URL", url.clone()));
            environment.push(("REDIS_PREFIX", prefix(&self.run)));
        }
        let redis = self.redis.as_ref().map(|(_, config)| config.clone());
        if let Some(redis) = &redis {
            RedisGauge::of(redis).map_err(BenchError::Other)?.wipe();
        }
        Ok(Spot { place: Place { store, data }, redis, environment })
    }
}

fn prefix(run: &str) -> String {
    format!("jobqueue-bench-{run}")
}

impl Drop for Site {
    fn drop(&mut self) {
        for name in self.made.get_mut() {
            if let Some(Err(error)) = self.postgres.as_ref().map(|url| postgres::drop_scratch(url, name)) {
                log::warn!("The database {name} was left behind: {error}");
            }
        }
        if let Some((_, redis)) = &self.redis
            && let Ok(mut gauge) = RedisGauge::of(redis)
        {
            gauge.wipe();
        }
    }
}

impl Spot {
    /// The folder of a server's own process.
    pub(super) fn folder(&self) -> PathBuf {
        self.place.data.clone()
    }

    pub(super) fn counter(&self) -> Result<Counter, BenchError> {
        Counter::of(&self.place.store, self.redis.as_ref())
    }
}
