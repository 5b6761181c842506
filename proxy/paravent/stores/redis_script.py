"""What Redis runs: one script, four operations, each of them one atomic step. What it must answer: `stores.memory`.

KEYS    clock, charge, proof, then whatever the operation names by number
ARGV    a MessagePack map (of texts and numbers: Redis's reader knows no byte strings), then the persons reserved and
        the persons disclosed, 16 bytes each; `redis_calls` writes them

    clock            hash     now: the highest moment ever seen, longest_s: the longest window ever charged
    charge           string   when it was made, while it is not settled; then "settled" and its answer, for ten minutes
    proof            string   until when it is remembered
    set of a payer   zset     subject → since when they count
    … and beside it  hash     subject → last disclosure | reservations not settled | who reserved first
    a counter        hash     bucket → used, and t: all of them, o: the oldest bucket

Every key has a time to live. A window is read with ZCOUNT, which costs the logarithm of the set's size.

Lua's numbers are doubles, exact up to 2^53; they are written with %.0f, since tostring() would round a moment.
"""

import hashlib
from typing import Final

SCRIPT: Final = """
local q = cmsgpack.unpack(ARGV[1])
local call, fmt = redis.call, string.format
local function int(n) return fmt('%.0f', n) end

local function persons(packed)
  local list = {}
  for first = 1, #packed, 16 do list[#list + 1] = string.sub(packed, first, first + 15) end
  return list
end
q.subjects, q.disclosed = persons(ARGV[2]), persons(ARGV[3])

-- the clock

local asked = q.now_ms
if q.server_time then
  local time = call('TIME')
  asked = time[1] * 1000 + math.floor(time[2] / 1000)
end
-- Where the callers tell the time it may stand still, and what Redis counts down would end too early.
local slack_ms = q.server_time and 0 or 3600000
local remember_ms = 600000  -- a settlement: for as long as it may be said again
local kept = call('HMGET', KEYS[1], 'now', 'longest_s')
local now = math.max(asked, tonumber(kept[1] or 0))
local longest_s = math.max(q.longest_s, tonumber(kept[2] or 0))
local keep_ms = longest_s * 1000
-- Counted from the highest moment, which may be ahead of what Redis counts down by: a day must not end before it does.
local function ends(key, in_ms) call('PEXPIRE', key, int(math.max(1, in_ms) + now - asked + slack_ms)) end
call('HSET', KEYS[1], 'now', int(now), 'longest_s', int(longest_s))
ends(KEYS[1], keep_ms)

-- days, weeks and months of Paris: `paravent.paris` by arithmetic

local floor, DAY_MS, HOUR_MS = math.floor, 86400000, 3600000

local function first_day(year)  -- of January, counted from 1970
  local before = year - 1
  return 365 * (year - 1970) + floor(before / 4) - floor(before / 100) + floor(before / 400) - 477
end

local function leap(year) return first_day(year + 1) - first_day(year) - 365 end

local function year_of(day)
  local year = 1970 + floor(day / 365.2425)
  if day < first_day(year) then return year - 1 end
  return day >= first_day(year + 1) and year + 1 or year
end

local function last_sunday(year, last)  -- 01:00 UTC; `last` day of the month, counted from a first of January
  local day = first_day(year) + leap(year) + last
  return (day - (day + 4) % 7) * DAY_MS + HOUR_MS
end

local function offset_ms(at_ms)
  local year = year_of(floor(at_ms / DAY_MS))
  local summer = at_ms >= last_sunday(year, 89) and at_ms < last_sunday(year, 303)
  return summer and 2 * HOUR_MS or HOUR_MS
end

local function midnight(day) return day * DAY_MS - offset_ms(day * DAY_MS - HOUR_MS) end

local STARTS = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365}

local function month_around(day)
  local year = year_of(day)
  local function first(month) return first_day(year) + STARTS[month] + (month > 2 and leap(year) or 0) end
  local month = 12
  while first(month) > day do month = month - 1 end
  return midnight(first(month)), midnight(first(month + 1))
end

local function period_of(at_ms, span)
  local day = floor((at_ms + offset_ms(at_ms)) / DAY_MS)
  if span == -1 then return midnight(day), midnight(day + 1) end
  if span == -3 then return month_around(day) end
  local monday = day - (day + 3) % 7
  return midnight(monday), midnight(monday + 7)
end

-- windows: a span is a trailing window's seconds, or a calendar's number, below zero

local LONGEST_S = {[-1] = 90000, [-2] = 608400, [-3] = 2682000}

local function leaves_ms(at_ms, span)
  if span > 0 then return at_ms + span * 1000 end
  local _, ends_ms = period_of(at_ms, span)
  return ends_ms
end

local function tail_ms(span)
  if span > 0 then return now - span * 1000 end
  return (period_of(now, span)) - 1
end

local function counts(at_ms, then_ms, span) return then_ms < leaves_ms(at_ms, span) end

-- counters

local function bucket_ms(span) return math.ceil(span * 1000 / 60) end

local function bucket_of(at_ms, span)
  if span > 0 then return floor(at_ms / bucket_ms(span)) end
  return (period_of(at_ms, span)) / HOUR_MS
end

local function bucket_leaves_ms(bucket, span)
  if span > 0 then return leaves_ms((bucket + 1) * bucket_ms(span) - 1, span) end
  return leaves_ms(bucket * HOUR_MS, span)
end

local function buckets_of(key)
  local flat, buckets = call('HGETALL', key), {}
  for i = 1, #flat, 2 do
    local number = tonumber(flat[i])
    if number then buckets[#buckets + 1] = {number, tonumber(flat[i + 1])} end
  end
  table.sort(buckets, function(a, b) return a[1] < b[1] end)
  return buckets
end

local function counted(key, span)
  local held = call('HMGET', key, 'o', 't')
  if not held[1] then return 0 end
  if bucket_leaves_ms(tonumber(held[1]), span) > now then return tonumber(held[2]) end
  local total, oldest = 0, nil
  for _, bucket in ipairs(buckets_of(key)) do
    if bucket_leaves_ms(bucket[1], span) <= now then
      call('HDEL', key, int(bucket[1]))
    else
      oldest = oldest or bucket[1]
      total = total + bucket[2]
    end
  end
  if oldest then call('HSET', key, 'o', int(oldest), 't', int(total)) else call('DEL', key) end
  return total
end

local function count(key, span, amount)
  local bucket = int(bucket_of(now, span))
  call('HINCRBY', key, bucket, amount)
  call('HINCRBY', key, 't', amount)
  call('HSETNX', key, 'o', bucket)
  ends(key, span > 0 and span * 1000 + bucket_ms(span) or leaves_ms(now, span) - now)
end

local function uncount(key, span, at_ms, amount)
  local bucket = int(bucket_of(at_ms, span))
  local held = math.min(amount or 1, tonumber(call('HGET', key, bucket) or 0))
  if held > 0 then
    -- An empty bucket goes: each answered request takes back its miss, and would leave one behind for the whole window.
    if call('HINCRBY', key, bucket, -held) == 0 then call('HDEL', key, bucket) end
    call('HINCRBY', key, 't', -held)
  end
end

-- sets

local function person(set, subject)
  local at_ms = call('ZSCORE', set.zset, subject)
  if not at_ms or not counts(tonumber(at_ms), now, longest_s) then return nil end
  local confirmed, pending, held_by = string.match(call('HGET', set.hash, subject) or '|0|', '^(%d*)|(%d+)|(.*)$')
  return {
    at_ms = tonumber(at_ms), confirmed_ms = tonumber(confirmed), pending = tonumber(pending),
    held_by = held_by ~= '' and held_by or nil,
  }
end

local function put(set, subject, it)
  call('ZADD', set.zset, int(it.at_ms), subject)
  local confirmed = it.confirmed_ms and int(it.confirmed_ms) or ''
  call('HSET', set.hash, subject, confirmed .. '|' .. int(it.pending) .. '|' .. (it.held_by or ''))
  ends(set.zset, keep_ms)
  ends(set.hash, keep_ms)
end

local function drop(set, subject)
  call('ZREM', set.zset, subject)
  call('HDEL', set.hash, subject)
end

local function release(it, id)
  it.pending = math.max(0, it.pending - 1)
  if it.pending == 0 or it.held_by == id then it.held_by = nil end
  if it.pending == 0 and it.confirmed_ms then it.at_ms = it.confirmed_ms end
end

local sets, own = {}, nil
for i, set in ipairs(q.sets or {}) do
  sets[i] = {zset = KEYS[set.key], hash = KEYS[set.key + 1], windows = set.windows}
  if set.own then own = sets[i] end
  local gone = call('ZRANGEBYSCORE', sets[i].zset, '-inf', int(now - keep_ms), 'LIMIT', 0, 64)
  for _, subject in ipairs(gone) do drop(sets[i], subject) end
end

-- one charge against every window; `number` is the line's place in the operation

local function lines_of(subjects, what)
  local lines, number = {}, 0
  local function new(set, span)
    local left = 0
    for _, subject in ipairs(subjects) do
      local it = set and set.seen[subject]
      if not it or not counts(it, now, span) then left = left + 1 end
    end
    return left
  end
  for _, set in ipairs(sets) do
    set.seen = {}
    for _, subject in ipairs(subjects) do
      local it = person(set, subject)
      set.seen[subject] = it and it.at_ms
    end
    for _, window in ipairs(set.windows) do
      number = number + 1
      local adds = new(set, window[2])
      if adds > 0 or what == 'all' then
        local used = call('ZCOUNT', set.zset, '(' .. int(tail_ms(window[2])), '+inf')
        lines[#lines + 1] = {
          number = number, set = set, limit = window[1], span = window[2], used = used, adds = adds,
        }
      end
    end
  end
  for _, it in ipairs(q.persons or {}) do
    number = number + 1
    -- On a cluster the practitioner's set is elsewhere, and has said how many are new.
    local adds = q.adds and (q.adds[int(it.span)] or 0) or new(own, it.span)
    if adds > 0 then
      local key = KEYS[it.key]
      lines[#lines + 1] = {
        number = number, key = key, limit = it.limit, span = it.span, used = counted(key, it.span), adds = adds,
      }
    end
  end
  if what == 'all' then
    for _, it in ipairs(q.events or {}) do
      number = number + 1
      local key = KEYS[it.key]
      lines[#lines + 1] = {
        number = number, key = key, limit = it.limit, span = it.span, used = counted(key, it.span),
        adds = it.units and q.units or 1,
      }
    end
  end
  return lines
end

local function free_ms(line, subjects)
  local excess = line.used + line.adds - line.limit
  if line.set then
    local asked_about = {}
    for _, subject in ipairs(subjects) do asked_about[subject] = true end
    local oldest = call(
      'ZRANGEBYSCORE', line.set.zset, '(' .. int(tail_ms(line.span)), '+inf', 'WITHSCORES',
      'LIMIT', 0, int(excess + #subjects))
    for i = 1, #oldest, 2 do
      if not asked_about[oldest[i]] then excess = excess - 1 end
      if excess == 0 then return leaves_ms(tonumber(oldest[i + 1]), line.span) end
    end
  else
    for _, bucket in ipairs(buckets_of(line.key)) do
      excess = excess - bucket[2]
      if excess <= 0 then return bucket_leaves_ms(bucket[1], line.span) end
    end
  end
  return nil
end

local function refusal(lines, subjects)
  local worst, longest, short, alone = nil, 0, 0, true
  for _, line in ipairs(lines) do
    if line.adds > 0 and line.used + line.adds > line.limit then
      short = math.max(short, line.used + line.adds - line.limit)
      alone = alone and line.set ~= nil and line.set == own
      local free = free_ms(line, subjects)
      local wait_s = free and math.max(1, math.ceil((free - asked) / 1000)) or LONGEST_S[line.span] or line.span
      if wait_s > longest then worst, longest = line, wait_s end
    end
  end
  return worst and {'over', worst.number, longest, alone and short or -1}
end

local function count_lines(lines)
  for _, line in ipairs(lines) do
    if line.key then count(line.key, line.span, line.adds) end
  end
end

-- on a cluster, for the wider scopes: in each of these spans, how many persons were new, how many are given back

local backs = {}
for i in ipairs(q.spans or {}) do backs[i] = 0 end

local function fresh(subjects)
  local counted_new = {}
  for i, span in ipairs(q.spans or {}) do
    counted_new[i] = 0
    for _, subject in ipairs(subjects) do
      local at_ms = own and own.seen[subject]
      if not at_ms or not counts(at_ms, now, span) then counted_new[i] = counted_new[i] + 1 end
    end
  end
  return counted_new
end

local function numbers_in(said)
  local numbers = {}
  for number in string.gmatch(said, '%d+') do numbers[#numbers + 1] = tonumber(number) end
  return numbers
end

local function with_spans(answer, counted_new)
  if not q.spans then return answer end
  answer[#answer + 1] = 'spans'
  for i in ipairs(q.spans) do answer[#answer + 1] = counted_new[i] or 0 end
  for i in ipairs(q.spans) do answer[#answer + 1] = backs[i] end
  return answer
end

-- the operations

local function seen()
  local until_ms = tonumber(call('GET', KEYS[3]) or 0)
  if until_ms > now then return true end
  local left_ms = q.until_ms - q.now_ms  -- both on the node's clock, whatever ours says
  call('SET', KEYS[3], int(now + left_ms))
  ends(KEYS[3], left_ms)
  return false
end

local function opened_ms()
  local at_ms = tonumber(call('GET', KEYS[2]) or nil)  -- of one that is settled: nil
  return at_ms and counts(at_ms, now, longest_s) and at_ms or nil
end

local function charge()
  if q.until_ms and seen() then return {'replayed'} end
  local lines = lines_of(q.subjects, 'all')
  local over = refusal(lines, q.subjects)
  if over then return over end
  local counted_new = fresh(q.subjects)
  if opened_ms() then return {'open'} end
  call('SET', KEYS[2], int(now))
  ends(KEYS[2], keep_ms)
  count_lines(lines)
  for _, set in ipairs(sets) do
    for _, subject in ipairs(q.subjects) do
      local it = person(set, subject) or {pending = 0}
      if it.pending == 0 then it.held_by = q.id end
      it.pending, it.at_ms = it.pending + 1, now
      put(set, subject, it)
    end
  end
  local told = {'charged'}
  for _, line in ipairs(lines) do
    told[#told + 1] = line.number
    told[#told + 1] = line.used + line.adds
  end
  return with_spans(told, counted_new)
end

local function give_back(subjects, opened)
  for _, subject in ipairs(subjects) do
    for _, set in ipairs(sets) do
      local it = person(set, subject)
      if it then
        local held = it.held_by == q.id
        release(it, q.id)
        if it.pending == 0 and held and set == own then
          for i, span in ipairs(q.spans or {}) do
            if not it.confirmed_ms or not counts(it.confirmed_ms, opened, span) then backs[i] = backs[i] + 1 end
          end
          for _, wider in ipairs(q.persons or {}) do
            if not it.confirmed_ms or not counts(it.confirmed_ms, opened, wider.span) then
              uncount(KEYS[wider.key], wider.span, opened)
            end
          end
        end
        if it.pending == 0 and not it.confirmed_ms then drop(set, subject) else put(set, subject, it) end
      end
    end
  end
end

local function settle()
  -- What has left already may be said twice, when the first answer was lost: the charge is known for a while.
  local said = q.answered and string.match(call('GET', KEYS[2]) or '', '^settled(.*)')
  if said then
    local numbers = numbers_in(said)
    for i in ipairs(q.spans or {}) do backs[i] = numbers[#q.spans + i] or 0 end
    return with_spans({'charged'}, numbers)
  end
  local opened, is_reserved = opened_ms(), {}
  local is_disclosed, kept_back, shown = {}, {}, {}
  for _, subject in ipairs(q.disclosed) do is_disclosed[subject] = true end
  call('SET', KEYS[2], 'settled')
  ends(KEYS[2], remember_ms)
  if opened then
    for _, subject in ipairs(q.subjects) do
      is_reserved[subject] = true
      local list = is_disclosed[subject] and shown or kept_back
      list[#list + 1] = subject
    end
    give_back(kept_back, opened)
    for _, it in ipairs(q.back and q.persons or {}) do
      uncount(KEYS[it.key], it.span, opened, q.back[int(it.span)] or 0)
    end
    for _, it in ipairs(q.events or {}) do
      if it.miss and not q.missed then
        uncount(KEYS[it.key], it.span, opened)
      elseif q.refund then
        uncount(KEYS[it.key], it.span, opened, it.units and q.units or 1)
      end
    end
  end
  local lines = lines_of(q.disclosed, 'new')
  local over = refusal(lines, q.disclosed)
  if over and not q.answered then
    if opened then give_back(shown, opened) end
    return over
  end
  local counted_new = fresh(q.disclosed)
  count_lines(lines)
  for _, set in ipairs(sets) do
    for _, subject in ipairs(q.disclosed) do
      local it = person(set, subject) or {pending = 0}
      if is_reserved[subject] then release(it, q.id) end
      it.at_ms, it.confirmed_ms = now, now
      put(set, subject, it)
    end
  end
  if q.spans then
    call('SET', KEYS[2], 'settled ' .. table.concat(counted_new, ' ') .. ' ' .. table.concat(backs, ' '))
    ends(KEYS[2], remember_ms)
  end
  return with_spans({'charged'}, counted_new)
end

-- The clock was written: a server that answers and takes no writes (OOM, NOREPLICAS, MISCONF) has said so by now.
if q.op == 'look' then return {'well'} end
if q.op == 'charge' then return charge() end
if q.op == 'settle' then return settle() end
return {seen() and 'replayed' or 'new'}
"""

SHA: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest().encode()
"""What Redis calls it by, once it is loaded."""
