//! What is wrong with Redis, in words that name the fix.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::config::RedisConfig;

/// Why a call to Redis brought nothing.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    Redis(RedisError),
    /// It answers what none of our scripts would.
    Strange(&'static str),
    /// It has been given up before this call.
    Away,
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl Failure {
    /// The script is not known there (any more).
    pub(super) fn is_no_script(&self) -> bool {
        matches!(self, Self::Redis(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
    }

    /// This user may not do that, or the server has no such command.
    pub(super) fn is_refusal(&self) -> bool {
        let Self::Redis(error) = self else { return false };
        matches!(error.code(), Some("NOPERM" | "ERR"))
    }

    pub(super) fn describe(&self, config: &RedisConfig) -> String {
        let address = config.address();
        match self {
            Self::Away => format!("Redis at {address} is away"),
            Self::Strange(what) => format!("Redis at {address} answers {what}: does something else use its keys?"),
            Self::Redis(error) => described(error, config),
        }
    }
}

fn described(error: &RedisError, config: &RedisConfig) -> String {
    let (address, user) = (config.address(), config.user());
    let code = error.code().unwrap_or_default();
    let text = error.to_string();
    let says = |word: &str| code == word || text.contains(word);
    if says("NOAUTH") {
        return format!("Redis at {address} asks for a password; set REDIS_PASSWORD, or put it into REDIS_URL");
    }
    if says("WRONGPASS") || error.kind() == ErrorKind::AuthenticationFailed {
        return format!(
            "Redis at {address} refuses the password of user {user}; check REDIS_PASSWORD or the one in REDIS_URL ({text})"
        );
    }
    // A script is refused in words of its own.
    if says("NOPERM") || text.contains("executing the script can't") {
        return format!("Redis at {address} does not let user {user} do what is needed, see docs/redis.md: {text}");
    }
    if says("OOM") {
        return format!("Redis at {address} has used up its maxmemory and takes no writes; give it more ({text})");
    }
    if says("MISCONF") || says("READONLY") {
        return format!("Redis at {address} takes no writes: {text}");
    }
    if error.is_timeout() {
        return format!("Redis at {address} does not answer in time");
    }
    if error.is_connection_refusal() {
        return format!("cannot reach Redis at {address}: {text}. Start it, or unset REDIS_URL");
    }
    format!("Redis at {address} fails: {text}")
}
