import { createHash } from "node:crypto";
import { type Redis, ReplyError } from "ioredis";

export interface Script {
  readonly lua: string;
  readonly sha: string;
}

/**
 * Appends all events or none. KEYS: stream, the publisher's last batch, prefix of the ids seen. ARGV: batch number, seconds an
 * id is remembered, then per event the id ("" when it need not be unique) and its JSON. The last batch is kept for a minute,
 * so one whose answer was lost can be sent again, and may even arrive twice in any order, without being stored twice.
 */
export const appendScript = defineScript(`
local last = redis.call('GET', KEYS[2])
if last and tonumber(string.match(last, '^%d+')) >= tonumber(ARGV[1]) then
  local cursors = {}
  for cursor in string.gmatch(last, ' (%S+)') do cursors[#cursors + 1] = cursor end
  return cursors
end
local cursors = {}
for i = 3, #ARGV, 2 do
  local seen = ARGV[i] ~= '' and KEYS[3] .. ARGV[i]
  local cursor = seen and redis.call('GET', seen)
  if not cursor then
    cursor = redis.call('XADD', KEYS[1], '*', 'e', ARGV[i + 1])
    if seen then redis.call('SET', seen, cursor, 'EX', ARGV[2]) end
  end
  cursors[#cursors + 1] = cursor
end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. table.concat(cursors, ' '), 'EX', 60)
return cursors
`);

/**
 * Trims and remembers the last entry that went, which Redis itself does not. KEYS: stream, the mark. ARGV: length and age in
 * milliseconds, each "" for no bound. The rough cut before the exact one keeps the number of entries read here small.
 */
export const trimScript = defineScript(`
local stream, removed, last = KEYS[1], 0, nil
if ARGV[1] ~= '' then
  local keep = tonumber(ARGV[1])
  local over = redis.call('XLEN', stream) - keep
  if over > 1000 then removed = redis.call('XTRIM', stream, 'MAXLEN', '=', keep + 1000) end
  over = redis.call('XLEN', stream) - keep
  if over > 0 then
    local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', over)
    last = entries[#entries][1]
    removed = removed + redis.call('XTRIM', stream, 'MAXLEN', '=', keep)
  end
end
if ARGV[2] ~= '' then
  local now = redis.call('TIME')
  local first = string.format('%.0f-0', now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(ARGV[2]) + 1)
  local old = redis.call('XREVRANGE', stream, '(' .. first, '-', 'COUNT', 1)
  if old[1] then
    last = old[1][1]
    removed = removed + redis.call('XTRIM', stream, 'MINID', '=', first)
  end
end
if last then redis.call('SET', KEYS[2], last) end
return removed
`);

export interface ScriptInput {
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** By hash, and in full when the server does not know it yet (first use, or after a restart). */
export async function runScript(redis: Redis, script: Script, { keys, args }: ScriptInput): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isReplyError(error) || !error.message.startsWith("NOSCRIPT")) throw error;
    return redis.eval(script.lua, keys.length, ...keys, ...args);
  }
}

/** True when Redis itself refused, as opposed to a connection that failed before the answer came. */
export function isReplyError(error: unknown): error is Error {
  return error instanceof ReplyError;
}

function defineScript(lua: string): Script {
  return Object.freeze({ lua, sha: createHash("sha1").update(lua).digest("hex") });
}
