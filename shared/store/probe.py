"""The script with which a listener confirms its own subscription."""

from typing import Final

MAX_VERSION_AHEAD_US: Final = 3_600_000_000  # by which a version may be ahead of the clock; a greater one is damaged

# Takes and publishes a version that no reading has and that every later reading exceeds, even after Redis has lost its data: the newest
# version that this process knows is a lower bound. A version that is not a number, or is more than an hour ahead of the clock, is damaged
# and ignored. The script also runs when Redis is out of memory. It returns Redis' clock in microseconds.
PROBE: Final = f"""#!lua flags=allow-oom
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'table' then
  if not string.find(tostring(stored.err), 'WRONGTYPE', 1, true) then return stored end
  stored = nil
end
local version = now
for _, known in ipairs({{stored or 0, ARGV[3]}}) do
  local number = tonumber(known)
  if number and number <= now + {MAX_VERSION_AHEAD_US} then version = math.max(version, number + 1) end
end
version = string.format('%.0f', version)
redis.call('SET', KEYS[1], version)
redis.call(ARGV[2], ARGV[1], version)
return string.format('%.0f', now)
"""
