//! How Redis is reached.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};

/// What keys and the channel begin with, unless told otherwise.
pub const DEFAULT_PREFIX: &str = "jobqueue";

/// One Redis, and the name of this installation on it.
#[derive(Clone)]
pub struct RedisConfig {
    pub(super) info: ConnectionInfo,
    /// Without user and password.
    address: String,
    user: String,
    pub(super) prefix: String,
}

// Never the password, whoever prints it.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisConfig({}, user {}, prefix {})", self.address, self.user, self.prefix)
    }
}

/// An address or a prefix that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRedisConfig(String);

const WANTED: &str = "expected redis://HOST:6379/DB, rediss://HOST:6379/DB (with TLS), each with USER:PASSWORD@ before the \
                      host where Redis asks for it, or unix:///PATH?db=DB&pass=PASSWORD";

impl RedisConfig {
    /// From `REDIS_URL`.
    pub fn parse(url: &str) -> Result<Self, BadRedisConfig> {
        let bad = |_| BadRedisConfig(WANTED.into());
        let info = url.trim().into_connection_info().map_err(bad)?;
        // Whatever else a URL may ask for, a certificate is always checked.
        if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
            return Err(BadRedisConfig(format!("{WANTED}; #insecure is not supported")));
        }
        Ok(Self::of(info))
    }

    /// From `REDIS_HOST` and the like.
    pub fn from_parts(
        host: &str,
        port: u16,
        db: u32,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Result<Self, BadRedisConfig> {
        let mut settings = RedisConnectionInfo::default().set_db(i64::from(db));
        if let Some(user) = user {
            settings = settings.set_username(user);
        }
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        let info = (host, port).into_connection_info().map_err(|_| BadRedisConfig(WANTED.into()))?;
        Ok(Self::of(info.set_redis_settings(settings)))
    }

    fn of(info: ConnectionInfo) -> Self {
        let settings = info.redis_settings();
        let db = settings.db();
        let address = match info.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{host}:{port}/{db}"),
            ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}/{db}"),
            ConnectionAddr::Unix(path) => format!("unix://{}?db={db}", path.display()),
            _ => "redis".into(),
        };
        let user = settings.username().unwrap_or("default").to_owned();
        // One command less at each connect, and one right less to be given.
        let settings = settings.clone().set_skip_set_lib_name();
        Self { info: info.set_redis_settings(settings), address, user, prefix: DEFAULT_PREFIX.into() }
    }

    /// Names this installation: several may share one Redis.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, BadRedisConfig> {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
        if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(sound) {
            let wanted = "expected 1 to 64 of A-Z a-z 0-9 . _ - : as the prefix of keys";
            return Err(BadRedisConfig(wanted.into()));
        }
        self.prefix = prefix.to_owned();
        Ok(self)
    }

    /// For people: the address without what is secret.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn has_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_and_their_secrets_not_shown() {
        for (url, address) in [
            ("redis://r", "redis://r:6379/0"),
            ("redis://u:hunter2@r:7000/3", "redis://r:7000/3"),
            ("redis://:hunter2@r", "redis://r:6379/0"),
            ("rediss://u:hunter2@r:7000/3", "rediss://r:7000/3"),
            ("unix:///run/redis.sock?db=2&pass=hunter2", "unix:///run/redis.sock?db=2"),
        ] {
            let config = RedisConfig::parse(url).unwrap();
            assert_eq!(config.address(), address);
            assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        }
        let config = RedisConfig::from_parts("r", 6380, 4, Some("u"), Some("hunter2")).unwrap();
        assert_eq!(config.address(), "redis://r:6380/4");
        assert_eq!(config.info.redis_settings().password(), Some("hunter2"));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for url in ["", "http://r", "redis://", "redis://r/x", "rediss://r/#insecure"] {
            assert!(RedisConfig::parse(url).unwrap_err().to_string().contains("expected redis://HOST"), "{url}");
        }
        let config = RedisConfig::parse("redis://r").unwrap();
        for prefix in ["", "a{b", "a b", &"x".repeat(65)] {
            assert!(config.clone().with_prefix(prefix).is_err(), "{prefix}");
        }
        assert_eq!(config.with_prefix("team-a:jobs").unwrap().prefix, "team-a:jobs");
    }
}
