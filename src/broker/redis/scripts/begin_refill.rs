//! Opens the gate of a lane before the store is read.

/// KEYS: state, gates, lane, gate.
/// ARGV: generation, level, token of this refill, seconds until it is given up.
/// Returns: {0}: the head is of another generation; {1}: read from the start; {1, score, id}: read what is beyond this.
pub(in super::super) const BEGIN_REFILL: &str = r"
if redis.call('HGET', KEYS[1], 'g') ~= ARGV[1] then return {0} end
local level = ARGV[2]
-- What an earlier refill that never ended has left is not for this one.
if not open_gates(KEYS[2])[level] then redis.call('DEL', KEYS[4]) end
redis.call('HSET', KEYS[2], level .. ':' .. ARGV[3], tonumber(redis.call('TIME')[1]) + tonumber(ARGV[4]))
redis.call('EXPIRE', KEYS[2], GATE_SECONDS)
local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
if #last == 0 or last[2] == 'inf' or #last[1] ~= 17 then return {1} end
return {1, last[2], string.sub(last[1], 1, 16)}
";
