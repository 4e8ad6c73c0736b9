import { expect, test } from "bun:test";
import { type Sighting, type Suspicion, suspicionsOf } from "./familiarity.ts";

const noon = Date.UTC(2026, 0, 1, 12);
const seen = (device: string, ip: string | null, minutesAgo = 0): Sighting => ({
  device,
  ip,
  createdAt: new Date(noon - minutesAgo * 60_000),
});
const known = [seen("Firefox on Linux", "203.0.113.7", 1_440)];

test.each<readonly [string, Sighting, readonly Sighting[], readonly Suspicion[]]>([
  ["the first log-in ever", seen("Firefox on Linux", "203.0.113.7"), [], []],
  ["the same device from the same address", seen("Firefox on Linux", "203.0.113.7"), known, []],
  ["a new device", seen("Safari on macOS", "203.0.113.7"), known, ["new_device"]],
  ["a new address", seen("Firefox on Linux", "203.0.113.8"), known, ["new_network"]],
  ["both", seen("curl", "198.51.100.1"), known, ["new_device", "new_network"]],
  ["no address at all", seen("Firefox on Linux", null), known, []],
  [
    "another address of a known IPv6 subscriber",
    seen("Firefox on Linux", "2001:db8::2"),
    [seen("Firefox on Linux", "2001:db8:0:0:1::1", 60)],
    [],
  ],
  [
    "a third network within ten minutes",
    seen("Firefox on Linux", "203.0.113.9"),
    [seen("Firefox on Linux", "203.0.113.7", 9), seen("Firefox on Linux", "203.0.113.8", 5)],
    ["new_network", "impossible_pace"],
  ],
  [
    "a third network, the first one long ago",
    seen("Firefox on Linux", "203.0.113.9"),
    [seen("Firefox on Linux", "203.0.113.7", 11), seen("Firefox on Linux", "203.0.113.8", 5)],
    ["new_network"],
  ],
])("%s", (_, now, past, suspicions) => {
  expect(suspicionsOf(now, past)).toEqual([...suspicions]);
});
