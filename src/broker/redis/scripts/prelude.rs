//! What the scripts that fill lanes share.

/// Bounds: 1024 ids a lane (as in process), 256 in its gate: together below 2 MB a queue.
pub(in super::super) const PRELUDE: &str = r"
local LANE_MAX, GATE_MAX, GATE_SECONDS = 1024, 256, 60

-- Levels whose gate is open; a gate whose opener has not come back in time is closed here.
local function open_gates(gates)
    local open = {}
    local all = redis.call('HGETALL', gates)
    if #all == 0 then return open end
    local now = tonumber(redis.call('TIME')[1])
    for i = 1, #all, 2 do
        if (tonumber(all[i + 1]) or 0) > now then
            open[string.sub(all[i], 1, 1)] = true
        else
            redis.call('HDEL', gates, all[i])
        end
    end
    return open
end

-- Keeps marks that are above the horizon while the store is read: the least of them, should they be many.
local function keep(gate, marks)
    redis.call('ZADD', gate, unpack(marks))
    redis.call('ZREMRANGEBYRANK', gate, GATE_MAX, -1)
    redis.call('EXPIRE', gate, GATE_SECONDS)
end

-- WITHSCORES answers member, score; ZADD asks for score, member.
local function swapped(pairs)
    for i = 1, #pairs, 2 do pairs[i], pairs[i + 1] = pairs[i + 1], pairs[i] end
    return pairs
end

-- Takes what is above the horizon out of the lane.
local function cut(lane, horizon, gate)
    local rank = redis.call('ZRANK', lane, horizon)
    if redis.call('ZCARD', lane) > rank + 1 then
        if gate then keep(gate, swapped(redis.call('ZRANGE', lane, rank + 1, -1, 'WITHSCORES'))) end
        redis.call('ZREMRANGEBYRANK', lane, rank + 1, -1)
    end
end

-- A lane that is too long gives up its end and lowers its horizon. A refill under way has then read beyond what the lane
-- vouches for, so it may not raise the horizon.
local function trim(lane, gates, level)
    if redis.call('ZCARD', lane) <= LANE_MAX + 1 then return end
    redis.call('ZREMRANGEBYRANK', lane, LANE_MAX, -1)
    local top = redis.call('ZRANGE', lane, -1, -1, 'WITHSCORES')
    redis.call('ZADD', lane, top[2], top[1] .. 'H')
    for _, field in ipairs(redis.call('HKEYS', gates)) do
        if string.sub(field, 1, 1) == level then redis.call('HDEL', gates, field) end
    end
end

-- Adds marks (score, id, score, id, ...) where they belong; gate: its key where it is open.
local function add(lane, gates, level, marks, gate)
    local last = redis.call('ZRANGE', lane, -1, -1, 'WITHSCORES')
    if #last == 0 then
        if gate then keep(gate, marks) end
        return
    end
    redis.call('ZADD', lane, unpack(marks))
    if last[2] ~= 'inf' then cut(lane, last[1], gate) end
    trim(lane, gates, level)
end
";
