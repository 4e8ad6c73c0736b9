/** `*` stands for one segment, `>` at the end for one or more (NATS subjects). */
export type Pattern = string;

/** What a type is called: one to ten segments of letters, digits, `_` and `-`, divided by dots. */
export const typeShape = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,9}$/;
export const typeLengthMax = 128;

const segmentShape = /^([A-Za-z0-9_-]+|\*)$/;

/** Says what is wrong with a pattern and where; undefined when nothing is. Positions count from 1. */
export function patternFault(pattern: string): string | undefined {
  if (pattern.length > typeLengthMax) return `is longer than ${typeLengthMax} characters`;
  const segments = pattern.split(".");
  let position = 1;
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === ">" && !isLast) return `has ">" at position ${position}, which can only be the last segment`;
    if (segment === "") return `has an empty segment at position ${position}`;
    if (segment !== ">" && !segmentShape.test(segment))
      return `has "${segment}" at position ${position}: a segment is letters, digits, _ and -, or * alone, or > at the end`;
    position += segment.length + 1;
  }
  return undefined;
}

/** Whether a type matches any of the patterns. */
export type Matches = (type: string) => boolean;

/** There are few types and many events, so each answer is kept; so many at most. */
const keptMax = 10_000;

/** The patterns must be without fault. */
export function compilePatterns(patterns: readonly Pattern[]): Matches {
  const split = patterns.map((pattern) => pattern.split("."));
  const kept = new Map<string, boolean>();
  return (type) => {
    const known = kept.get(type);
    if (known !== undefined) return known;
    const segments = type.split(".");
    const matches = split.some((pattern) => matchesSegments(pattern, segments));
    if (kept.size >= keptMax) kept.clear();
    kept.set(type, matches);
    return matches;
  };
}

function matchesSegments(pattern: readonly string[], segments: readonly string[]): boolean {
  const rest = pattern.at(-1) === ">";
  const fixed = rest ? pattern.slice(0, -1) : pattern;
  if (rest ? segments.length <= fixed.length : segments.length !== fixed.length) return false;
  return fixed.every((segment, index) => segment === "*" || segment === segments[index]);
}
