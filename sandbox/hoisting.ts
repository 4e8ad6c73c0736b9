import type { AnyNode, BlockStatement } from "acorn";
import { descendantsOf, type FunctionNode, isFunction, withoutLabels } from "./syntax-tree.ts";

/**
 * Whether the body of a function means the same inside a block of its own. It does, but for functions declared directly in
 * it: as the function's own they may be declared twice or share a name with a parameter or a `var`, in a block they may not.
 */
export function standsInBlock(node: FunctionNode, body: BlockStatement): boolean {
  const declared = body.body.map(withoutLabels).flatMap((inner) => (inner.type === "FunctionDeclaration" ? [inner] : []));
  if (declared.length === 0) return true;
  const names = new Set(declared.map(({ id }) => id?.name ?? ""));
  if (names.size < declared.length || names.has("arguments")) return false;
  const own = new Set<AnyNode>(declared);
  if (node.params.some((param) => mentions(param, names))) return false;
  for (const inner of descendantsOf(body, hasOwnScope)) if (!own.has(inner) && collides(inner, names)) return false;
  return true;
}

function hasOwnScope(node: AnyNode): boolean {
  return isFunction(node) || node.type === "ClassDeclaration" || node.type === "ClassExpression";
}

function collides(node: AnyNode, names: ReadonlySet<string>): boolean {
  switch (node.type) {
    case "VariableDeclaration":
      return node.kind === "var" && node.declarations.some(({ id }) => mentions(id, names));
    case "FunctionDeclaration":
      return names.has(node.id?.name ?? "");
    // Direct `eval` may declare a `var` that no one sees coming.
    case "CallExpression":
      return node.callee.type === "Identifier" && node.callee.name === "eval";
    default:
      return false;
  }
}

/** Looks at all of a pattern, its keys and defaults too: to be wrong now and then only means that a function goes unprofiled. */
function mentions(pattern: AnyNode, names: ReadonlySet<string>): boolean {
  if (pattern.type === "Identifier") return names.has(pattern.name);
  for (const node of descendantsOf(pattern, isFunction)) if (node.type === "Identifier" && names.has(node.name)) return true;
  return false;
}
