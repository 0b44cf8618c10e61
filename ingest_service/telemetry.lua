#!lua
-- Commits a batch of readings of one shard: stored and published, or neither.
--
-- For each reading: token rate, order against the stored one, room rate, latest value with its TTL, history slot. Then once
-- for all: index, last version, one PUBLISH. Redis does not roll back, so every command that can fail runs before the latest value is
-- written (and whether this user may run every command), and a reading whose keys are damaged fails alone. If the end of a commit fails
-- nevertheless, the index has no entry for the stored values, and the script takes the repeated reading as a new one.
-- The `#!lua` line makes Redis refuse the whole call when it is out of memory.
--
-- KEYS: index, last version.
-- ARGV: the fixed arguments, the highest version that the caller has been answered, then for each token: token, number of its readings, and
--       for each of them the arguments of a reading. Their names and order, and the constants, are those of ingest_service/commit_script.py,
--       which replaces the line below. The record is described in shared/contract/history_record.py.
-- Returns for each reading: code, value. 1 accepted, version; 2 duplicate, version; 3 late, version; 4 room limited, retry us;
--       5 token limited, retry us; 6 damaged key, 0; 7 unavailable (an error that passes, such as a slot on the move), 0; 8 too many feeds, retry us.

--@constants
local latest_prefix, chunk_prefix, names_prefix, feeds_prefix, rate_prefix, channel, publish,
  ttl, retention, step, room_interval_us, room_tolerance_us, token_interval_us, token_tolerance_us,
  feeds_interval_us, feeds_tolerance_us, max_room_feeds, max_day_feeds = unpack(ARGV, 1, FIRST - 2)
local max_version_ahead = 3600 * 1000000
local HOUR = 3600 * 1000000
local WINDOW_SECONDS = 60
local RECENT_ENTRIES = 4 -- of the trail, that are looked at for a balance that was left

local call, try, match, find, sub, byte, floor = redis.call, redis.pcall, string.match, string.find, string.sub, string.byte, math.floor
ttl, retention, step = tonumber(ttl), tonumber(retention), tonumber(step)
local time = call('TIME')
local now_seconds = tonumber(time[1])
-- Moments within a step are counted in units of so many milliseconds; a run is watched for half a minute after a fall or a leap.
local UNIT_MS = math.ceil(step * 1000 / MAX_MOMENT)
local STEP_UNITS = floor(step * 1000 / UNIT_MS)
local CONFIRM = math.ceil(30000 / UNIT_MS)
local now = now_seconds * 1000000 + tonumber(time[2])

-- A clock that is ahead says nothing about the seconds just before a commit: a right reading of these is newer than one stamped ahead.
local GRACE_SECONDS = 2

-- Numbers above 10^14 lose digits in Lua's own conversion to text. Integers are formatted in a third of the time, where they have 64 bits.
local WHOLE = string.format('%d', 2 ^ 53) == '9007199254740992' and '%d' or '%.0f'
local function whole(number)
  return string.format(WHOLE, number)
end

-- The outcome that an error reply means, nil for any other reply. Only a key of the wrong type is damage; every other error passes.
local function failure(reply)
  if type(reply) ~= 'table' or not reply.err then return nil end
  return find(tostring(reply.err), 'WRONGTYPE', 1, true) and DAMAGED or UNAVAILABLE
end

-- A last version that is no number, or lies more than an hour ahead, is damage: nothing could follow it, or dashboards would ignore what does.
local function believable(text)
  local last = tonumber(text or 0)
  return last and last <= now + max_version_ahead and last or 0
end

-- GCRA (ITU-T I.371, virtual scheduling): `tat` is the theoretical arrival time of the next conforming reading. The
-- states of a window live in one hash that expires as a whole; the window before is consulted for a state carried over.
local function limiter(kind, interval, tolerance, window_seconds)
  local window = floor(now_seconds / window_seconds)
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
      call('EXPIRE', key, 2 * window_seconds)
    end
  end
  return load, take, save
end

