//! What a phase costs store and broker.

use std::time::Duration;

use super::{
    BenchError,
    machine::{cpu_us, cpu_us_of, cpu_us_of_family},
    wal::{self, Wal},
};
use crate::{
    broker::{RedisConfig, RedisGauge, RedisReading},
    store::{
        Location,
        postgres::{Gauge, Reading},
    },
};

/// For sessions of PostgreSQL to tell what they did.
const TOLD: Duration = Duration::from_millis(1_200);

/// Looks at the beginning and at the end, and at the log of SQLite now and then.
pub(super) struct Counter {
    store: Counted,
    redis: Option<(RedisGauge, RedisReading, f64)>,
    own_cpu_us: f64,
}

enum Counted {
    File(Wal),
    Server { gauge: Gauge, first: Reading, cpu_us: f64 },
}

/// All of it, of all tasks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) wal_bytes: f64,
    pub(super) commits: f64,
    pub(super) redis_commands: Option<f64>,
    pub(super) own_cpu_us: f64,
    /// Where PostgreSQL runs on this machine.
    pub(super) postgres_cpu_us: Option<f64>,
    pub(super) redis_cpu_us: Option<f64>,
}

impl Counter {
    pub(super) fn of(store: &Location, redis: Option<&RedisConfig>) -> Result<Self, BenchError> {
        let store = match store {
            Location::File(path) => Counted::File(Wal::of(path)?),
            Location::Server(url) => {
                let mut gauge = Gauge::of(url)?;
                let first = gauge.read()?;
                Counted::Server { gauge, first, cpu_us: cpu_us_of_family(first.pid).unwrap_or(f64::NAN) }
            }
        };
        let redis = redis.map(|config| {
            let mut gauge = RedisGauge::of(config).map_err(BenchError::Other)?;
            let first = gauge.read();
            Ok::<_, BenchError>((gauge, first, cpu_us_of(first.pid).unwrap_or(f64::NAN)))
        });
        Ok(Self { store, redis: redis.transpose()?, own_cpu_us: cpu_us() })
    }

    pub(super) fn look(&mut self) {
        if let Counted::File(wal) = &mut self.store {
            wal.look();
        }
    }

    /// Bytes of the database.
    pub(super) fn size(&mut self, store: &Location) -> Result<u64, BenchError> {
        match (&mut self.store, store) {
            (Counted::Server { gauge, .. }, _) => Ok(u64::try_from(gauge.read()?.size).unwrap_or(0)),
            (Counted::File(_), Location::File(path)) => Ok(wal::database_size(path)?),
            (Counted::File(_), Location::Server(_)) => Ok(0),
        }
    }

    /// Bytes of memory that Redis uses.
    pub(super) fn redis_memory(&mut self) -> Option<u64> {
        self.redis.as_mut().map(|(gauge, ..)| gauge.read().memory)
    }

    pub(super) async fn cost(mut self) -> Result<Cost, BenchError> {
        let mut cost = Cost { own_cpu_us: cpu_us() - self.own_cpu_us, ..Cost::default() };
        match &mut self.store {
            Counted::File(wal) => {
                wal.look();
                (cost.wal_bytes, cost.commits) = (wal.bytes as f64, wal.commits as f64);
            }
            Counted::Server { gauge, first, cpu_us } => {
                cost.postgres_cpu_us = cpu_us_of_family(first.pid).ok().map(|now| now - *cpu_us);
                cost.wal_bytes = (gauge.read()?.wal_bytes - first.wal_bytes) as f64;
                tokio::time::sleep(TOLD).await;
                cost.commits = (gauge.read()?.commits - first.commits) as f64;
            }
        }
        if let Some((gauge, first, cpu_us)) = &mut self.redis {
            cost.redis_cpu_us = cpu_us_of(first.pid).ok().map(|now| now - *cpu_us);
            cost.redis_commands = Some(gauge.read().commands.saturating_sub(first.commands) as f64);
        }
        Ok(cost)
    }
}
