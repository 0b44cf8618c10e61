#!lua
-- Commits a batch of readings of one shard: stored and published, or neither.
--
-- For each reading: token rate, order against the stored one, room rate, latest value with its TTL, history slot. Then once
-- for all: index, last version, one PUBLISH. Redis does not roll back, so whatever can fail is tried before the latest value is
-- written (and whether this user may run every command), and a reading whose keys are damaged fails alone. Should the end of a commit fail all
-- the same, the index has no entry for what was stored, and the script takes the repeated reading as a new one.
-- The `#!lua` line makes Redis refuse the whole call when it is out of memory.
--
-- KEYS: index, last version.
-- ARGV: latest prefix, history prefix, history suffix, rate prefix, channel, publish command, TTL s, history retention s, history step s,
--       room interval us, room tolerance us, token interval us, token tolerance us, highest version that the caller has been answered,
--       then for each token: token, number of its readings, and for each of them: room, platform, body, timestamp, sequence, day, offset,
--       record, moment. The body is the reading as JSON without its opening brace.
-- Returns for each reading: code, value. 1 accepted, version; 2 duplicate, version; 3 late, version; 4 room limited, retry us;
--       5 token limited, retry us; 6 damaged key, 0; 7 unavailable (an error that passes, such as a slot on the move), 0.

local FIRST, STRIDE = 15, 9
local ACCEPTED, DUPLICATE, LATE, ROOM_LIMITED, TOKEN_LIMITED, DAMAGED, UNAVAILABLE = 1, 2, 3, 4, 5, 6, 7
local MAX_VERSION_AHEAD = 3600 * 1000000
local WINDOW_SECONDS = 60
-- Anchored: what a pattern need not search for costs a fifth.
local STORED = '^{"version":(%d+),"committed_at":(%d+),"room_id":"[^"]*","platform":"[^"]*","timestamp":(%d+),"tokens_count":[%dnul]+,"sequence":(%d+)'

local call, try, match, floor = redis.call, redis.pcall, string.match, math.floor
local latest_prefix, history_prefix, history_suffix, rate_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local ttl, retention, step = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local time = call('TIME')
local now_seconds = tonumber(time[1])
local now = now_seconds * 1000000 + tonumber(time[2])

-- A clock that is ahead tells nothing about the seconds just before a commit: a right reading of these is newer than one stamped ahead.
local GRACE_SECONDS = 2

-- Numbers above 10^14 lose digits in Lua's own conversion to text.
local function whole(number)
  return string.format('%.0f', number)
end

-- The outcome that an error reply means, nil for any other reply. Only a key of the wrong type is damage; every other error passes.
local function failure(reply)
  if type(reply) ~= 'table' or not reply.err then return nil end
  return string.find(tostring(reply.err), 'WRONGTYPE', 1, true) and DAMAGED or UNAVAILABLE
end

-- A last version that is no number, or lies more than an hour ahead, is damage: nothing could follow it, or dashboards would ignore what does.
local function believable(text)
  local last = tonumber(text or 0)
  return last and last <= now + MAX_VERSION_AHEAD and last or 0
end

