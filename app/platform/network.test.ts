import { expect, test } from "bun:test";
import { networkOf, parseAddress, siteOf } from "./network.ts";

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["unknown", "unknown"],
  ["junk7", "unknown"],
])("%s is in %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test.each([
  ["203.0.113.7", "203.0.113.0/24"],
  ["::ffff:203.0.113.7", "203.0.113.0/24"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"],
  ["2001:db8::6", "2001:db8:0::/48"],
  ["junk7", "unknown"],
])("%s is at %s", (address, site) => {
  expect(siteOf(address)).toBe(site);
});

test.each<readonly [string, string | undefined]>([
  ["10.9.9.7", "10.9.9.7"],
  ["10.9.9.7:1234", "10.9.9.7"],
  ["::ffff:10.9.9.6", "10.9.9.6"],
  ["::ffff:0a09:0906", "10.9.9.6"],
  ["::FFFF:A09:906", "10.9.9.6"],
  ["0:0:0:0:0:ffff:10.9.9.6", "10.9.9.6"],
  ["[::ffff:10.9.9.6]:443", "10.9.9.6"],
  ["2001:db8::1", "2001:db8::1"],
  ["2001:0DB8:0000::0001", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  ["fe80::1%eth0", "fe80::1"],
  ["::", "::"],
  ["64:ff9b::10.9.9.6", "64:ff9b::a09:906"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["", undefined],
  ["unknown", undefined],
  ["_hidden", undefined],
  ["010.9.9.7", undefined],
  ["10.9.9", undefined],
  ["10.9.9.256", undefined],
  ["10.9.9.7:", undefined],
  ["10.9.9.7:123456", undefined],
  ["[10.9.9.7]:80", undefined],
  ["[2001:db8::1]:443:1", undefined],
  ["[2001:db8::1", undefined],
  ["2001:db8::1::2", undefined],
  ["1:2:3:4:5:6:7:8:9", undefined],
  ["2001:db8::g", undefined],
  ["10.9.9.7 ", undefined],
  ["https://10.9.9.7", undefined],
])("%j is the address %p", (text, address) => {
  expect(parseAddress(text)).toBe(address);
});
