import type { Db, Tx } from "../../../db/client.ts";
import { keepRunning, pause } from "../bus/keep-running.ts";
import type { Running } from "../bus/port.ts";
import type { Now } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { keyBytes, randomBytes } from "./aead.ts";
import type { Kek, Keks } from "./envelope.ts";
import type { RootKey } from "./root-key.ts";
import type { KekRow, KekStore } from "./store.ts";

export interface KeyringDeps {
  readonly store: KekStore;
  readonly transaction: Db["transaction"];
  readonly root: RootKey;
  /** The root key from before: what it wrapped is wrapped anew by `root`. */
  readonly previousRoot?: RootKey | undefined;
  /** A copy knows of a new key after half of this at the latest, and refuses to encrypt when it has not been able to look for so long. */
  readonly overlapMs: number;
  readonly now: Now;
  readonly log: Logger;
}

export interface Keyring extends Keks, Running {
  readonly rootKeyId: string;
  /** Makes the next key, as part of the caller's transaction; it is in force once every copy knows it. While one is coming, that is the answer. */
  rotate(on: Tx): Promise<{ readonly row: KekRow; readonly isNew: boolean }>;
  /** As part of the caller's transaction. Answers whether it was one that can be: not the one in force, nor the coming one. */
  disable(version: number, on: Tx): Promise<boolean>;
  refresh(): Promise<void>;
}

interface Known extends Kek {
  readonly inForceFrom: number;
}

/**
 * The key-encryption keys of this installation, from the database; the first is made at the first start. What is sealed stays readable while a new one
 * takes over: it is shown to all copies before any of them encrypts with it. Throws when the root key is not the one that wrapped them.
 */
export async function openKeyring(deps: KeyringDeps): Promise<Keyring> {
  const { store, root, overlapMs, transaction, now, log } = deps;
  const pollMs = Math.min(5_000, overlapMs / 8);
  let known: readonly Known[] = [];
  let lookedAt = 0;

  const unwrapAll = async (rows: readonly KekRow[]): Promise<void> => {
    const seen = new Map(known.map((kek) => [kek.version, kek]));
    const next: Known[] = [];
    for (const row of rows) next.push(seen.get(row.version) ?? (await unwrapKek(deps, row)));
    known = next;
  };
  const refresh = async (): Promise<void> => {
    const asked = performance.now();
    await unwrapAll(await store.usable());
    lookedAt = asked;
  };
  const make = (previous: KekRow | undefined): Promise<KekRow> => makeKek(deps, previous);

  await transaction(async (on) => {
    await store.lock(on);
    const rows = await store.usable(on);
    if (rows.length === 0) await store.insert(await make(undefined), on);
    for (const row of rows) await adoptKek(deps, row, (set) => store.update(row.version, set, on));
  });
  await refresh();

  const polling = keepRunning({ name: "the keyring", log }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      await pause(pollMs, signal);
      if (signal.aborted) return;
      await refresh();
      begun();
    }
  });

  return {
    started: Promise.resolve(),
    stop: polling.stop,
    rootKeyId: root.id,
    refresh,
    find: (version) => known.find((kek) => kek.version === version),
    current: () => {
      if (performance.now() - lookedAt > overlapMs / 2)
        throw new Problem("unavailable", {
          detail: "Nothing can be encrypted: the keys were not in reach for too long.",
          retryAfterSeconds: 5,
        });
      const at = now().getTime();
      const kek = known.findLast(({ inForceFrom }) => inForceFrom <= at) ?? known[0];
      if (!kek) throw new Error("there is no key-encryption key");
      return kek;
    },
    rotate: async (on) => {
      await store.lock(on);
      const newest = (await store.all(on)).at(-1);
      if (newest && newest.inForceFrom > now()) return { row: newest, isNew: false };
      const row = await make(newest);
      await store.insert(row, on);
      return { row, isNew: true };
    },
    disable: async (version, on) => {
      await store.lock(on);
      const rows = await store.usable(on);
      const inForce = rows.findLast(({ inForceFrom }) => inForceFrom <= now());
      if (!rows.some((it) => it.version === version) || !inForce || version >= inForce.version) return false;
      await store.update(version, { disabledAt: now() }, on);
      return true;
    },
  };
}

function nameOf(version: number): string {
  return `keelson key-encryption key ${version}`;
}

/** The first is in force at once: nobody else can have one yet. */
async function makeKek({ root, overlapMs, now }: KeyringDeps, previous: KekRow | undefined): Promise<KekRow> {
  const version = (previous?.version ?? 0) + 1;
  const createdAt = now();
  const inForceFrom = previous ? new Date(createdAt.getTime() + overlapMs / 2) : createdAt;
  const wrapped = await root.wrap(randomBytes(keyBytes), nameOf(version));
  return { version, rootKeyId: root.id, wrapped, createdAt, inForceFrom, disabledAt: null };
}

/** Wraps by the root key of today what the one from before had wrapped. */
async function adoptKek({ root, previousRoot, log }: KeyringDeps, row: KekRow, update: (set: Partial<KekRow>) => Promise<void>) {
  if (!previousRoot || row.rootKeyId !== previousRoot.id || row.rootKeyId === root.id) return;
  const key = await previousRoot.unwrap(row.wrapped, nameOf(row.version));
  await update({ wrapped: await root.wrap(key, nameOf(row.version)), rootKeyId: root.id });
  log.info({ version: row.version, from: row.rootKeyId, to: root.id }, "a key-encryption key was wrapped by the new root key");
}

async function unwrapKek({ root }: KeyringDeps, { version, wrapped, rootKeyId, inForceFrom }: KekRow): Promise<Known> {
  if (rootKeyId !== root.id)
    throw new Error(
      `The key-encryption key ${version} of this installation was wrapped by the root key ${rootKeyId}; this copy has ${root.id}. Start it with the key of the other copies; after a change of the key, give the one from before as KEELSON_KEK_PREVIOUS.`,
    );
  const key = await root.unwrap(wrapped, nameOf(version)).catch((cause: unknown) => {
    throw new Error(
      `The key-encryption key ${version} does not open with the root key ${root.id}: it was altered, or the root key can't be reached.`,
      { cause },
    );
  });
  return { version, key, inForceFrom: inForceFrom.getTime() };
}
