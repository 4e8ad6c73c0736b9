import { createLongRunningService, type LongRunningDeps, toSummary } from "../long-running/service.ts";
import type { TaskRow } from "../store.ts";
import { importUserDataJob } from "./jobs.ts";
import { type ImportView, importResult } from "./schema.ts";

export type ImportService = ReturnType<typeof createImportService>;

/** What a client may do with imports: each is its task seen as more than that. */
export function createImportService(deps: LongRunningDeps) {
  const { create, get } = createLongRunningService(deps, { kind: "import", contract: importUserDataJob, toView });
  return { create, get };
}

function toView(row: TaskRow): ImportView {
  const result = importResult.safeParse(row.result);
  return { ...toSummary("import", row), ...(result.success ? { result: result.data } : {}) };
}
