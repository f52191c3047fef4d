-- Ends the lease of a grant, and has the tokens that were taken count in place of
-- those that were set aside. KEYS are as of reserve.lua; ARGV: id, the second and
-- the day it was counted for, and the difference in tokens.
local id, second, day, more = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('GET', KEYS[1]) == 'settled' then
  return 0
end
redis.call('SET', KEYS[1], 'settled', 'PX', 5000)
for i = 1, (#KEYS - 1) / 2 do
  local counted, leases = KEYS[2 * i], KEYS[2 * i + 1]
  redis.call('ZREM', leases, id)
  -- What has been let go since has no field any more, and gets none.
  if more ~= 0 and redis.call('HEXISTS', counted, 'r' .. second) == 1 then
    redis.call('HINCRBY', counted, 't' .. second, string.format('%.0f', more))
  end
  if more ~= 0 and redis.call('HEXISTS', counted, 'R' .. day) == 1 then
    redis.call('HINCRBY', counted, 'T' .. day, string.format('%.0f', more))
  end
end
return 1