-- GCRA (ITU-T I.371, virtual scheduling): `tat` is the theoretical arrival time of the next conforming reading. The
-- states of a minute live in one hash that expires as a whole; the minute before is consulted for a state carried over.
local window = floor(now_seconds / WINDOW_SECONDS)
local function limiter(kind, interval, tolerance)
  local key, previous = rate_prefix .. kind .. ':' .. window, rate_prefix .. kind .. ':' .. (window - 1)
  local states, changed = {}, {}
  local function load(fields)
    if interval == 0 or #fields == 0 then return end
    local carried = {}
    for i, state in ipairs(call('HMGET', key, unpack(fields))) do
      states[fields[i]] = tonumber(state or 0)
      if not state then carried[#carried + 1] = fields[i] end
    end
    if #carried > 0 then
      for i, state in ipairs(call('HMGET', previous, unpack(carried))) do
        states[carried[i]] = tonumber(state or 0)
      end
    end
  end
  local function take(field)
    if interval == 0 then return 0 end
    local tat = states[field]
    if tat < now then tat = now end
    -- No state that this clock wrote lies further ahead: the clock has stepped back.
    if tat > now + tolerance + interval then tat = now + tolerance end
    if tat - now > tolerance then return tat - now - tolerance end
    states[field], changed[field] = tat + interval, true
    return 0
  end
  local function save()
    local pairs_of, n = {}, 0
    for field in pairs(changed) do
      pairs_of[n + 1], pairs_of[n + 2] = field, whole(states[field])
      n = n + 2
    end
    if n > 0 then
      call('HSET', key, unpack(pairs_of))
      call('EXPIRE', key, 2 * WINDOW_SECONDS)
    end
  end
  return load, take, save
end

local load_rooms, take_room, save_rooms = limiter('room', tonumber(ARGV[10]), tonumber(ARGV[11]))
local load_tokens, take_token, save_tokens = limiter('token', tonumber(ARGV[12]), tonumber(ARGV[13]))

-- Calls `visit` with the place of each reading and its token.
local function each_reading(visit)
  local i = FIRST
  while i <= #ARGV do
    local token, after = ARGV[i], i + 2 + ARGV[i + 1] * STRIDE
    for at = i + 2, after - 1, STRIDE do
      visit(at, token)
    end
    i = after
  end
end

local rooms, tokens = {}, {}
each_reading(function(at, token)
  rooms[#rooms + 1] = ARGV[at]
  if tokens[#tokens] ~= token then tokens[#tokens + 1] = token end
end)
load_rooms(rooms)
load_tokens(tokens)
call('ZCARD', KEYS[1])
local version = math.max(believable(call('GET', KEYS[2])) + 1, believable(ARGV[14]) + 1, now)
local first_version = version
local committed_at = ',"committed_at":' .. whole(now) .. ','

-- The moment within its step of the record at `offset` (-1 if the slot is empty) and whether it is the first; nil and an outcome on an error.
local function recorded_moment(key, offset)
  local record = try('GETRANGE', key, offset, offset + 19)
  if failure(record) then return nil, failure(record) end
  if #record < 20 then return -1, true end
  local a, b, c, d = string.byte(record, 1, 4)
  if a + b + c + d == 0 then return -1, false end
  a, b, c, d = string.byte(record, 17, 20)
  return ((a * 256 + b) * 256 + c) * 256 + d, false
end

local outcomes, members, lines, accepted = {}, {}, {}, 0

local function commit(i, token)
  local wait = take_token(token)
  if wait > 0 then return TOKEN_LIMITED, wait end

  local room, body, timestamp = ARGV[i], ARGV[i + 2], tonumber(ARGV[i + 3])
  local member = room .. ':' .. ARGV[i + 1]
  local key = latest_prefix .. member
  local stored = try('GET', key)
  if failure(stored) then return failure(stored), 0 end

  -- No reading is from after its commit: one stamped ahead of it counts as made at it.
  local ahead = timestamp > now_seconds
  local made = ahead and now_seconds or timestamp
  local late, duplicate, same_slot, stored_version = made + ttl <= now_seconds, false, false, 0
  if stored then
    local its_version, committed, at, order = match(stored, STORED)
    local sequence = tonumber(ARGV[i + 4])
    stored_version, at, order = tonumber(its_version or 0), tonumber(at or 0), tonumber(order or 0)
    local its_commit = math.min(floor(tonumber(committed or 0) / 1000000), now_seconds)
    if at > its_commit and not (ahead and now_seconds - its_commit <= GRACE_SECONDS) then
      late = late or made < its_commit - GRACE_SECONDS
    else
      late = late or timestamp < at or (timestamp == at and sequence < order)
    end
    duplicate = timestamp == at and sequence == order and string.sub(stored, -#body) == body
      and (stored_version >= first_version or tonumber(call('ZSCORE', KEYS[1], member) or 0) == stored_version)
    same_slot = timestamp >= at and floor(timestamp / step) == floor(at / step)
  end

  -- What is newer than the stored reading and of the same slot is newer than what the slot holds: nothing need be read.
  local history_key = history_prefix .. member .. ':' .. ARGV[i + 5] .. history_suffix
  local moment, first = -1, false
  if late or duplicate or not same_slot then
    moment, first = recorded_moment(history_key, tonumber(ARGV[i + 6]))
    if not moment then return first, 0 end
  end

  -- A late reading is its token's business alone, unless it would claim the memory of another day's array.
  if not late or duplicate or (first and call('EXISTS', history_key) == 0) then
    wait = take_room(room)
    if wait > 0 then return ROOM_LIMITED, wait end
  end
  if duplicate then return DUPLICATE, stored_version end

  local moment_new = tonumber(ARGV[i + 8])
  if moment_new > moment or (not late and moment_new == moment) then
    local written = try('SETRANGE', history_key, ARGV[i + 6], ARGV[i + 7])
    if failure(written) then return failure(written), 0 end
    if first then
      local expires = timestamp - timestamp % 86400 + 86400 + retention
      try('EXPIREAT', history_key, expires)
      -- Whose arrays exist, for whoever adds them up. A damaged set costs a report a room, never a reading.
      local feeds_key = history_prefix .. 'feeds:' .. ARGV[i + 5]
      if not failure(try('SADD', feeds_key, member)) then try('EXPIREAT', feeds_key, expires) end
    end
  end
  if late then return LATE, stored_version end

  local text = whole(version)
  local line = '{"version":' .. text .. committed_at .. body
  local written = try('SET', key, line, 'EXAT', made + ttl)
  if failure(written) then return failure(written), 0 end
  accepted = accepted + 1
  members[2 * accepted - 1], members[2 * accepted] = text, member
  lines[accepted] = line
  version = version + 1
  return ACCEPTED, version - 1
end

-- ACLs are checked command by command, and Redis does not roll back: whatever this script may run is asked for before the first write.
local function check_rights(room, platform)
  local member = room .. ':' .. platform
  local history_key, rate_key = history_prefix .. member, rate_prefix .. 'room:' .. window
  for _, command in ipairs({
    { 'GET', latest_prefix .. member }, { 'SET', latest_prefix .. member, '' }, { 'SET', KEYS[2], '' }, { 'ZADD', KEYS[1], 0, '' },
    { 'ZSCORE', KEYS[1], '' }, { 'ZREMRANGEBYSCORE', KEYS[1], 0, 0 }, { ARGV[6], ARGV[5], '' }, { 'GETRANGE', history_key, 0, 0 },
    { 'SETRANGE', history_key, 0, '' }, { 'EXPIREAT', history_key, 0 }, { 'EXISTS', history_key }, { 'SADD', history_key, '' },
    { 'HSET', rate_key, '', '' }, { 'EXPIRE', rate_key, 0 },
  }) do
    if not redis.acl_check_cmd(unpack(command)) then error('NOPERM this user may not run ' .. command[1] .. ' in the commit script') end
  end
end
if redis.acl_check_cmd then check_rights(ARGV[FIRST + 2], ARGV[FIRST + 3]) end

local n = 0
each_reading(function(at, token)
  outcomes[n + 1], outcomes[n + 2] = commit(at, token)
  n = n + 2
end)

save_rooms()
save_tokens()
if accepted > 0 then
  -- The index is last but for the version: what it lists has been published.
  call(ARGV[6], ARGV[5], table.concat(lines, '\n'))
  call('ZADD', KEYS[1], unpack(members))
  call('SET', KEYS[2], whole(version - 1))
  -- What was committed longer ago than any observation can still be alive has expired; 300 s is how far ahead one may lie.
  call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - (ttl + 300) * 1000000))
end
return outcomes
