//! Words that everything secret has in it, so that it is known where it has got to.

/// In the arguments and the result of every task.
pub(crate) const PAYLOAD: &str = "payload-b81d3c";
pub(crate) const API_KEY: &str = "jq_chaos_key_5e07d9a1c4b2f6835e07d9a1c4b2f683";
/// The cluster trusts everybody, and so takes it.
pub(crate) const POSTGRES_PASSWORD: &str = "postgres-9d42aa";
pub(crate) const REDIS_PASSWORD: &str = "redis-4c6ef0";

/// What no log may have in it.
pub(crate) const ALL: [&str; 4] = [PAYLOAD, API_KEY, POSTGRES_PASSWORD, REDIS_PASSWORD];
/// What the store may not have in it either.
pub(crate) const NOT_STORED: [&str; 3] = [API_KEY, POSTGRES_PASSWORD, REDIS_PASSWORD];
