import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";

/** Decides which addresses requests may go to that somebody else has asked for (OWASP A10:2021, server-side request forgery). */
export interface AddressGuard {
  /** Whether a connection to this address may be made; false for anything that is no IP address. */
  allows(address: string): boolean;
  /** A resolver for `node:http` that leaves out what is not allowed. It is asked at connect time, so a name can't mean something else by then. */
  readonly lookup: LookupFunction;
  /** All addresses of a host name or literal that are not allowed; empty also when the name leads nowhere. */
  forbidden(host: string): Promise<readonly string[]>;
}

/** Thrown (as the error of the request) when a name leads only to addresses that are not allowed. */
export class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress";
  readonly code = "EFORBIDDENADDRESS";
}

/** `10.0.0.0/8`, or an address alone. Throws for anything else. */
export function parseNetwork(text: string): string {
  const [address = "", bits] = text.split("/");
  const parsed = ipaddr.parse(address);
  return bits === undefined ? `${parsed.toString()}/${parsed.kind() === "ipv4" ? 32 : 128}` : ipaddr.parseCIDR(text).join("/");
}

/** Allows public unicast addresses, and besides them `networks` (as `parseNetwork` gives them). */
export function createAddressGuard(networks: readonly string[], resolve: typeof dnsLookup = dnsLookup): AddressGuard {
  const allowed = networks.map((network) => ipaddr.parseCIDR(network));

  const allows = (text: string): boolean => {
    if (!ipaddr.isValid(text)) return false;
    // An IPv4 address in IPv6 clothes is what it is inside.
    const address = ipaddr.process(text);
    return (
      address.range() === "unicast" || allowed.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits))
    );
  };

  const lookup: LookupFunction = (host, options, answer) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error) return answer(error, [], 0);
      const addresses: readonly LookupAddress[] = Array.isArray(found) ? found : [];
      const good = addresses.filter(({ address }) => allows(address));
      const [first] = good;
      if (!first) return answer(new ForbiddenAddress(`${host} is at ${addresses.map(({ address }) => address).join(", ")}`), [], 0);
      if (options.all) answer(null, good);
      else answer(null, first.address, first.family);
    });
  };

  return {
    allows,
    lookup,
    forbidden: async (host) => {
      const literal = host.replace(/^\[|\]$/g, "");
      if (ipaddr.isValid(literal)) return allows(literal) ? [] : [literal];
      const { promise, resolve: settle } = Promise.withResolvers<readonly string[]>();
      resolve(host, { all: true }, (error, found) => settle(error ? [] : found.map(({ address }) => address)));
      return (await promise).filter((address) => !allows(address));
    },
  };
}
