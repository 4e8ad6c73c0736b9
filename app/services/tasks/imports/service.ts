import { createHash } from "node:crypto";
import { createLongRunningService, type LongRunningDeps, toSummary } from "../long-running/service.ts";
import type { TaskRow } from "../store.ts";
import { importUserDataJob } from "./jobs.ts";
import { type ImportedDocument, type ImportView, importResult } from "./schema.ts";

export type ImportService = ReturnType<typeof createImportService>;

/** What a client may do with imports: each is its task seen as more than that. */
export function createImportService(deps: LongRunningDeps) {
  const { create, get } = createLongRunningService(deps, { kind: "import", contract: importUserDataJob, toView, dedupeKeyOf });
  return { create, get };
}

/** Two imports of one document at the same time would each make what the other has not made yet. */
function dedupeKeyOf(document: ImportedDocument): string {
  return createHash("sha256").update(JSON.stringify(document)).digest("base64url");
}

function toView(row: TaskRow): ImportView {
  const result = importResult.safeParse(row.result);
  return { ...toSummary("import", row), ...(result.success ? { result: result.data } : {}) };
}
