//! Takes ids that are ready, highest priority first.

/// KEYS: state, lane 0 … lane 9.
/// ARGV: generation, how many, now; and where there is a quota: room in all, the part of each level (ten digits 0 … 3),
/// room of parts 0 … 3.
/// Returns: {0}: the head is of another generation; else {1, starved level or -1, next due or '', 1 if a lane had no room,
/// then for each lane that gave: level, n, and n times id, score}.
pub(in super::super) const POP: &str = r"
local out, taken, due = {1, -1, '', 0}, 0, nil
local changed = {}
for level = 9, 0, -1 do
    local lane = KEYS[2 + level]
    local most = math.min(want - taken, room(level))
    local first = redis.call('ZRANGE', lane, 0, 0, 'WITHSCORES')
    local has = #first > 0 and #first[1] == 16
    if has and most > 0 and tonumber(first[2]) <= now then
        local found = redis.call('ZRANGEBYSCORE', lane, '-inf', ARGV[3], 'WITHSCORES', 'LIMIT', 0, most)
        local n = #found / 2
        if n > 0 and #found[2 * n - 1] ~= 16 then n = n - 1 end
        if n > 0 then
            redis.call('ZREMRANGEBYRANK', lane, 0, n - 1)
            out[#out + 1] = level
            out[#out + 1] = n
            for i = 1, 2 * n do out[#out + 1] = found[i] end
            taken = taken + n
            use(level, n)
        end
        first = redis.call('ZRANGE', lane, 0, 0, 'WITHSCORES')
        has = #first > 0 and #first[1] == 16
    end
    local starved = not has and first[2] ~= 'inf'
    local at = has and tonumber(first[2])
    local blocked = room(level) <= 0 and (starved or (at and at <= now))
    if (flags[3 + level] == '1') ~= (blocked and true or false) then
        changed[#changed + 1] = 'b' .. level
        changed[#changed + 1] = blocked and '1' or '0'
    end
    if blocked then
        out[4] = 1
    elseif starved then
        out[2] = level
        break
    elseif taken == want then
        break
    elseif at and (not due or at < due) then
        due, out[3] = at, first[2]
    end
end
";

/// What pops of any order begin with.
pub(in super::super) const OPENING: &str = r"
local flags = redis.call('HMGET', KEYS[1],
    'g', 'd', 'b0', 'b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7', 'b8', 'b9')
if flags[1] ~= ARGV[1] then return {0} end
local want, now = tonumber(ARGV[2]), tonumber(ARGV[3])
local total, rooms = tonumber(ARGV[4]), {}
for i = 0, 3 do rooms[tostring(i)] = tonumber(ARGV[6 + i]) end
local function part(level) return string.sub(ARGV[5], level + 1, level + 1) end
local function room(level)
    if not total then return math.huge end
    return math.min(total, rooms[part(level)])
end
local function use(level, n)
    if not total then return end
    total = total - n
    rooms[part(level)] = rooms[part(level)] - n
end
";

/// What they end with.
pub(in super::super) const ENDING: &str = r"
-- Set only here and taken back only by a hint, which wakes every node: one that got all it asked for must not hide that
-- another did not.
if taken < want and out[2] == -1 and flags[2] ~= '1' then
    changed[#changed + 1] = 'd'
    changed[#changed + 1] = '1'
end
if #changed > 0 then redis.call('HSET', KEYS[1], unpack(changed)) end
return out
";
