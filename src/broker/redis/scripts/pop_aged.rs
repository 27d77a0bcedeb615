//! Takes ids that are ready, in the order of `ready time - level * ageing`: any lane may hold what comes first.

/// KEYS: as of a pop by priority: state, lane 0 … lane 9.
/// ARGV: generation, how many, now, room in all, the part of each level (ten digits 0 … 3), room of parts 0 … 3, ageing in
/// milliseconds.
/// Returns: as a pop by priority does; a lane may give more than once.
pub(in super::super) const POP_AGED: &str = r"
local ageing = tonumber(ARGV[10])
local out, taken, due = {1, -1, '', 0}, 0, nil
local changed = {}
-- Of each lane: the time of what comes first, or of the horizon where it is used up and the store has more.
local at, starved = {}, {}
local function look(level)
    local first = redis.call('ZRANGE', KEYS[2 + level], 0, 0, 'WITHSCORES')
    local has = #first > 0 and #first[1] == 16
    starved[level] = not has and first[2] ~= 'inf'
    at[level] = (has or starved[level]) and (tonumber(first[2] or '') or -math.huge) or nil
end
for level = 0, 9 do look(level) end

while taken < want do
    -- Of two that are worth the same the lower one is ready longer.
    local best, second, least, limit
    for level = 0, 9 do
        if at[level] and room(level) > 0 and (starved[level] or at[level] <= now) then
            local value = at[level] - level * ageing
            if not best or value < least then
                second, limit, best, least = best, least, level, value
            elseif not second or value < limit then
                second, limit = level, value
            end
        end
    end
    if not best then break end
    if starved[best] then
        out[2] = best
        break
    end
    local last = ARGV[3]
    if second and limit + best * ageing <= now then
        last = (best < second and '' or '(') .. string.format('%.0f', limit + best * ageing)
    end
    local lane, most = KEYS[2 + best], math.min(want - taken, room(best))
    local found = redis.call('ZRANGEBYSCORE', lane, '-inf', last, 'WITHSCORES', 'LIMIT', 0, most)
    local n = #found / 2
    if n > 0 and #found[2 * n - 1] ~= 16 then n = n - 1 end
    if n > 0 then
        redis.call('ZREMRANGEBYRANK', lane, 0, n - 1)
        out[#out + 1] = best
        out[#out + 1] = n
        for i = 1, 2 * n do out[#out + 1] = found[i] end
        taken = taken + n
        use(best, n)
        look(best)
    else
        at[best] = nil
    end
end

local all = taken < want and out[2] == -1
for level = 0, 9 do
    local blocked = room(level) <= 0 and (starved[level] or (at[level] and at[level] <= now))
    if (flags[3 + level] == '1') ~= (blocked and true or false) then
        changed[#changed + 1] = 'b' .. level
        changed[#changed + 1] = blocked and '1' or '0'
    end
    if blocked then
        out[4] = 1
    elseif all and at[level] and not starved[level] and (not due or at[level] < due) then
        due, out[3] = at[level], string.format('%.0f', at[level])
    end
end
";
