import { border } from "./border.ts";
import { builtIns } from "./built-ins.ts";
import { errors } from "./errors.ts";
import { escapes } from "./escapes.ts";
import { loops } from "./loops.ts";
import { memory } from "./memory.ts";
import { nesting } from "./nesting.ts";
import type { HostileProgram } from "./program.ts";
import { promises } from "./promises.ts";
import { text } from "./text.ts";
import { webApis } from "./web-apis.ts";

export const hostilePrograms: readonly HostileProgram[] = [
  loops,
  builtIns,
  memory,
  nesting,
  promises,
  border,
  errors,
  escapes,
  text,
  webApis,
].flat();