local load_rooms, take_room, save_rooms = limiter('room', tonumber(room_interval_us), tonumber(room_tolerance_us), WINDOW_SECONDS)
local load_tokens, take_token, save_tokens = limiter('token', tonumber(token_interval_us), tonumber(token_tolerance_us), WINDOW_SECONDS)
local load_feeds, take_feed, save_feeds = limiter('feeds', tonumber(feeds_interval_us), tonumber(feeds_tolerance_us), 3600)
max_room_feeds, max_day_feeds = tonumber(max_room_feeds), tonumber(max_day_feeds)

-- Calls `visit` with the position of each reading's arguments and its token.
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
local version = math.max(believable(call('GET', KEYS[2])) + 1, believable(ARGV[FIRST - 1]) + 1, now)
local first_version = version
-- Versions are Unix microseconds that only grow, a hybrid logical clock (Kulkarni et al. 2014): after Redis' clock has stepped
-- back, history goes on from the last one, and no reading is recorded before one that was committed earlier.
local recorded_by = floor(first_version / 1000000)
local committed_at = ',"committed_at":' .. whole(now) .. ','

local function u16(text, at)
  local a, b = byte(text, at, at + 1)
  return a * 256 + b
end

local function u32(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

-- The day's trail of a chunk, and how it spells the number of the step at `offset`.
local function trail_of(key, offset)
  local step_of_day = tonumber(match(key, '(%d+)$')) * CHUNK_SLOTS + offset / RECORD_BYTES
  return match(key, '^(.*:)') .. 'trail', string.char(0, floor(step_of_day / 65536), floor(step_of_day / 256) % 256, step_of_day % 256)
end

-- Adds a run of the step at `offset` to the day's trail, unless that is full.
local function append(key, offset, run, expires)
  local trail, name = trail_of(key, offset)
  local length = try('STRLEN', trail)
  if failure(length) or length >= MAX_TRAIL_BYTES then return end
  if not failure(try('APPEND', trail, name .. run)) and length == 0 then try('EXPIREAT', trail, expires) end
end

-- The day of a Unix second as history keys spell it: the algorithm of Howard Hinnant's `civil_from_days`, since scripts have no `os.date`.
local function day_of(seconds)
  local days = floor(seconds / DAY_SECONDS) + 719468 -- since 1 March of the year 0
  local era = floor(days / 146097)
  local of_era = days - era * 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * of_year + 2) / 153) -- from March
  local day = of_year - floor((153 * month + 2) / 5) + 1
  if month >= 10 then year = year + 1 end
  return string.format('%04d-%02d-%02d', year + era * 400, month < 10 and month + 3 or month - 9, day)
end

-- Where a reading is recorded that is stamped ahead: end of the key, offset and moment, as `slot_of` has them.
local function last_slot()
  local second_of_day = recorded_by % DAY_SECONDS
  local number, second_of_step = floor(second_of_day / step), second_of_day % step
  local moment = floor((second_of_step * 1000 + floor(first_version % 1000000 / 1000)) / UNIT_MS)
  local key_end = day_of(recorded_by) .. ':' .. whole(step) .. ':' .. whole(floor(number / CHUNK_SLOTS))
  return key_end, number % CHUNK_SLOTS * RECORD_BYTES, moment
end

-- Whether the trail has runs of the step at `offset`, and whether one of them has, or passes, a balance at a moment: a repeated reading.
local function in_trail(key, offset, moment, tokens)
  local trail, name = trail_of(key, offset)
  local entries = try('GETRANGE', trail, 0, -1)
  if failure(entries) then return false, false end
  local at, is_there = find(entries, name, 1, true), false
  while at do
    if at % TRAIL_BYTES == 1 then
      is_there = true
      local first, last = u32(entries, at + 4) - 1, u32(entries, at + 4 + LAST_AT) - 1
      local begins, ends = u16(entries, at + 4 + FIRST_MOMENT_AT), u16(entries, at + 4 + LAST_MOMENT_AT)
      if first <= tokens and tokens <= last and begins <= moment and moment <= ends then return true, true end
    end
    at = find(entries, name, at + 1, true)
  end
  return is_there, false
end

local function two_bytes(number)
  return string.char(floor(number / 256), number % 256)
end

