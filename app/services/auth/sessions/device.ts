import Bowser from "bowser";

/** A name that a person recognises in a list of sessions, such as "Firefox on Linux". */
export function deviceName(userAgent: string | undefined): string {
  if (!userAgent) return "Unknown device";
  const { browser, os, platform } = Bowser.parse(userAgent);
  const program = browser.name || /^[\w.-]+/.exec(userAgent)?.[0];
  const system = os.name || platform.type;
  if (!program) return "Unknown device";
  return system ? `${program} on ${system}` : program;
}
