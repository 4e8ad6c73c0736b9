import { CapabilityError, type Guest } from "./broker.ts";

/** A secret of the user or the team, once its use is in the audit trail; `reference` is its name, with `#field` when it has fields. */
export type ReadSecret = (
  of: Pick<Guest, "ownerId" | "teamId">,
  reference: string,
  usedBy: { readonly service: string; readonly subject: string },
) => Promise<string>;

const placeholder = /\$\{secret:([^}]*)\}/g;

/**
 * Puts secrets into a request as it leaves, and takes them out of what comes back: the program names them and never holds them. One that turns a secret into something
 * else at the far end can still be sent that; so it goes only to the hosts that are granted.
 */
export function createEgressSecrets(read: ReadSecret, { executionId, ownerId, teamId, grants }: Guest) {
  const used = new Map<string, string>();
  const granted = grants.fetch?.secrets ?? [];

  const reveal = async (reference: string): Promise<string> => {
    const [name = ""] = reference.split("#");
    if (!granted.includes(name)) throw new CapabilityError("NotGrantedError", `the secret ${name} is not granted`);
    const value = used.get(reference) ?? (await read({ ownerId, teamId }, reference, { service: "sandbox", subject: executionId }));
    used.set(reference, value);
    return value;
  };

  return {
    fill: async (text: string): Promise<string> => {
      for (const [, reference = ""] of text.matchAll(placeholder)) await reveal(reference);
      return text.replaceAll(placeholder, (_, reference: string) => used.get(reference) ?? "");
    },

    hide: (text: string): string =>
      [...used]
        .filter(([, value]) => value !== "")
        .reduce((hidden, [reference, value]) => hidden.replaceAll(value, `\${secret:${reference}}`), text),
  };
}
