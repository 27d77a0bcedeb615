//! Adds what the store had beyond the horizon and closes the gate.

/// KEYS: state, gates, lane, gate.
/// ARGV: generation, level, token, 1 if the store has no more, seconds until the lane is distrusted, then score, id of each
/// row in order.
/// Returns: -1: the head is of another generation; 0: the refill was given up meanwhile, its rows were taken as hints;
/// 1: the horizon was raised.
pub(in super::super) const END_REFILL: &str = r"
local state, gates, lane, gate = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local level, complete = ARGV[2], ARGV[4] == '1'
if redis.call('HGET', state, 'g') ~= ARGV[1] then return -1 end
local open = open_gates(gates)
local valid = redis.call('HDEL', gates, level .. ':' .. ARGV[3]) == 1
local others = false
for _, field in ipairs(redis.call('HKEYS', gates)) do
    others = others or string.sub(field, 1, 1) == level
end

local function add_rows()
    for from = 6, #ARGV, 1000 do
        redis.call('ZADD', lane, unpack(ARGV, from, math.min(from + 999, #ARGV)))
    end
end

if not valid then
    local last = redis.call('ZRANGE', lane, -1, -1, 'WITHSCORES')
    if #last > 0 and #ARGV > 5 then
        add_rows()
        if last[2] ~= 'inf' then cut(lane, last[1], others and gate) end
        trim(lane, gates, level)
    end
    if not others then redis.call('DEL', gate) end
    return 0
end

local function rank(member) return redis.call('ZRANK', lane, member) end
local old = redis.call('ZRANGE', lane, -1, -1)[1]
local horizon = old
if complete then
    horizon = 'H'
    redis.call('ZADD', lane, 'inf', horizon)
elseif #ARGV > 5 then
    horizon = ARGV[#ARGV] .. 'H'
    redis.call('ZADD', lane, ARGV[#ARGV - 1], horizon)
end
if not horizon then return 0 end
-- A gate that is full has let the greatest of its hints go: the lane cannot vouch for more than those it kept.
local kept = redis.call('ZRANGE', gate, 0, -1, 'WITHSCORES')
if #kept / 2 >= GATE_MAX then
    local cap = kept[#kept - 1] .. 'H'
    if cap == old then
        if horizon ~= old then redis.call('ZREM', lane, horizon) end
        horizon = old
    elseif cap ~= horizon then
        redis.call('ZADD', lane, kept[#kept], cap)
        if rank(cap) < rank(horizon) then horizon, cap = cap, horizon end
        if cap ~= old then redis.call('ZREM', lane, cap) end
    end
end
-- Another refill may have come further meanwhile.
if old and old ~= horizon then
    if rank(old) > rank(horizon) then horizon, old = old, horizon end
    redis.call('ZREM', lane, old)
end
add_rows()
if #kept > 0 then redis.call('ZADD', lane, unpack(swapped(kept))) end
cut(lane, horizon, others and gate)
trim(lane, gates, level)
if not others then redis.call('DEL', gate) end
redis.call('EXPIRE', lane, ARGV[5])
return 1
";
