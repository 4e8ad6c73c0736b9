/** A name that a person recognises in a list of sessions, such as "Firefox on Linux". */
export async function deviceName(userAgent: string | undefined): Promise<string> {
  if (!userAgent) return "Unknown device";
  const { default: Bowser } = await import("bowser");
  const { browser, os, platform } = Bowser.parse(userAgent);
  const program = browser.name || /^[\w.-]+/.exec(userAgent)?.[0];
  const system = os.name || platform.type;
  if (!program) return "Unknown device";
  return system ? `${program} on ${system}` : program;
}
