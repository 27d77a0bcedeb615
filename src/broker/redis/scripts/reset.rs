//! Forgets a head that is of another generation.

/// KEYS: state, and every other key of the queue.
/// ARGV: generation, seconds until the head is distrusted.
/// Returns: 1.
pub(in super::super) const RESET: &str = r"
if redis.call('HGET', KEYS[1], 'g') == ARGV[1] then return 1 end
redis.call('DEL', unpack(KEYS))
redis.call('HSET', KEYS[1], 'g', ARGV[1], 'd', '1')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
";
