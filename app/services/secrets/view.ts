import type { z } from "zod";
import type { SecretReference } from "../../../db/schema/secrets.ts";
import type { secret, secretVersion } from "./schema.ts";
import type { SecretRow, VersionRow } from "./store.ts";
import { ownerOf, systemTenant } from "./tenant.ts";

export type SecretView = z.infer<typeof secret>;
export type SecretVersionView = z.infer<typeof secretVersion>;

export function toSecretView(row: SecretRow, version: VersionRow): SecretView {
  const { teamId } = ownerOf(row.tenant);
  return {
    id: row.id,
    name: row.name,
    version: version.version,
    currentVersion: row.currentVersion,
    state: version.state,
    ...(version.fields === null ? {} : { fields: [...version.fields] }),
    references: version.refs.map(toText),
    labels: { ...row.labels },
    maxVersions: row.maxVersions,
    approval: { required: row.approvalRequired },
    ...(row.expiresAt === null ? {} : { expiresAt: row.expiresAt.toISOString() }),
    ...(teamId === undefined ? {} : { teamId }),
    scope: row.tenant === systemTenant ? "system" : teamId === undefined ? "user" : "team",
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

export function toVersionView(row: VersionRow): SecretVersionView {
  return {
    version: row.version,
    state: row.state,
    ...(row.fields === null ? {} : { fields: [...row.fields] }),
    references: row.refs.map(toText),
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    ...(row.deletedAt === null ? {} : { deletedAt: row.deletedAt.toISOString() }),
    ...(row.destroyedAt === null ? {} : { destroyedAt: row.destroyedAt.toISOString() }),
  };
}

/** As it stands in a value, without the braces. */
export function toText({ system, name, field }: SecretReference): string {
  return `${system ? "system:" : ""}${name}${field === undefined ? "" : `#${field}`}`;
}
