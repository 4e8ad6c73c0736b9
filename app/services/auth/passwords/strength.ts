import { ZxcvbnFactory } from "@zxcvbn-ts/core";
import { adjacencyGraphs, dictionary as common } from "@zxcvbn-ts/language-common";
import { dictionary as english, translations } from "@zxcvbn-ts/language-en";

export interface Strength {
  /** 0 (fewer than 10³ guesses) to 4 (10¹⁰ or more). */
  readonly score: number;
  /** What would make it better, for the person who chose it. */
  readonly advice: string;
}

/** `known` is what a guesser knows about the account. */
export type EstimateStrength = (password: string, known: readonly string[]) => Strength;

/** What makes 64 characters weak makes the whole weak, and what makes them strong is enough; the time grows with the square of the length. */
const charactersMax = 64;
/** At the library's 100 the worst 64 characters hold the thread for 350 ms, at this 60. */
const l33tMaxSubstitutions = 20;

/** zxcvbn (Wheeler, USENIX Security 2016) over the first 64 characters. The dictionaries take 30 MB and 0.2 s, at the first use. */
export function createEstimateStrength(): EstimateStrength {
  let zxcvbn: ZxcvbnFactory | undefined;
  return (password, known) => {
    zxcvbn ??= new ZxcvbnFactory({
      dictionary: { ...common, ...english },
      graphs: adjacencyGraphs,
      translations,
      maxLength: 2 * charactersMax,
      l33tMaxSubstitutions,
    });
    const { score, feedback } = zxcvbn.check([...password].slice(0, charactersMax).join(""), known.flatMap(partsOf));
    return { score, advice: [feedback.warning, ...feedback.suggestions].filter(Boolean).join(" ") };
  };
}

/** The whole and its words: of `ada.lovelace@example.com` also `ada`, `lovelace` and `example`. */
function partsOf(text: string): string[] {
  const words = text.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length >= 3);
  return [text, text.split("@")[0] ?? "", ...words].map((word) => word.toLowerCase().slice(0, charactersMax)).filter(Boolean);
}
