import { describe, expect, test } from "bun:test";
import type { Actor } from "../../platform/actor.ts";
import type { Scope } from "../../platform/scopes.ts";
import { createCan, type Resource, type TeamRole } from "./can.ts";

const roles: Readonly<Record<string, TeamRole>> = { olga: "owner", anna: "admin", mara: "member", vera: "viewer" };
const can = createCan({ teamRole: async (teamId, userId) => (teamId === "team_1" ? roles[userId] : undefined) });

const session = (userId: string, role: Actor["role"] = "user"): Actor => ({
  userId,
  role,
  via: { kind: "session", sessionId: "ses_1", version: 0 },
});
const key = (userId: string, scopes: readonly Scope[], more: { readonly teamId?: string; readonly role?: Actor["role"] } = {}): Actor => ({
  userId,
  role: more.role ?? "user",
  via: { kind: "api_key", keyId: "key_1", version: 0, teamId: more.teamId, scopes, rateLimit: undefined },
});

const own: Resource = { ownerId: "mara", teamId: null };
const others: Resource = { ownerId: "eve" };
const teams: Resource = { ownerId: "mara", teamId: "team_1" };
const otherTeams: Resource = { ownerId: "mara", teamId: "team_2" };
const systems: Resource = { ownerId: null, teamId: null };

type Case = readonly [string, Actor, Scope, Resource, boolean];

describe("sessions", () => {
  test.each<Case>([
    ["the owner reads", session("mara"), "tasks:read", own, true],
    ["the owner writes", session("mara"), "tasks:write", own, true],
    ["somebody else reads", session("mara"), "tasks:read", others, false],
    ["what is the system's", session("mara"), "tasks:read", systems, false],
    ["what is nobody's", session("mara"), "tasks:read", {}, false],
    ["an administrator, another's", session("root", "admin"), "tasks:write", others, true],
    ["an administrator, the system's", session("root", "admin"), "tasks:write", systems, true],
    ["an administrator, a team's", session("root", "admin"), "tasks:write", teams, true],
    ["admin as an administrator", session("root", "admin"), "admin", {}, true],
    ["admin as the owner", session("mara"), "admin", own, false],
    ["admin as the owner of the team", session("olga"), "admin", teams, false],
    ["a viewer reads", session("vera"), "tasks:read", teams, true],
    ["a viewer writes", session("vera"), "tasks:write", teams, false],
    ["a member writes what another member made", session("anna"), "tasks:write", teams, true],
    ["a member writes", session("mara"), "tasks:write", teams, true],
    ["the team's owner writes", session("olga"), "tasks:write", teams, true],
    ["nobody of the team", session("eve"), "tasks:read", teams, false],
    ["who made it and is not in that team any more", session("mara"), "tasks:read", otherTeams, false],
  ])("%s", async (_, actor, action, resource, may) => {
    expect(await can(actor, action, resource)).toBe(may);
  });
});

describe("keys", () => {
  test.each<Case>([
    ["the scope it has", key("mara", ["tasks:read"]), "tasks:read", own, true],
    ["write implies read", key("mara", ["tasks:write"]), "tasks:read", own, true],
    ["read does not imply write", key("mara", ["tasks:read"]), "tasks:write", own, false],
    ["the scope of another service", key("mara", ["sandbox:write"]), "tasks:read", own, false],
    ["no scope", key("mara", []), "tasks:read", own, false],
    ["scope is not ownership", key("mara", ["tasks:write"]), "tasks:read", others, false],
    ["as a viewer of the team", key("vera", ["tasks:write"]), "tasks:write", teams, false],
    ["as a member of the team", key("mara", ["tasks:write"]), "tasks:write", teams, true],
    ["admin without the role", key("mara", ["admin"]), "admin", own, false],
    ["admin without the role, another's", key("mara", ["admin"]), "tasks:read", others, false],
    ["admin without the role, not even one's own", key("mara", ["admin"]), "tasks:read", own, false],
    ["admin with the role", key("root", ["admin"], { role: "admin" }), "tasks:write", others, true],
    ["an administrator's, without the scope admin", key("root", ["tasks:write"]), "tasks:write", others, false],
    ["a team's, what is the team's", key("mara", ["tasks:write"], { teamId: "team_1" }), "tasks:write", teams, true],
    ["a team's, beyond its scope", key("mara", ["tasks:read"], { teamId: "team_1" }), "tasks:write", teams, false],
    ["a team's, its maker's own", key("mara", ["tasks:write"], { teamId: "team_1" }), "tasks:read", own, false],
    ["a team's, another team's", key("mara", ["tasks:write"], { teamId: "team_1" }), "tasks:read", otherTeams, false],
    ["a team's, its maker a viewer by now", key("vera", ["tasks:write"], { teamId: "team_1" }), "tasks:write", teams, false],
    ["a team's, its maker gone", key("eve", ["tasks:write"], { teamId: "team_1" }), "tasks:read", teams, false],
  ])("%s", async (_, actor, action, resource, may) => {
    expect(await can(actor, action, resource)).toBe(may);
  });
});

test("asks for membership only where a team is involved", () => {
  expect(can(session("mara"), "tasks:read", own)).toBe(true);
  expect(can(session("mara"), "tasks:read", others)).toBe(false);
});
