import { Problem } from "../../../platform/errors.ts";
import type { OpenidDeps } from "./openid-connect.ts";
import type { Provider } from "./provider.ts";
import type { ProviderSettings } from "./provider-settings.ts";

/** The provider of that name. Throws `Problem` (`not_found`). */
export type FindProvider = (name: string) => Provider;

export function createProviders(settings: readonly ProviderSettings[], deps: OpenidDeps): FindProvider {
  const providers = new Map(settings.map((of) => [of.name, lazyProvider(of, deps)]));
  return (name) => {
    const provider = providers.get(name);
    if (!provider) throw new Problem("not_found", { detail: `There is no provider ${name}.` });
    return provider;
  };
}

/** What speaks with providers is loaded when somebody first wants to log in there. */
function lazyProvider(settings: ProviderSettings, deps: OpenidDeps): Provider {
  let loading: Promise<Provider> | undefined;
  const load = async (): Promise<Provider> =>
    settings.kind === "github"
      ? (await import("./github.ts")).createGithubProvider(settings, deps)
      : (await import("./openid-connect.ts")).createOpenidProvider(settings, deps);
  const loaded = (): Promise<Provider> => {
    loading ??= load();
    return loading;
  };
  return {
    name: settings.name,
    authorizationUrl: async (attempt) => (await loaded()).authorizationUrl(attempt),
    profile: async (answer, attempt) => (await loaded()).profile(answer, attempt),
  };
}
