//! Settings of the services that a cluster shares: PostgreSQL and Redis.

use super::{
    Secret, parse,
    settings::{Effect, PLAIN, Secrecy, Setting},
};

const REDIS: Setting = Setting { secrecy: Secrecy::Hidden, effect: Effect::OnlyWithPostgres, ..PLAIN };

pub(super) const SERVICES: &[Setting] = &[
    Setting {
        name: "postgres.host",
        env: &["POSTGRES_HOST"],
        default: "localhost",
        doc: "Server of the database, where no database_url is given",
        secrecy: Secrecy::Open,
        set: |config, text| {
            config.postgres.host = text.to_owned();
            Ok(())
        },
        ..PLAIN
    },
    Setting {
        name: "postgres.port",
        env: &["POSTGRES_PORT"],
        default: "5432",
        doc: "Its port",
        secrecy: Secrecy::Open,
        set: |config, text| parse::integer(text, 1..=65_535).map(|port| config.postgres.port = port.to_string()),
        ..PLAIN
    },
    Setting {
        name: "postgres.db",
        env: &["POSTGRES_DB"],
        default: "jobqueue",
        doc: "Name of the database",
        secrecy: Secrecy::Open,
        set: |config, text| {
            config.postgres.db = text.to_owned();
            Ok(())
        },
        ..PLAIN
    },
    Setting {
        name: "postgres.user",
        env: &["POSTGRES_USER"],
        default: "jobqueue",
        doc: "User of the database",
        secrecy: Secrecy::Open,
        set: |config, text| {
            config.postgres.user = text.to_owned();
            Ok(())
        },
        ..PLAIN
    },
    Setting {
        name: "postgres.password",
        env: &["POSTGRES_PASSWORD"],
        default: "",
        doc: "Password of that user",
        secrecy: Secrecy::Hidden,
        set: |config, text| {
            config.postgres.password = (!text.is_empty()).then(|| Secret::new(text));
            Ok(())
        },
        ..PLAIN
    },
    Setting {
        name: "postgres.max_connections",
        env: &["POSTGRES_MAX_CONNECTIONS"],
        doc: "A node uses a fixed, small number of connections",
        effect: Effect::NotYet,
        ..PLAIN
    },
    Setting {
        name: "redis.host",
        env: &["REDIS_HOST"],
        doc: "Host of Redis, where there is no redis_url",
        set: |config, text| {
            config.redis.host = if text.is_empty() { None } else { Some(parse::host(text)?) };
            Ok(())
        },
        secrecy: Secrecy::Open,
        ..REDIS
    },
    Setting {
        name: "redis.port",
        env: &["REDIS_PORT"],
        default: "6379",
        doc: "Port of Redis",
        set: |config, text| parse::integer(text, 1..=65_535).map(|port| config.redis.port = port as u16),
        secrecy: Secrecy::Open,
        ..REDIS
    },
    Setting {
        name: "redis.db",
        env: &["REDIS_DB"],
        default: "0",
        doc: "Number of the database in Redis",
        set: |config, text| parse::integer(text, 0..=65_535).map(|db| config.redis.db = db as u32),
        secrecy: Secrecy::Open,
        ..REDIS
    },
    Setting {
        name: "redis.user",
        env: &["REDIS_USER"],
        doc: "User in Redis; empty = default",
        set: |config, text| {
            config.redis.user = (!text.is_empty()).then(|| text.to_owned());
            Ok(())
        },
        secrecy: Secrecy::Open,
        ..REDIS
    },
    Setting {
        name: "redis.password",
        env: &["REDIS_PASSWORD"],
        doc: "Password of that user",
        set: |config, text| {
            config.redis.password = (!text.is_empty()).then(|| Secret::new(text));
            Ok(())
        },
        ..REDIS
    },
    Setting {
        name: "redis.prefix",
        env: &["REDIS_PREFIX"],
        default: "jobqueue",
        doc: "What keys and the channel in Redis begin with: several installations may share one Redis",
        set: |config, text| {
            config.redis.prefix = text.to_owned();
            Ok(())
        },
        secrecy: Secrecy::Open,
        ..REDIS
    },
    Setting {
        name: "redis.max_connections",
        env: &["REDIS_MAX_CONNECTIONS"],
        default: "3",
        doc: "Accepted as the original has it; a node uses three connections, whatever is allowed beyond them",
        set: |_, text| parse::integer(text, 3..=1_000_000).map(drop),
        secrecy: Secrecy::Open,
        ..REDIS
    },
    Setting {
        name: "redis_url",
        env: &["REDIS_URL"],
        doc: "Redis: redis://USER:PASSWORD@HOST:6379/DB, rediss:// with TLS, or unix:///PATH",
        set: |config, text| {
            config.redis.url = (!text.is_empty()).then(|| Secret::new(text));
            Ok(())
        },
        ..REDIS
    },
];
