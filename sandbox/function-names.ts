import type { AnyNode } from "acorn";

const textCharsMax = 40;

/**
 * The name a function or class gets from where it stands: the variable, property or method it becomes. `inherited` is the
 * parent's own such name. A function may have an id of its own, which comes first.
 */
export function nameFromPlace(parent: AnyNode, child: AnyNode, inherited: string | undefined): string | undefined {
  switch (parent.type) {
    case "VariableDeclarator":
      return child === parent.init ? targetName(parent.id) : undefined;
    case "AssignmentExpression":
    case "AssignmentPattern":
      return child === parent.right ? targetName(parent.left) : undefined;
    case "Property":
    case "PropertyDefinition":
    case "MethodDefinition":
      return child === parent.value ? memberName(parent, inherited) : undefined;
    case "ClassDeclaration":
    case "ClassExpression":
      return child === parent.body ? (parent.id?.name ?? inherited) : undefined;
    case "ClassBody":
    case "ParenthesizedExpression":
      return inherited;
    case "ExportDefaultDeclaration":
      return "default";
    default:
      return undefined;
  }
}

function targetName(target: AnyNode): string | undefined {
  if (target.type === "Identifier") return target.name;
  return target.type === "MemberExpression" ? keyName(target.property, target.computed) : undefined;
}

type Member = Extract<AnyNode, { type: "Property" | "PropertyDefinition" | "MethodDefinition" }>;

/** A constructor goes by the name of its class, as it does when one asks it. */
function memberName(member: Member, className: string | undefined): string | undefined {
  if (member.type === "MethodDefinition" && member.kind === "constructor") return className;
  const name = keyName(member.key, member.computed);
  const accessor = member.type !== "PropertyDefinition" && (member.kind === "get" || member.kind === "set");
  return accessor && name !== undefined ? `${member.kind} ${name}` : name;
}

function keyName(key: AnyNode, computed: boolean): string | undefined {
  switch (key.type) {
    case "Literal":
      return String(key.value).slice(0, textCharsMax);
    case "PrivateIdentifier":
      return `#${key.name}`;
    case "Identifier":
      return computed ? undefined : key.name;
    case "MemberExpression":
      return symbolName(key);
    default:
      return undefined;
  }
}

/** `[Symbol.iterator]`, and nothing else that is computed: what the rest amounts to is not known before the program runs. */
function symbolName({ object, property }: Extract<AnyNode, { type: "MemberExpression" }>): string | undefined {
  const wellKnown = object.type === "Identifier" && object.name === "Symbol" && property.type === "Identifier";
  return wellKnown ? `[Symbol.${property.name}]` : undefined;
}
