import { describe, expect, test } from "bun:test";
import { request, type SignedInUser, signUp } from "../client.ts";
import { substrates } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { tasksOf } from "./tasks.ts";

function swarmsOf(url: string, { token }: Pick<SignedInUser, "token">) {
  const get = async (id: string) => (await request(url, `/v1/swarms/${id}`, { token })).body.swarm;
  return {
    get,
    add: async (body: unknown) => (await request(url, "/v1/swarms", { token, body })).body.swarm,
    ended: (id: string) =>
      until("it has ended", async () => {
        const swarm = await get(id);
        return swarm.finishedAt !== undefined && swarm;
      }),
  };
}

describe("what is refused leaves nothing behind", () => {
  const running = sharedCopy();
  const agent = { name: "a", code: "1" };
  test.each<[unknown, string[]]>([
    [{ agents: [agent] }, ["/goal"]],
    [{ goal: "", agents: [agent] }, ["/goal"]],
    [{ goal: "x" }, ["/agents"]],
    [{ goal: "x", agents: [] }, ["/agents"]],
    [{ goal: "x", agents: [agent, agent] }, ["/agents/1/name"]],
    [{ goal: "x", agents: [{ ...agent, name: "a b" }] }, ["/agents/0/name"]],
    [{ goal: "x", agents: [{ name: "a" }] }, ["/agents/0/code"]],
    [{ goal: "x", agents: [{ ...agent, role: "boss" }] }, ["/agents/0/role"]],
    [{ goal: "x", agents: [agent], rounds: 0 }, ["/rounds"]],
    [{ goal: "x", agents: [agent], rounds: 1e6 }, ["/rounds"]],
    [{ goal: "x", agents: [agent], concurrency: 0 }, ["/concurrency"]],
    [{ goal: "x", agents: [agent], teamId: "team_other" }, ["/teamId"]],
  ])("%j: 400 at %j", async (body, pointers) => {
    const user = await signUp(running.url);
    expect(pointersOf(await request(running.url, "/v1/swarms", { token: user.token, body }))).toEqual(pointers);
    expect(await tasksOf(running.url, user).list()).toEqual([]);
  });

  test("somebody else's is not there, nor is a run", async () => {
    const [user, other] = [await signUp(running.url), await signUp(running.url)];
    const { id, taskId } = await swarmsOf(running.url, user).add({ goal: "x", agents: [agent] });
    expectProblem(await request(running.url, `/v1/swarms/${id}`, { token: other.token }), "not_found");
    expectProblem(await request(running.url, `/v1/runs/${taskId.replace("tsk_", "run_")}`, { token: user.token }), "not_found");
    expect((await request(running.url, "/v1/swarms", { token: user.token })).body.data.map((it: { id: string }) => it.id)).toEqual([id]);
    expect((await request(running.url, "/v1/swarms", { token: other.token })).body.data).toEqual([]);
  });
});

