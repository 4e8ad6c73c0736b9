import type { ZxcvbnFactory } from "@zxcvbn-ts/core";

export interface Strength {
  /** 0 (fewer than 10³ guesses) to 4 (10¹⁰ or more). */
  readonly score: number;
  /** What would make it better, for the person who chose it. */
  readonly advice: string;
}

/** `known` is what a guesser knows about the account. */
export type EstimateStrength = (password: string, known: readonly string[]) => Promise<Strength>;

/** What makes 64 characters weak makes the whole weak, and what makes them strong is enough; the time grows with the square of the length. */
const charactersMax = 64;
/** At the library's 100 the worst 64 characters hold the thread for 350 ms, at this 60. */
const l33tMaxSubstitutions = 20;

/** zxcvbn (Wheeler, USENIX Security 2016) over the first 64 characters. The library and its dictionaries take 30 MB and 0.3 s, at the first use. */
export function createEstimateStrength(): EstimateStrength {
  let loading: Promise<ZxcvbnFactory> | undefined;
  return async (password, known) => {
    loading ??= loadZxcvbn();
    const { score, feedback } = (await loading).check([...password].slice(0, charactersMax).join(""), known.flatMap(partsOf));
    return { score, advice: [feedback.warning, ...feedback.suggestions].filter(Boolean).join(" ") };
  };
}

async function loadZxcvbn(): Promise<ZxcvbnFactory> {
  const { ZxcvbnFactory } = await import("@zxcvbn-ts/core");
  const { adjacencyGraphs: graphs, dictionary: common } = await import("@zxcvbn-ts/language-common");
  const { dictionary: english, translations } = await import("@zxcvbn-ts/language-en");
  return new ZxcvbnFactory({
    dictionary: { ...common, ...english },
    graphs,
    translations,
    maxLength: 2 * charactersMax,
    l33tMaxSubstitutions,
  });
}

/** The whole and its words: of `ada.lovelace@example.com` also `ada`, `lovelace` and `example`. */
function partsOf(text: string): string[] {
  const words = text.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length >= 3);
  return [text, text.split("@")[0] ?? "", ...words].map((word) => word.toLowerCase().slice(0, charactersMax)).filter(Boolean);
}
