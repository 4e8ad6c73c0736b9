import { Problem } from "../../../platform/errors.ts";
import { createGithubProvider } from "./github.ts";
import { createOpenidProvider, type OpenidDeps } from "./openid-connect.ts";
import type { Provider } from "./provider.ts";
import type { ProviderSettings } from "./provider-settings.ts";

/** The provider of that name. Throws `Problem` (`not_found`). */
export type FindProvider = (name: string) => Provider;

export function createProviders(settings: readonly ProviderSettings[], deps: OpenidDeps): FindProvider {
  const providers = new Map(
    settings.map((of) => [of.name, of.kind === "github" ? createGithubProvider(of, deps) : createOpenidProvider(of, deps)]),
  );
  return (name) => {
    const provider = providers.get(name);
    if (!provider) throw new Problem("not_found", { detail: `There is no provider ${name}.` });
    return provider;
  };
}