describe.each(await substrates())("swarms on %s", (substrate) => {
  // Of three cells one owner may hold two.
  const running = sharedCopy(substrate, { KEELSON_SANDBOX_CELLS: "3" });

  test("agents see the board of the round before, until one says that it is done", async () => {
    const user = await signUp(running.url);
    const swarms = swarmsOf(running.url, user);
    const { id, taskId } = await swarms.add({
      goal: "above 10",
      agents: [
        { name: "guesser", code: "({ post: input.round * input.input.by })", input: { by: 4 } },
        {
          name: "judge",
          code: "({ post: input.goal + ': ' + (input.board.guesser ?? 'nothing'), done: (input.board.guesser ?? 0) > 10 })",
        },
        { name: "silent", code: "null" },
      ],
    });
    const swarm = await swarms.ended(id);
    expect(swarm).toMatchObject({
      status: "completed",
      round: 4,
      board: { guesser: 16, judge: "above 10: 12" },
      agents: [
        { name: "guesser", turns: 4, failures: 0, done: false },
        { name: "judge", turns: 4, done: true },
        { name: "silent", turns: 4 },
      ],
      progress: { done: 4, total: 10 },
    });
    const { result } = await tasksOf(running.url, user).get(taskId);
    expect(result).toEqual({ rounds: 4, done: ["judge"], board: swarm.board });
  }, 30_000);

  test("rounds are used up; an agent that fails sits out its rounds", async () => {
    const swarms = swarmsOf(running.url, await signUp(running.url));
    const { id } = await swarms.add({
      goal: "x",
      rounds: 3,
      agents: [
        { name: "well", code: "({ post: input.round })" },
        { name: "bad", code: "if (input.round > 1) throw new TypeError('tired'); ({ post: 'once' })" },
        { name: "odd", code: "'words'" },
        { name: "loud", code: "({ post: 'x'.repeat(40000) })" },
      ],
    });
    const swarm = await swarms.ended(id);
    expect(swarm).toMatchObject({ status: "completed", round: 3, board: { well: 3, bad: "once" } });
    expect(swarm.agents).toMatchObject([
      { failures: 0 },
      { turns: 3, failures: 2, lastError: { name: "TypeError", message: "tired" } },
      { failures: 3, lastError: { name: "InvalidOutput" } },
      { failures: 3, lastError: { name: "PostTooLarge" } },
    ]);
    expect(Object.keys(swarm.board).toSorted()).toEqual(["bad", "well"]);
  }, 30_000);

  test("it fails when all agents do; tried again it goes on with that round", async () => {
    const user = await signUp(running.url);
    const swarms = swarmsOf(running.url, user);
    const code = "if (input.round > 1) throw new Error('stuck'); ({ post: Math.random() })";
    const { id, taskId } = await swarms.add({
      goal: "x",
      agents: [
        { name: "a", code },
        { name: "b", code },
      ],
    });
    const failed = await swarms.ended(id);
    expect(failed).toMatchObject({
      status: "failed",
      round: 2,
      agents: [
        { turns: 2, failures: 1 },
        { turns: 2, failures: 1 },
      ],
    });
    expect(failed.error.message).toContain("all agents failed in round 2, the first with Error: stuck");
    await tasksOf(running.url, user).verb(taskId, "retry");
    const again = await until("it failed again", async () => {
      const swarm = await swarms.get(id);
      return swarm.status === "failed" && swarm.agents[0].turns === 3 && swarm;
    });
    expect(again.board).toEqual(failed.board);
  }, 30_000);

  test("as many agents work at once as may", async () => {
    const swarms = swarmsOf(running.url, await signUp(running.url));
    const code = "const at = Date.now(); while (Date.now() < at + 300); ({ post: [at, Date.now()] })";
    const agents = ["a", "b", "c", "d"].map((name) => ({ name, code }));
    const overlaps = async (concurrency: number): Promise<number> => {
      const { board } = await swarms.ended((await swarms.add({ goal: "x", agents, rounds: 1, concurrency })).id);
      const times: (readonly [number, number])[] = Object.values(board);
      expect(times).toHaveLength(4);
      return times.filter(([from], n) => times.some(([start, end], other) => other !== n && from >= start && from < end)).length;
    };
    expect(await overlaps(1)).toBe(0);
    expect(await overlaps(2)).toBeGreaterThan(0);
  }, 30_000);

  test("paused within a round, those who have answered are not asked again", async () => {
    const user = await signUp(running.url);
    const [swarms, tasks] = [swarmsOf(running.url, user), tasksOf(running.url, user)];
    const { id, taskId } = await swarms.add({
      goal: "x",
      rounds: 1,
      concurrency: 1,
      agents: [
        { name: "quick", code: "({ post: Math.random() })" },
        { name: "slow", code: "const end = Date.now() + 1500; while (Date.now() < end); ({ post: 'slow' })", timeoutMs: 8_000 },
      ],
    });
    await until("the quick one has answered", async () => (await swarms.get(id)).agents[0].turns === 1);
    await tasks.verb(taskId, "pause");
    await until("no program runs", async () => (await running.copy.threads.sandbox?.channel().call("stats", {}, 1_000))?.busy === 0, 2_000);
    await tasks.verb(taskId, "resume");
    const swarm = await swarms.ended(id);
    expect(swarm).toMatchObject({ status: "completed", board: { slow: "slow" }, agents: [{ turns: 1 }, { turns: 1 }] });
  }, 30_000);
});
