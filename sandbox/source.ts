import { cpuMs } from "./cpu-time.ts";
import type { DebugOptions, ExecutionRequest, GuestError } from "./execution.ts";
import type { Guest } from "./guest.ts";
import { type Instrumented, instrument } from "./instrument.ts";
import { fixedLimits } from "./limits.ts";
import { assertCompiles, detectKind, type Program, type ProgramKind, ProgramStopped, runProgram } from "./program.ts";
import { createRecorder, hooks } from "./recorder.ts";
import { isTypeScript, type StripTypes } from "./type-stripping.ts";

export interface Source {
  readonly guest: Guest;
  readonly request: Pick<ExecutionRequest, "code" | "language" | "debug">;
  readonly loadStripper: () => Promise<StripTypes>;
}

/** Runs the request's code, JavaScript or TypeScript, and returns its output. Throws as `runProgram` does. */
export async function runSource(source: Source): Promise<unknown> {
  const { guest, request } = source;
  if (request.debug?.trace || request.debug?.profile) return runWatched(source, request.debug);
  if (request.language === "typescript") return runProgram(guest, await strippedProgram(source));
  const program = toProgram(guest, request.code);
  try {
    return await runProgram(guest, program);
  } catch (error) {
    const typed = await asTypeScript(source, program, error);
    if (typed === undefined) throw error;
    return await runProgram(guest, typed);
  }
}

async function runWatched(source: Source, options: DebugOptions): Promise<unknown> {
  const { guest } = source;
  const { program } = await checkedProgram(source);
  const woven = weave(program, options);
  if (woven === undefined || !isCompiled(guest, { ...program, code: woven.code })) return runProgram(guest, program);
  const recorder = createRecorder(woven, guest.run().clock, options);
  guest.watch(recorder);
  try {
    return await runProgram(guest, { ...program, code: woven.code });
  } catch (error) {
    if (error instanceof ProgramStopped) throw new ProgramStopped(error.status, recorder.placed(error.guestError));
    throw error;
  }
}

function weave({ code, kind }: Program, { trace = false, profile = false }: DebugOptions): Instrumented | undefined {
  if (Buffer.byteLength(code) > fixedLimits.debugCodeBytesMax) return undefined;
  return instrument(code, { kind, trace, profile, hooks });
}

/** What the code is, when all of it is as it should be. */
export interface Check {
  readonly kind: ProgramKind;
  readonly language: "javascript" | "typescript";
}

/** Runs nothing. Throws ProgramStopped with the SyntaxError when the code is no program. */
export async function checkSource(source: Source): Promise<Check> {
  const { program, language } = await checkedProgram(source);
  return { kind: program.kind, language };
}

async function checkedProgram(source: Source): Promise<{ program: Program; language: Check["language"] }> {
  const { guest, request } = source;
  const isTyped = request.language === "typescript";
  const program = isTyped ? await strippedProgram(source) : toProgram(guest, request.code);
  try {
    assertCompiles(guest, program);
    return { program, language: isTyped ? "typescript" : "javascript" };
  } catch (error) {
    const typed = isTyped ? undefined : await asTypeScript(source, program, error);
    if (typed === undefined) throw error;
    assertCompiles(guest, typed);
    return { program: typed, language: "typescript" };
  }
}

function toProgram(guest: Guest, code: string): Program {
  return { code, kind: detectKind(guest, code) };
}

/** The code without its types, when that is what kept it from being compiled; then nothing of it has run. */
async function asTypeScript(source: Source, program: Program, error: unknown): Promise<Program | undefined> {
  const { guest, request } = source;
  const isSyntax = error instanceof ProgramStopped && error.guestError.name === "SyntaxError";
  if (!isSyntax || request.language === "javascript" || isCompiled(guest, program) || !isTypeScript(program.code)) return undefined;
  return strippedProgram(source);
}

function isCompiled(guest: Guest, program: Program): boolean {
  try {
    assertCompiles(guest, program);
    return true;
  } catch (error) {
    if (error instanceof ProgramStopped) return false;
    throw error;
  }
}

async function strippedProgram({ guest, request, loadStripper }: Source): Promise<Program> {
  const run = guest.run();
  const [beganAt, cpuMsBefore] = [performance.now(), cpuMs()];
  const strip = await loadStripper();
  const tookMs = performance.now() - beganAt;
  run.deadline.extend(tookMs);
  run.clock.skip(tookMs);
  run.foreignCpuMs += cpuMs() - cpuMsBefore;
  const stripped = strip(request.code);
  if ("error" in stripped) throw new ProgramStopped("failed", stripped.error satisfies GuestError);
  return toProgram(guest, stripped.code);
}
