import type { ExternalKeyStatus } from "../../../../db/schema/external-keys.ts";
import { type AddressGuard, createAddressGuard } from "../../../platform/outgoing/address-guard.ts";
import { sendRequest } from "../../../platform/outgoing/request.ts";
import { type ExternalServiceName, externalService } from "./catalogue.ts";

/** Other addresses than the services' own, as the operator has set them. */
export type BaseUrls = Readonly<Partial<Record<ExternalServiceName, string | undefined>>>;

const timeoutMs = 5_000;
const publicOnly = createAddressGuard([]);
/** Where the operator sends keys is the operator's affair. */
const anywhere: Pick<AddressGuard, "allows" | "lookup"> = createAddressGuard(["0.0.0.0/0", "::/0"]);

/** Asks the service whether it takes the key. `unverified` when it can't be asked, does not answer, or says nothing of it. */
export function createProbe(baseUrls: BaseUrls) {
  return async (service: ExternalServiceName, key: string): Promise<ExternalKeyStatus> => {
    const { probe } = externalService(service);
    if (!probe) return "unverified";
    const own = baseUrls[service];
    const url = `${(own ?? probe.baseUrl).replace(/\/(v1\/?)?$/, "")}${probe.path(key)}`;
    const request = { method: "GET", url, headers: probe.headers(key), signal: AbortSignal.timeout(timeoutMs), bodyBytesMax: 1_024 };
    try {
      const { status } = await sendRequest(request, own === undefined ? publicOnly : anywhere);
      if (status >= 200 && status < 300) return "valid";
      return status === 401 || status === 403 ? "invalid" : "unverified";
    } catch {
      return "unverified";
    }
  };
}