-- Timestamp, sequence, offset, moment and balance of a reading, from the argument that begins with its numbers; no balance if it is unknown.
local function numbers_of(packed)
  local t5, t4, t3, t2, t1, t0, _, s6, s5, s4, s3, s2, s1, s0, o1, o0, m1, m0, b3, b2, b1, b0 = byte(packed, 3, NUMBERS_BYTES + 4)
  local balance = ((b3 * 256 + b2) * 256 + b1) * 256 + b0 - 1
  return ((((t5 * 256 + t4) * 256 + t3) * 256 + t2) * 256 + t1) * 256 + t0,
    (((((s6 * 256 + s5) * 256 + s4) * 256 + s3) * 256 + s2) * 256 + s1) * 256 + s0,
    o1 * 256 + o0, m1 * 256 + m0, balance >= 0 and balance or nil
end

-- The record of the step before, nil where it has no balance or would be in the chunks of the day before. `records` begins with it, unless it
-- is in another chunk.
local function record_before(key, offset, records)
  local before
  if offset > 0 then
    before = sub(records, 1, RECORD_BYTES)
  else
    local head, chunk = match(key, '^(.*:)(%d+)$')
    if chunk == '0' then return nil end
    before = try('GETRANGE', head .. whole(chunk - 1), CHUNK_BYTES - RECORD_BYTES, CHUNK_BYTES - 1)
    if failure(before) then return nil end
  end
  return #before == RECORD_BYTES and u32(before, LAST_AT + 1) > 0 and before or nil
end

-- Until when a run is watched that begins at `moment` of a new step, 0 for not at all. A fall or a leap after the step before begins a watch,
-- and so does a step that follows none.
local function watch_of(before, moment, tokens)
  if not before then return moment + CONFIRM end
  local last = u32(before, LAST_AT + 1) - 1
  if tokens < last or tokens > last + MAX_RISE then return moment + CONFIRM end
  local watch = 2 * u16(before, WATCH_AT + 1) - STEP_UNITS
  return watch >= moment and watch or 0
end

-- Whether a rise reaches, or may reach, a balance that was left a moment ago: the rules of income need that reading, and the one before it.
local function reaches(key, offset, records, last, tokens)
  local before = record_before(key, offset, records)
  local before_it = before and u32(before, LAST_AT + 1) - 1
  if not before or (last < before_it and before_it <= tokens) then return true end
  local entries = try('GETRANGE', match(key, '^(.*:)') .. 'trail', -RECENT_ENTRIES * TRAIL_BYTES, -1)
  if failure(entries) then return false end
  for at = 1, #entries - TRAIL_BYTES + 1, TRAIL_BYTES do
    local level = u32(entries, at + 4 + LAST_AT) - 1
    if last < level and level <= tokens then return true end
  end
  return false
end

local function begin_run(key, offset, end_of_run, watch, rest)
  return try('SETRANGE', key, offset, end_of_run .. two_bytes(floor((watch + 1) / 2)) .. rest)
end

