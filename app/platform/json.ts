/** True when no array or object in `value` lies deeper than `depthMax` levels; does not recurse, so it is safe on hostile input. */
export function isWithinDepth(value: unknown, depthMax: number): boolean {
  const found: unknown[] = [value];
  const depths: number[] = [1];
  for (let item = found.pop(), depth = depths.pop() ?? 0; depth > 0; item = found.pop(), depth = depths.pop() ?? 0) {
    if (typeof item !== "object" || item === null) continue;
    if (depth > depthMax) return false;
    for (const key in item) {
      const child: unknown = Reflect.get(item, key);
      if (typeof child !== "object" || child === null) continue;
      found.push(child);
      depths.push(depth + 1);
    }
  }
  return true;
}
