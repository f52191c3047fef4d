-- Reserves a demand for all of its subjects, or for none. Redis runs a script
-- as one step, so that no other comes between its reading and its writing.
--
-- KEYS[1] remembers the answer for a while: whoever has not heard it asks again.
-- Then come, for each subject, a hash of what is counted and a sorted set of the
-- leases of what is running. The fields of the hash are r and t for the requests
-- and tokens of a second, R and T for those of a day.
--
-- ARGV: id, tokens, milliseconds of a lease, seconds that the zone is ahead, and
-- for each subject the requests and tokens per minute, those per day, and how
-- many at once; 0 is no limit.
local known = redis.call('GET', KEYS[1])
if known then
  return cjson.decode(known)
end
local WINDOW = 61
local id, tokens, lease, ahead = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000 + math.floor(tonumber(time[2]) / 1000)
local day = math.floor((second + ahead) / 86400)
local function whole(n) return string.format('%.0f', n) end

local fits = true
local answer = {0, second, day, now}
for i = 1, (#KEYS - 1) / 2 do
  local counted, leases = KEYS[2 * i], KEYS[2 * i + 1]
  local limit = {}
  for n = 1, 5 do limit[n] = tonumber(ARGV[4 + 5 * (i - 1) + n]) end
  local requests, toks, dayRequests, dayTokens, stale = {}, {}, 0, 0, {}
  local all = redis.call('HGETALL', counted)
  for n = 1, #all, 2 do
    local kind, when, value = string.sub(all[n], 1, 1), tonumber(string.sub(all[n], 2)), tonumber(all[n + 1])
    if kind == 'r' or kind == 't' then
      if when <= second - WINDOW or when > second + WINDOW then
        stale[#stale + 1] = all[n]
      elseif kind == 'r' then requests[when] = value
      else toks[when] = value end
    elseif when ~= day then
      if math.abs(when - day) > 1 then stale[#stale + 1] = all[n] end
    elseif kind == 'R' then dayRequests = value
    else dayTokens = value end
  end
  if #stale > 0 then redis.call('HDEL', counted, unpack(stale)) end
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
  local running = redis.call('ZCARD', leases)

  local sumRequests, sumTokens = 0, 0
  for when = second - WINDOW + 1, second + WINDOW do
    sumRequests = sumRequests + (requests[when] or 0)
    sumTokens = sumTokens + (toks[when] or 0)
  end
  local waitRequests, waitTokens, clearRequests, clearTokens = 0, 0, 0, 0
  local leftRequests, leftTokens = sumRequests, sumTokens
  for when = second - WINDOW + 1, second + WINDOW do
    local r, t = requests[when] or 0, toks[when] or 0
    if r > 0 or t > 0 then
      local ends = (when + WINDOW) * 1000 - now + 1
      if leftRequests + 1 > limit[1] then waitRequests = ends end
      if leftTokens + tokens > limit[2] then waitTokens = ends end
      leftRequests, leftTokens = leftRequests - r, leftTokens - t
      if r > 0 then clearRequests = ends end
      if t > 0 then clearTokens = ends end
    end
  end

  local function room(n, used, asked) return limit[n] == 0 or asked == 0 or used + asked <= limit[n] end
  fits = fits and room(1, sumRequests, 1) and room(2, sumTokens, tokens)
    and room(3, dayRequests, 1) and room(4, dayTokens, tokens) and room(5, running, 1)
  for _, n in ipairs({sumRequests, sumTokens, dayRequests, dayTokens, running, waitRequests, waitTokens, clearRequests, clearTokens}) do
    answer[#answer + 1] = n
  end
end

if fits then
  answer[1] = 1
  for i = 1, (#KEYS - 1) / 2 do
    local counted, leases = KEYS[2 * i], KEYS[2 * i + 1]
    redis.call('HINCRBY', counted, 'r' .. whole(second), 1)
    redis.call('HINCRBY', counted, 'R' .. whole(day), 1)
    if tokens > 0 then
      redis.call('HINCRBY', counted, 't' .. whole(second), whole(tokens))
      redis.call('HINCRBY', counted, 'T' .. whole(day), whole(tokens))
    end
    redis.call('PEXPIRE', counted, 49 * 3600 * 1000)
    redis.call('ZADD', leases, whole(now + lease), id)
    redis.call('PEXPIRE', leases, lease)
  end
  redis.call('SET', KEYS[1], cjson.encode(answer), 'PX', 5000)
end
return answer
