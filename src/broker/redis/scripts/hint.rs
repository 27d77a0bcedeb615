//! Tells of claimable tasks.

/// KEYS: state, gates, then lane and gate of each level in ARGV.
/// ARGV: generation, then for each level: level, n, and n times score, id.
/// Returns: -1: the head is of another generation; 1: the queue is to be woken; 0: it is not.
pub(in super::super) const HINT: &str = r"
local state, gates = KEYS[1], KEYS[2]
local flags = redis.call('HMGET', state, 'g', 'd')
if flags[1] ~= ARGV[1] then return -1 end
local asleep, woken = flags[2] == '1', 0
local open = open_gates(gates)
local at, key = 2, 3
while ARGV[at] do
    local level, n = ARGV[at], tonumber(ARGV[at + 1])
    add(KEYS[key], gates, level, {unpack(ARGV, at + 2, at + 1 + 2 * n)}, open[level] and KEYS[key + 1])
    if asleep and woken == 0 and redis.call('HGET', state, 'b' .. level) ~= '1' then
        redis.call('HSET', state, 'd', '0')
        woken = 1
    end
    at, key = at + 2 + 2 * n, key + 2
end
return woken
";
