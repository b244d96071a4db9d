-- The load, for wrk: request heads from a file, one practice each, in a fixed pseudo-random order.
-- Each request gets a trace id of its own. Where a pause is given (the second argument), a connection
-- waits that many milliseconds before each request, by chance up to twice as long or not at all.

local heads, pause = {}, 0

function init(arguments)
  pause = tonumber(arguments[2] or "0")
  local file = assert(io.open(arguments[1], "rb"))
  local text = file:read("*a")
  file:close()
  -- The blank line that ends a head is left off: the trace id comes first.
  for head in text:gmatch("(.-\r\n)\r\n") do
    heads[#heads + 1] = head .. "Ssp-TraceID: "
  end
  assert(#heads > 0, "no request heads in " .. arguments[1])
end

-- Numerical Recipes' generator: the same order in every run.
local state, count = 1, 0
local format = string.format

function request()
  state = (state * 1664525 + 1013904223) % 4294967296
  count = count + 1
  local head = heads[math.floor(state / 65536) % #heads + 1]
  return head .. format("%08x-0000-4000-8000-%012x\r\n\r\n", state, count)
end

function delay()
  return pause > 0 and math.random(0, 2 * pause) or 0
end

function done(summary, latency)
  local failed = summary.errors
  local socket = failed.connect + failed.read + failed.write + failed.timeout
  io.write(format(
    'LOAD {"requests":%d,"microseconds":%d,"bytes":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50),
    latency:percentile(99), failed.status, socket))
end