-- Writes a reading into the record of its step, in any order of arrival. An accepted reading is the newest of its feed, also
-- with a lower sequence. Returns the reply of the write, if any. `records` ends with the record as it is stored, and begins with that of the
-- step before if it is in the same chunk. `packed` ends with the record of this reading alone, for its own moment.
local function merge(key, offset, records, packed, own_moment, moment, tokens, late, expires)
  local own = #records - RECORD_BYTES
  -- The numbers of a record from the watch to the newest moment follow each other.
  local w1, w2, l1, l2, l3, l4, m1, m2, n1, n2 = byte(records, own + WATCH_AT + 1, own + NEWEST_AT + 2)
  local newest = n1 * 256 + n2 - 1
  if not late and moment < newest then moment = newest end
  -- The end of the run, which is the last balance and its moment; behind it, if no newer reading is stored, newest moment and other metrics.
  local rest = sub(packed, NUMBERS_BYTES + LAST_AT + 1)
  if moment ~= own_moment then
    rest = sub(rest, 1, FIRST_MOMENT_AT) .. two_bytes(moment) .. two_bytes(moment + 1) .. sub(rest, NEWEST_AT - LAST_AT + 3)
  end
  if moment < newest then rest = sub(rest, 1, NEWEST_AT - LAST_AT) end
  if not tokens then return moment >= newest and try('SETRANGE', key, offset + NEWEST_AT, sub(rest, NEWEST_AT - LAST_AT + 1)) end
  local last, last_moment = ((l1 * 256 + l2) * 256 + l3) * 256 + l4 - 1, m1 * 256 + m2
  if newest < 0 or last < 0 then
    return begin_run(key, offset, sub(rest, 1, NEWEST_AT - LAST_AT), watch_of(record_before(key, offset, records), moment, tokens), rest)
  end
  if moment > last_moment or (moment == last_moment and not late) then
    local watch = 2 * (w1 * 256 + w2)
    local odd = tokens < last or tokens > last + MAX_RISE
    local leaves_zero = last == 0 and tokens > 0 -- pages show 0 while they load: the rules judge what follows it
    if odd or leaves_zero or (tokens > last and watch > 0 and reaches(key, offset, records, last, tokens)) then
      append(key, offset, sub(records, own + 1, own + RUN_BYTES), expires)
      return begin_run(key, offset, sub(rest, 1, NEWEST_AT - LAST_AT), odd and moment + CONFIRM or moment <= watch and watch or 0, rest)
    end
    return try('SETRANGE', key, offset + LAST_AT, rest)
  end
  local first, first_moment = u32(records, own + 1) - 1, u16(records, own + FIRST_MOMENT_AT + 1)
  if moment == first_moment or moment == last_moment or (moment > first_moment and first <= tokens and tokens <= last) then return end
  local end_of_run = sub(rest, 1, NEWEST_AT - LAST_AT)
  local has_runs, is_kept = in_trail(key, offset, moment, tokens)
  if is_kept then return end
  -- A run begins earlier only where no other run of the step may be between.
  if moment < first_moment and not has_runs and tokens <= first and first <= tokens + MAX_RISE then
    return try('SETRANGE', key, offset, end_of_run)
  end
  append(key, offset, end_of_run .. '\0\0' .. end_of_run .. two_bytes(moment + 1), expires)
end

-- Records that a series has history of a day: nil, or the outcome and the wait if it would be one too many. Reports read these sets to find
-- the feeds of a day. A damaged set can lose a room from a report, and never a reading.
local function begin(token, room, name, day, number, is_live, expires)
  local names, feeds = names_prefix .. room .. ':' .. number, feeds_prefix .. day
  if try('SISMEMBER', names, name) == 1 then return end
  local of_room, of_day = try('SCARD', names), try('SCARD', feeds)
  if (type(of_room) == 'number' and of_room >= max_room_feeds) or (type(of_day) == 'number' and of_day >= max_day_feeds) then
    return TOO_MANY_FEEDS, HOUR
  end
  if not is_live and try('SISMEMBER', names_prefix .. room .. ':' .. (number - 1), name) ~= 1 then
    load_feeds({ token })
    local wait = take_feed(token)
    if wait > 0 then return TOO_MANY_FEEDS, wait end
    save_feeds()
  end
  if not failure(try('SADD', names, name)) then try('EXPIREAT', names, expires) end
  if not failure(try('SADD', feeds, room .. ':' .. match(name, '^(.-):?$'))) then try('EXPIREAT', feeds, expires) end
end

local outcomes, members, lines, accepted = {}, {}, {}, 0

