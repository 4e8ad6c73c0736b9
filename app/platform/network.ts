import { isIPv4, isIPv6 } from "node:net";

/** The block that counts as one place: an IPv4 address, or the /64 of an IPv6 address, because one subscriber usually holds a whole /64. What is no address is all one place. */
export function networkOf(address: string): string {
  const canonical = parseAddress(address);
  if (canonical === undefined) return "unknown";
  if (isIPv4(canonical)) return canonical;
  const subnet = groupsOf(canonical).slice(0, 4);
  return `${subnet.map((group) => group.toString(16)).join(":")}::/64`;
}

/** The block that one place usually gets its addresses from, so that a new lease is no new place: the /24 of an IPv4 address, the /48 of an IPv6 address (RFC 6177). */
export function siteOf(address: string): string {
  const canonical = parseAddress(address);
  if (canonical === undefined) return "unknown";
  if (isIPv4(canonical)) return canonical.replace(/\.\d+$/, ".0/24");
  const site = groupsOf(canonical).slice(0, 3);
  return `${site.map((group) => group.toString(16)).join(":")}::/48`;
}

/**
 * One spelling for each address: IPv4 dotted, also when it is mapped into IPv6 (RFC 4291 §2.5.5.2), IPv6 as in RFC 5952. Takes the ports
 * and brackets that some proxies write (RFC 7239 §6) and drops them like the zone of a link. Undefined for what is no address.
 */
export function parseAddress(text: string): string | undefined {
  const { bracketed, dotted } = /^(?:\[(?<bracketed>[^\]]*)\](?::\d{1,5})?|(?<dotted>[\d.]+):\d{1,5})$/.exec(text)?.groups ?? {};
  const [address = ""] = (bracketed ?? dotted ?? text).split("%", 1);
  if (isIPv4(address)) return bracketed === undefined ? address : undefined;
  if (!isIPv6(address)) return undefined;
  const groups = groupsOf(address);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xff_ff;
  if (!isMapped) return new URL(`http://[${address}]`).hostname.slice(1, -1);
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join(".");
}

/** The eight groups of a valid address. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const left = partsOf(head);
  if (tail === undefined) return left;
  const right = partsOf(tail);
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function partsOf(half: string): number[] {
  return half
    .split(":")
    .filter(Boolean)
    .flatMap((part) => {
      if (!part.includes(".")) return [Number.parseInt(part, 16)];
      const [a = 0, b = 0, c = 0, d = 0] = part.split(".").map(Number);
      return [a * 256 + b, c * 256 + d];
    });
}
