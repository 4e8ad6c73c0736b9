import type { AnyNode } from "acorn";

export type FunctionNode = Extract<AnyNode, { type: "FunctionDeclaration" | "FunctionExpression" | "ArrowFunctionExpression" }>;

/** In the order of the source, but for the few nodes whose parts acorn finds in another one. */
export function childrenOf(node: AnyNode): AnyNode[] {
  const children: AnyNode[] = [];
  for (const value of Object.values(node)) {
    if (isNode(value)) children.push(value);
    else if (Array.isArray(value)) for (const element of value) if (isNode(element)) children.push(element);
  }
  return children;
}

/** Only acorn's nodes have a `type` that is a string: a literal's value, a template's texts and a pattern's flags have none. */
function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

export function isFunction(node: AnyNode): node is FunctionNode {
  return node.type === "FunctionDeclaration" || node.type === "FunctionExpression" || node.type === "ArrowFunctionExpression";
}

/** Everything below `root`, without what is below the nodes that `closed` names. A loop, because code can nest deeper than a stack. */
export function* descendantsOf(root: AnyNode, closed: (node: AnyNode) => boolean): Generator<AnyNode> {
  const pending = childrenOf(root);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    yield node;
    if (closed(node)) continue;
    for (const child of childrenOf(node)) pending.push(child);
  }
}

/** What a label, or several, stand before. */
export function withoutLabels(statement: AnyNode): AnyNode {
  let inner = statement;
  while (inner.type === "LabeledStatement") inner = inner.body;
  return inner;
}