local function commit(i, token)
  local wait = take_token(token)
  if wait > 0 then return TOKEN_LIMITED, wait end

  local room, platform, account, body, key_end, packed = unpack(ARGV, i, i + STRIDE - 1)
  local timestamp, sequence, offset, own_moment, balance = numbers_of(packed)
  local moment = own_moment
  local member = room .. ':' .. platform
  local key = latest_prefix .. member
  local stored = try('GET', key)
  if failure(stored) then return failure(stored), 0 end

  -- No reading is from after its commit: one stamped ahead of it counts as made at it. Redis' clock decides, the same for every ingest:
  -- as it is now for order and TTL, and as it was at its latest for the place in history.
  local ahead = timestamp > now_seconds
  local made, recorded_at = ahead and now_seconds or timestamp, timestamp
  if timestamp > recorded_by then
    recorded_at, key_end, offset, moment = recorded_by, last_slot()
  end
  local late, duplicate, stored_version = made + ttl <= now_seconds, false, 0
  if stored then
    local its_version, committed, at, order = match(stored, STORED)
    stored_version, at, order = tonumber(its_version or 0), tonumber(at or 0), tonumber(order or 0)
    local its_commit = math.min(floor(tonumber(committed or 0) / 1000000), now_seconds)
    if at > its_commit and not (ahead and now_seconds - its_commit <= GRACE_SECONDS) then
      late = late or made < its_commit - GRACE_SECONDS
    else
      late = late or timestamp < at or (timestamp == at and sequence < order)
    end
    duplicate = timestamp == at and sequence == order and sub(stored, -#body) == body
      and (stored_version >= first_version or tonumber(call('ZSCORE', KEYS[1], member) or 0) == stored_version)
  end

  local history_key = chunk_prefix .. member .. ':' .. account .. ':' .. key_end
  local from = offset >= RECORD_BYTES and offset - RECORD_BYTES or offset
  local old = try('GETRANGE', history_key, from, offset + RECORD_BYTES - 1) -- empty where the chunk has not begun
  if failure(old) then return failure(old), 0 end

  -- A late reading counts against its token alone, unless it would allocate another chunk.
  if not late or duplicate or old == '' then
    wait = take_room(room)
    if wait > 0 then return ROOM_LIMITED, wait end
  end
  if duplicate then return DUPLICATE, stored_version end

  local expires = recorded_at - recorded_at % DAY_SECONDS + DAY_SECONDS + retention
  if old == '' then
    local is_live = stored and find(stored, account == '' and '"account":' or '"account":"' .. account .. '"', 1, true) ~= nil
    if stored and account == '' then is_live = not is_live end
    local refused, until_then = begin(token, room, platform .. ':' .. account, match(key_end, '^[^:]+'), floor(recorded_at / DAY_SECONDS), is_live, expires)
    if refused then return refused, until_then end
  end
  local written
  if old == '' then
    -- A chunk is allocated once: a string that grows is given twice the memory.
    written = try('SETRANGE', history_key, CHUNK_BYTES - 1, '\0')
    if failure(written) then return failure(written), 0 end
    try('EXPIREAT', history_key, expires)
  end
  local missing = offset + RECORD_BYTES - from - #old
  if missing > 0 then old = old .. string.rep('\0', missing) end
  written = merge(history_key, offset, old, packed, own_moment, moment, balance, late, expires)
  if failure(written) then return failure(written), 0 end
  if late then return LATE, stored_version end

  local text = whole(version)
  local line = '{"version":' .. text .. committed_at .. body
  written = try('SET', key, line, 'EXAT', made + ttl)
  if failure(written) then return failure(written), 0 end
  accepted = accepted + 1
  members[2 * accepted - 1], members[2 * accepted] = text, member
  lines[accepted] = line
  version = version + 1
  return ACCEPTED, version - 1
end

-- ACLs are checked command by command, and Redis does not roll back: every command of this script is checked before the first write.
local function check_rights(room, platform)
  local member = room .. ':' .. platform
  local history_key, rate_key = chunk_prefix .. member, rate_prefix .. 'room:0'
  for _, command in ipairs({
    { 'GET', latest_prefix .. member }, { 'SET', latest_prefix .. member, '' }, { 'SET', KEYS[2], '' }, { 'ZADD', KEYS[1], 0, '' },
    { 'ZSCORE', KEYS[1], '' }, { 'ZREMRANGEBYSCORE', KEYS[1], 0, 0 }, { publish, channel, '' }, { 'STRLEN', history_key },
    { 'GETRANGE', history_key, 0, 0 }, { 'SETRANGE', history_key, 0, '' }, { 'APPEND', history_key, '' }, { 'EXPIREAT', history_key, 0 },
    { 'SADD', history_key, '' }, { 'SISMEMBER', history_key, '' }, { 'SCARD', history_key }, { 'HMGET', rate_key, '' },
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
  -- The index is written last but for the version, so its entries have been published.
  call(publish, channel, table.concat(lines, '\n'))
  call('ZADD', KEYS[1], unpack(members))
  call('SET', KEYS[2], whole(version - 1))
  -- Values that were committed longer ago have expired, even those of readings that were stamped ahead.
  call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - (ttl + MAX_AHEAD_SECONDS) * 1000000))
end
return outcomes
