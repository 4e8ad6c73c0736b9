import { expect, test } from "bun:test";
import { everything } from "./account-data.ts";

/** `count` rows, the newest first, a page at a time. */
const pagesOf = (count: number) => {
  const ids = Array.from({ length: count }, (_, n) => String(count - n).padStart(6, "0"));
  return ({ before, limit }: { readonly before?: string; readonly limit: number }) =>
    Promise.resolve(
      ids
        .filter((id) => before === undefined || id < before)
        .slice(0, limit)
        .map((id) => ({ id })),
    );
};

test.each([0, 1, 199, 200, 201, 1_000])("all of %d rows, each once, the newest first", async (count) => {
  const views = await everything({ page: pagesOf(count), toView: ({ id }) => id });
  expect(views).toHaveLength(count);
  expect(views).toEqual([...new Set(views)].toSorted().toReversed());
});

test("more than a document may have is refused, and not gathered first", async () => {
  const large = "x".repeat(16 * 1024 * 1024);
  await expect(everything({ page: pagesOf(1_000), toView: () => large })).rejects.toThrow("more than 268435456 bytes");
});
