/** True when no array or object in `value` lies deeper than `depthMax` levels; does not recurse, so it is safe on hostile input. */
export function isWithinDepth(value: unknown, depthMax: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    const deeper = level.filter((item) => typeof item === "object" && item !== null).flatMap((item) => Object.values(Object(item)));
    if (deeper.length > 0 && depth >= depthMax) return false;
    level = deeper;
  }
  return true;
}
