/** Checks the message in the file given: Conventional Commits 1.0.0, `type(scope): subject`. Called by lefthook's commit-msg hook. */
const types = ["build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test"];
const header = new RegExp(`^(?:${types.join("|")})(?:\\([a-z0-9-]+\\))?!?: \\S.*$`);
const madeByGit = /^(?:Merge|Revert|fixup!|squash!) /;
const headerLengthMax = 100;

const path = process.argv[2];
if (path === undefined) throw new Error("usage: bun scripts/commit-message.ts <file with the message>");
const [first = "", second = ""] = (await Bun.file(path).text()).split("\n").filter((line) => !line.startsWith("#"));

const complaints = madeByGit.test(first) ? [] : complaintsOf(first, second);
for (const complaint of complaints) console.error(`commit message: ${complaint}`);
process.exitCode = complaints.length === 0 ? 0 : 1;

function complaintsOf(first: string, second: string): string[] {
  return [
    ...(header.test(first) ? [] : [`"${first}" is not "type(scope): subject" with a type of ${types.join(", ")}`]),
    ...(first.length > headerLengthMax ? [`the first line has ${first.length} characters, the limit is ${headerLengthMax}`] : []),
    ...(first.endsWith(".") ? ["the subject ends with a full stop"] : []),
    ...(second.trim() === "" ? [] : ["the second line is not empty"]),
  ];
}
