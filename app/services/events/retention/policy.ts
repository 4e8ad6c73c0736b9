import { z } from "zod";
import { compilePatterns, patternFault } from "../../../platform/bus/pattern.ts";

/** How long events of a type are kept, and how many of them. */
export interface Rule {
  readonly hours: number;
  readonly lengthMax: number | undefined;
}

const rule = z.strictObject({
  hours: z.number().min(0.001).max(8_760).optional(),
  lengthMax: z.number().int().min(1).max(100_000_000).optional(),
});
export type RetentionOverrides = Readonly<Record<string, z.infer<typeof rule>>>;

/** `KEELSON_EVENT_RETENTION`: JSON, what is to be different from the usual, by pattern; the first that matches counts. */
export const retentionOverrides = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: 'expected JSON such as {"task.*":{"hours":1,"lengthMax":10000}}' });
      return z.NEVER;
    }
  })
  .pipe(z.record(z.string(), rule))
  .superRefine((overrides, context) => {
    for (const pattern of Object.keys(overrides)) {
      const fault = patternFault(pattern);
      if (fault) context.addIssue({ code: "custom", message: `the pattern "${pattern}" ${fault}` });
    }
  });

export interface PolicyOptions {
  readonly hours: number;
  readonly overrides: RetentionOverrides;
  /** What was said when the type was registered; the configuration goes before it. */
  readonly ofTypes: readonly { readonly type: string; readonly retentionHours: number | null; readonly lengthMax: number | null }[];
}

export interface Policy {
  ruleOf(type: string): Rule;
  /** Nothing is kept longer than this. */
  readonly hoursMax: number;
  /** The ages, shorter than that, at which some types go. */
  readonly shorter: readonly number[];
  /** Whether some types are bounded by how many there are. */
  readonly hasLengths: boolean;
  /** Changes with the rules. */
  readonly name: string;
}

export function createPolicy({ hours, overrides, ofTypes }: PolicyOptions): Policy {
  const configured = Object.entries(overrides).map(([pattern, given]) => ({ matches: compilePatterns([pattern]), given }));
  const registered = new Map(ofTypes.map((it) => [it.type, it]));
  const known = new Map<string, Rule>();
  const ruleOf = (type: string): Rule => {
    const kept = known.get(type);
    if (kept) return kept;
    const given = configured.find(({ matches }) => matches(type))?.given;
    const said = registered.get(type);
    const found = { hours: given?.hours ?? said?.retentionHours ?? hours, lengthMax: given?.lengthMax ?? said?.lengthMax ?? undefined };
    known.set(type, found);
    return found;
  };
  const ages = new Set([
    hours,
    ...Object.values(overrides).map((it) => it.hours ?? hours),
    ...ofTypes.map((it) => it.retentionHours ?? hours),
  ]);
  const hoursMax = Math.max(...ages);
  return {
    ruleOf,
    hoursMax,
    shorter: [...ages].filter((age) => age < hoursMax).toSorted((a, b) => a - b),
    hasLengths: [...Object.values(overrides), ...ofTypes].some((it) => typeof it.lengthMax === "number"),
    name: String(Bun.hash(JSON.stringify([hours, overrides, ofTypes]))),
  };
}
