#!lua
-- Commits a batch of readings of one shard: stored and published, or neither.
--
-- For each reading: token rate, order against the stored one, room rate, latest value with its TTL, history slot. Then once
-- for all: index, last version, one PUBLISH. Redis does not roll back, so everything that can fail is read before the first write of a
-- reading, and a reading whose keys are damaged fails alone. The `#!lua` line makes Redis refuse the whole call when it is out of memory.
--
-- KEYS: index, last version.
-- ARGV: latest prefix, history prefix, history suffix, rate prefix, channel, publish command, TTL s, history retention s,
--       room interval us, room tolerance us, token interval us, token tolerance us,
--       then for each reading: member, body, token, timestamp, sequence, day, offset, record, moment.
-- Returns for each reading: code, value. 1 accepted, version; 2 duplicate, version; 3 late, version; 4 room limited, retry us;
--       5 token limited, retry us; 6 damaged key, 0.

local FIRST, STRIDE = 13, 9
local ACCEPTED, DUPLICATE, LATE, ROOM_LIMITED, TOKEN_LIMITED, DAMAGED = 1, 2, 3, 4, 5, 6
local WINDOW_SECONDS = 60

local latest_prefix, history_prefix, history_suffix, rate_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local ttl, retention = tonumber(ARGV[7]), tonumber(ARGV[8])
local time = redis.call('TIME')
local now_seconds = tonumber(time[1])
local now = now_seconds * 1000000 + tonumber(time[2])

-- Numbers above 10^14 lose digits in Lua's own conversion to text.
local function whole(number)
  return string.format('%.0f', number)
end

local function damaged(reply)
  return type(reply) == 'table' and reply.err ~= nil
end

-- GCRA (ITU-T I.371, virtual scheduling): `tat` is the theoretical arrival time of the next conforming reading. The
-- states of a minute live in one hash that expires as a whole; the minute before is consulted for a state carried over.
local window = math.floor(now_seconds / WINDOW_SECONDS)
local function limiter(kind, interval, tolerance)
  local key, previous = rate_prefix .. kind .. ':' .. window, rate_prefix .. kind .. ':' .. (window - 1)
  local states, changed = {}, {}
  local function load(fields)
    if interval == 0 or #fields == 0 then return end
    local current, carried = redis.call('HMGET', key, unpack(fields)), redis.call('HMGET', previous, unpack(fields))
    for i, field in ipairs(fields) do
      states[field] = tonumber(current[i] or carried[i] or 0)
    end
  end
  local function take(field)
    if interval == 0 then return 0 end
    local tat = math.max(states[field], now)
    if tat - now > tolerance then return tat - now - tolerance end
    states[field], changed[field] = tat + interval, true
    return 0
  end
  local function save()
    local pairs_of = {}
    for field in pairs(changed) do
      pairs_of[#pairs_of + 1] = field
      pairs_of[#pairs_of + 1] = whole(states[field])
    end
    if #pairs_of > 0 then
      redis.call('HSET', key, unpack(pairs_of))
      redis.call('EXPIRE', key, 2 * WINDOW_SECONDS)
    end
  end
  return load, take, save
end

local function distinct(offset, pattern)
  local seen, list = {}, {}
  for i = FIRST, #ARGV, STRIDE do
    local field = string.match(ARGV[i + offset], pattern)
    if not seen[field] then
      seen[field] = true
      list[#list + 1] = field
    end
  end
  return list
end

local load_rooms, take_room, save_rooms = limiter('room', tonumber(ARGV[9]), tonumber(ARGV[10]))
local load_tokens, take_token, save_tokens = limiter('token', tonumber(ARGV[11]), tonumber(ARGV[12]))
load_rooms(distinct(0, '^[^:]+'))
load_tokens(distinct(2, '.+'))
redis.call('ZCARD', KEYS[1])
local version = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now)

-- The moment within its step of the record at `offset`: nil if the key is damaged, -1 if the slot is empty.
local function recorded_moment(key, offset)
  local record = redis.pcall('GETRANGE', key, offset, offset + 19)
  if damaged(record) then return nil, true end
  if #record < 20 then return -1, true end
  local a, b, c, d = string.byte(record, 1, 4)
  if a + b + c + d == 0 then return -1, false end
  a, b, c, d = string.byte(record, 17, 20)
  return ((a * 256 + b) * 256 + c) * 256 + d, false
end

local outcomes, members, lines = {}, {}, {}

local function commit(i)
  local member, body, timestamp = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 3])
  local wait = take_token(ARGV[i + 2])
  if wait > 0 then return TOKEN_LIMITED, wait end

  local key = latest_prefix .. member
  local stored = redis.pcall('GET', key)
  if damaged(stored) then return DAMAGED, 0 end
  local history_key, offset = history_prefix .. member .. ':' .. ARGV[i + 5] .. history_suffix, tonumber(ARGV[i + 6])
  local moment, first = recorded_moment(history_key, offset)
  if not moment then return DAMAGED, 0 end

  local late, duplicate, stored_version = timestamp + ttl <= now_seconds, false, 0
  if stored then
    local sequence, at, order = tonumber(ARGV[i + 4]), string.match(stored, '"timestamp":(%d+),"tokens_count":%d+,"sequence":(%d+)')
    at, order = tonumber(at or 0), tonumber(order or 0)
    stored_version = tonumber(string.match(stored, '"version":(%d+)') or 0)
    late = late or timestamp < at or (timestamp == at and sequence < order)
    duplicate = timestamp == at and sequence == order and string.sub(stored, 1, #body) == body
  end

  -- A late reading is its token's business alone, unless it would claim the memory of another day's array.
  if not late or duplicate or (first and redis.call('EXISTS', history_key) == 0) then
    wait = take_room(string.match(member, '^[^:]+'))
    if wait > 0 then return ROOM_LIMITED, wait end
  end
  if duplicate then return DUPLICATE, stored_version end

  local moment_new = tonumber(ARGV[i + 8])
  if moment_new > moment or (not late and moment_new == moment) then
    redis.call('SETRANGE', history_key, offset, ARGV[i + 7])
    if first then
      local expires = timestamp - timestamp % 86400 + 86400 + retention
      redis.call('EXPIREAT', history_key, expires)
      -- Whose arrays exist, for whoever adds them up. A damaged set costs a report a room, never a reading.
      local feeds_key = history_prefix .. 'feeds:' .. ARGV[i + 5]
      if not damaged(redis.pcall('SADD', feeds_key, member)) then redis.call('EXPIREAT', feeds_key, expires) end
    end
  end
  if late then return LATE, stored_version end

  local text = whole(version)
  local line = body .. text .. ',"committed_at":' .. whole(now) .. '}'
  redis.call('SET', key, line, 'EXAT', timestamp + ttl)
  members[#members + 1] = text
  members[#members + 1] = member
  lines[#lines + 1] = line
  version = version + 1
  return ACCEPTED, version - 1
end

for i = FIRST, #ARGV, STRIDE do
  local code, value = commit(i)
  outcomes[#outcomes + 1] = code
  outcomes[#outcomes + 1] = value
end

save_rooms()
save_tokens()
if #lines > 0 then
  redis.call('ZADD', KEYS[1], unpack(members))
  redis.call('SET', KEYS[2], whole(version - 1))
  -- What was committed longer ago than any observation can still be alive has expired; 300 s is how far ahead one may lie.
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - (ttl + 300) * 1000000))
  redis.call(ARGV[6], ARGV[5], table.concat(lines, '\n'))
end
return outcomes
