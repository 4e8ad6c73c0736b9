import packageFile from "../../../../package.json" with { type: "json" };
import type { EventTypeView } from "./service.ts";

export interface AsyncApiOptions {
  readonly types: readonly EventTypeView[];
  /** Where this installation is reached. */
  readonly publicUrl: string;
}

/** The catalogue as an AsyncAPI 3.0 document: what the stream and webhooks send, and what may be published. */
export function describeEvents({ types, publicUrl }: AsyncApiOptions) {
  const { protocol, host, pathname } = new URL(publicUrl);
  const all = types.map(({ type }) => type);
  const publishable = types.filter((it) => it.publishable).map(({ type }) => type);
  const inChannel = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));
  const ofChannel = (channel: string, names: readonly string[]) =>
    names.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` }));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Keelson events",
      version: packageFile.version,
      description: "Durable events, at least once, as CloudEvents 1.0. Events of one key keep their order.",
    },
    defaultContentType: "application/json",
    servers: {
      this: { host, protocol: protocol.replace(":", ""), ...(pathname === "/" ? {} : { pathname }) },
    },
    channels: {
      stream: { address: "/v1/events/stream", title: "Server-sent events", messages: inChannel(all) },
      webhooks: { address: null, title: "Webhooks (Standard Webhooks): POST /v1/subscriptions says where to", messages: inChannel(all) },
      publish: { address: "/v1/events", title: "Publishing", messages: inChannel(publishable) },
    },
    operations: {
      stream: { action: "send", channel: { $ref: "#/channels/stream" }, messages: ofChannel("stream", all) },
      deliver: { action: "send", channel: { $ref: "#/channels/webhooks" }, messages: ofChannel("webhooks", all) },
      publish: { action: "receive", channel: { $ref: "#/channels/publish" }, messages: ofChannel("publish", publishable) },
    },
    components: {
      messages: Object.fromEntries(types.map((type) => [type.type, messageOf(type)])),
      schemas: { cloudEvent, ...Object.fromEntries(types.map(({ type, schema }) => [type, schemaAt(type, schema)])) },
    },
  };
}

/** As a part of the document. What refers to another part of the schema is to find it where it is now. */
function schemaAt(type: string, schema: EventTypeView["schema"]): unknown {
  if (typeof schema === "boolean") return schema ? {} : { not: {} };
  const { $schema: _, ...rest } = schema;
  const moved = (ref: string) => (ref.startsWith("#") ? `#/components/schemas/${type}${ref.slice(1)}` : ref);
  return JSON.parse(JSON.stringify(rest), (key, value: unknown) => (key === "$ref" && typeof value === "string" ? moved(value) : value));
}

function messageOf({ type, version, owner, audience, description }: EventTypeView) {
  return {
    name: type,
    title: type,
    summary: description,
    contentType: "application/json",
    tags: [{ name: owner }],
    "x-version": version,
    "x-audience": audience,
    payload: {
      allOf: [
        { $ref: "#/components/schemas/cloudEvent" },
        { type: "object", properties: { type: { const: type }, data: { $ref: `#/components/schemas/${type}` } } },
      ],
    },
  };
}

const text = { type: "string" } as const;
const cloudEvent = {
  type: "object",
  description: "CloudEvents 1.0, JSON format",
  required: ["specversion", "id", "source", "type", "time", "data"],
  properties: {
    specversion: { const: "1.0" },
    id: text,
    source: { ...text, format: "uri-reference" },
    type: text,
    time: { ...text, format: "date-time" },
    subject: text,
    datacontenttype: { const: "application/json" },
    dataschema: { ...text, format: "uri" },
    partitionkey: text,
    traceparent: text,
    actor: text,
    tenant: text,
    requestid: text,
    cursor: text,
    data: {},
  },
} as const;
