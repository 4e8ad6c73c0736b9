import { type AnyNode, type BlockStatement, parse } from "acorn";
import { nameFromPlace } from "./function-names.ts";
import { standsInBlock } from "./hoisting.ts";
import { fixedLimits } from "./limits.ts";
import { createSourceEdits, type Place, type SourceEdits } from "./source-edits.ts";
import { childrenOf, isFunction, withoutLabels } from "./syntax-tree.ts";

export interface Instrumented {
  /** As many lines as the source: nothing inserted contains a line break. */
  readonly code: string;
  /** The column in the source of a place in `code`; lines are the same. 1-based and in code points, as QuickJS says them. */
  columnOf(line: number, column: number): number;
  readonly functions: readonly ({ readonly name: string } & Place)[];
  readonly statements: readonly Place[];
}

export interface InstrumentOptions {
  readonly kind: "script" | "asyncScript" | "module";
  readonly trace: boolean;
  readonly profile: boolean;
  /**
   * Names of global functions that take an index into `statements` or `functions`: identifiers in ASCII. The properties
   * should be neither writable nor configurable, because the program can list the global object's.
   */
  readonly hooks: { readonly statement: string; readonly enter: string; readonly leave: string };
}

/** A statement can be two characters long and its call is a dozen: to insert more than this would only use up the guest's memory. */
const insertedCharsMax = 3 * fixedLimits.codeBytesMax;

/**
 * Inserts a call before each statement and around each function's body. A program can tell by the `toString` of functions,
 * columns in `stack`, and how deep it can recurse, and by nothing else. Mapped back, columns are what they were, except where
 * QuickJS names a nearby place for want of a better one: it then names the statement, or the call instead of its `return`.
 *
 * Left as it is: what is inside a `with`, which could intercept the hooks; and, unprofiled, the rare function that cannot be
 * wrapped (see `standsInBlock`). An enter and its leave span the waits of an async function or generator, so their pairs may
 * overlap; one that never ends has no leave.
 *
 * Undefined when acorn cannot parse the code, or when it is too large, too deeply nested, or contains a hook's name.
 */
