//! What a Redis does, for measuring.

use redis::{Client, Value, cmd};

use super::{RedisConfig, failure::Failure, link::Link};

/// Since Redis was started.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedisReading {
    pub commands: u64,
    pub memory: u64,
    pub pid: u32,
}

/// A connection that only looks.
pub struct RedisGauge {
    link: Link,
    pattern: String,
}

impl RedisGauge {
    /// Errors say what is wrong and how it is put right.
    pub fn of(config: &RedisConfig) -> Result<Self, String> {
        let open = || Link::open(&Client::open(config.info.clone())?);
        let link = open().map_err(|failure: Failure| failure.describe(config))?;
        Ok(Self { link, pattern: format!("*{}:*", config.prefix) })
    }

    pub fn read(&mut self) -> RedisReading {
        let Ok(Value::BulkString(text)) = self.link.command(cmd("INFO").arg("everything")) else {
            return RedisReading::default();
        };
        let text = String::from_utf8_lossy(&text);
        let figure = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|figure| figure.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        RedisReading {
            commands: figure("total_commands_processed"),
            memory: figure("used_memory"),
            pid: u32::try_from(figure("process_id")).unwrap_or(0),
        }
    }

    /// Deletes what an installation has left, a few keys at a time: others may be at work in this Redis.
    pub fn wipe(&mut self) {
        let mut cursor = b"0".to_vec();
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(1_000);
            let Ok(Value::Array(page)) = self.link.command(&scan) else { return };
            let [Value::BulkString(next), Value::Array(keys)] = page.as_slice() else { return };
            for key in keys {
                if let Value::BulkString(key) = key {
                    let _ = self.link.command(cmd("DEL").arg(key));
                }
            }
            if next == b"0" {
                return;
            }
            cursor.clone_from(next);
        }
    }
}