export function instrument(code: string, options: InstrumentOptions): Instrumented | undefined {
  if (Buffer.byteLength(code) > fixedLimits.codeBytesMax || containsHook(code, Object.values(options.hooks))) return undefined;
  try {
    return weave(code, options);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function containsHook(code: string, hooks: readonly string[]): boolean {
  // An identifier may be written with escapes.
  const unescaped = code.replace(/\\u(?:([\da-f]{4})|\{0*([\da-f]{1,5})\})/gi, (_, four?: string, braced?: string) =>
    String.fromCodePoint(Number.parseInt(four ?? braced ?? "", 16)),
  );
  return hooks.some((hook) => code.includes(hook) || unescaped.includes(hook));
}

/** How a statement stands among others: in a list, in one after a statement without an end of its own, alone as a body, or not as one. */
type Standing = "listed" | "unterminated" | "alone" | "none";

interface Visit {
  readonly node: AnyNode;
  readonly standing: Standing;
  /** The name the place gives to a function; see `nameFromPlace`. */
  readonly name: string | undefined;
  /** Where one would look for a function: for a method that is where the member begins. */
  readonly start: number;
  /** Whether the value of an expression statement here may become the value of the program. */
  readonly completing: boolean;
}

interface Weaver {
  readonly options: InstrumentOptions;
  readonly edits: SourceEdits;
  readonly functions: ({ readonly name: string } & Place)[];
  readonly statements: Place[];
}

function weave(code: string, options: InstrumentOptions): Instrumented {
  const { kind } = options;
  const program = parse(code, {
    ecmaVersion: "latest",
    sourceType: kind === "module" ? "module" : "script",
    allowAwaitOutsideFunction: kind !== "script",
    preserveParens: true,
  });
  const weaver: Weaver = { options, edits: createSourceEdits(code, insertedCharsMax), functions: [], statements: [] };
  const pending: Visit[] = [{ node: program, standing: "none", name: undefined, start: 0, completing: kind !== "module" }];
  // A loop with a stack of its own, because code can nest deeper than the host's stack.
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    weaveNode(weaver, visit);
    for (const below of visitsBelow(code, visit).toReversed()) pending.push(below);
  }
  const { functions, statements } = weaver;
  return { ...weaver.edits.apply(), functions, statements };
}

function visitsBelow(code: string, { node, name, start, completing }: Visit): Visit[] {
  const children = childrenOf(node).filter((child) => !(node.type === "WithStatement" && child === node.body));
  return children.map((child, index) => ({
    node: child,
    standing: standingOf(node, child, code[(children[index - 1]?.end ?? 0) - 1]),
    name: nameFromPlace(node, child, name),
    start: isMember(node) ? start : child.start,
    completing: completing && !isFunction(node) && node.type !== "StaticBlock",
  }));
}

function standingOf(parent: AnyNode, child: AnyNode, charBefore: string | undefined): Standing {
  switch (parent.type) {
    case "Program":
    case "BlockStatement":
    case "StaticBlock":
      return charBefore === undefined || charBefore === ";" || charBefore === "}" ? "listed" : "unterminated";
    case "SwitchCase":
      return child === parent.test ? "none" : "unterminated";
    case "IfStatement":
      return child === parent.test ? "none" : "alone";
    case "WhileStatement":
    case "DoWhileStatement":
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
      return child === parent.body ? "alone" : "none";
    default:
      return "none";
  }
}

function isMember(node: AnyNode): boolean {
  return node.type === "MethodDefinition" || (node.type === "Property" && (node.method || node.kind !== "init"));
}

function weaveNode(weaver: Weaver, visit: Visit): void {
  const { node, standing } = visit;
  if (weaver.options.trace && standing !== "none" && runs(node)) traceStatement(weaver, visit);
  if (!isFunction(node)) return;
  if (node.body.type !== "BlockStatement") weaveExpressionBody(weaver, visit, node.body);
  else if (weaver.options.profile && standsInBlock(node, node.body)) profileBody(weaver, visit, node.body);
}

/** Blocks have statements of their own; declarations of functions, imports and lists of exports are done before anything runs. */
function runs(statement: AnyNode): boolean {
  const inner = withoutLabels(statement);
  switch (inner.type) {
    case "BlockStatement":
    case "EmptyStatement":
    case "FunctionDeclaration":
    case "ImportDeclaration":
    case "ExportAllDeclaration":
      return false;
    case "ExpressionStatement":
      return inner.directive === undefined;
    case "ExportNamedDeclaration":
      return inner.declaration != null && inner.declaration.type !== "FunctionDeclaration";
    case "ExportDefaultDeclaration":
      return inner.declaration.type !== "FunctionDeclaration";
    default:
      return true;
  }
}

function traceStatement(weaver: Weaver, { node, standing, completing }: Visit): void {
  const { edits } = weaver;
  const call = statementCall(weaver, node);
  // What is before may end where a line does, and would go on with what is inserted: think of a variable called `let`.
  const end = standing === "unterminated" ? ";" : "";
  const first = firstExpression(node);
  if (first !== undefined) {
    // Within the statement: there is no value to take another's place, and no need for braces.
    edits.open(first.start, first.start === node.start ? `${end}${call},` : ` ${call},`);
    return;
  }
  // A declaration in a block has no value, so the program's stays what it was.
  const hook = weaver.options.hooks.statement;
  const before = completing ? `{let ${hook}_=${call}}` : `${call};`;
  edits.open(node.start, standing === "alone" ? `{${before}` : end + before);
  if (standing === "alone") edits.close(node.end, "}");
}

function statementCall({ edits, options, statements }: Weaver, node: AnyNode): string {
  const index = statements.push(edits.placeOf(node.start)) - 1;
  return `${options.hooks.statement}(${index})`;
}

/** What a statement evaluates once and before all else, if that may be any expression: it may then begin with `hook(),`. */
function firstExpression(statement: AnyNode): AnyNode | undefined {
  switch (statement.type) {
    case "ExpressionStatement":
      return statement.expression;
    case "IfStatement":
      return statement.test;
    case "SwitchStatement":
      return statement.discriminant;
    case "ReturnStatement":
    case "ThrowStatement":
      return statement.argument ?? undefined;
    default:
      return undefined;
  }
}

function profileBody(weaver: Weaver, visit: Visit, body: BlockStatement): void {
  const { before, after } = profileCalls(weaver, visit);
  const directives = body.body.findLast((statement) => statement.type === "ExpressionStatement" && statement.directive !== undefined);
  const from = directives?.end ?? body.start + 1;
  const end = directives === undefined ? "" : ";";
  if (from === body.end - 1) {
    weaver.edits.open(from, `${end}${before}${after}`);
    return;
  }
  weaver.edits.open(from, end + before);
  weaver.edits.close(body.end - 1, after);
}

function weaveExpressionBody(weaver: Weaver, visit: Visit, body: AnyNode): void {
  const { edits, options } = weaver;
  const call = options.trace ? `${statementCall(weaver, body)},` : "";
  if (options.profile) {
    const { before, after } = profileCalls(weaver, visit);
    edits.open(body.start, `{${before}return ${call}`);
    edits.close(body.end, `${after}}`);
  } else if (options.trace) {
    edits.open(body.start, `(${call}`);
    edits.close(body.end, ")");
  }
}

function profileCalls({ edits, functions, options }: Weaver, { node, name, start }: Visit): { before: string; after: string } {
  const ownName = isFunction(node) ? node.id?.name : undefined;
  const index = functions.push({ name: ownName ?? name ?? "(anonymous)", ...edits.placeOf(start) }) - 1;
  return { before: `${options.hooks.enter}(${index});try{`, after: `}finally{${options.hooks.leave}(${index})}` };
}
