import { createBullBoard } from "@bull-board/api";
import type { AppControllerRoute, AppViewRoute, IServerAdapter, UIConfig } from "@bull-board/api/typings/app";
import ejs from "ejs";
import type { BoardFiles } from "./files.ts";

/** Bull Board without a server of its own: the pages it has and the calls they make. */
export interface BoardPages {
  readonly view: AppViewRoute;
  readonly calls: readonly AppControllerRoute[];
  readonly uiConfig: UIConfig;
  /** The one page, which shows whatever its address says. */
  render(files: BoardFiles, basePath: string): Promise<string>;
}

/** The page asks a host for its fonts; without them it takes the system's. */
const foreignLink = /<link href="https:[^>]*>/g;

export function createBoardPages(): BoardPages {
  let view: AppViewRoute | undefined;
  let calls: readonly AppControllerRoute[] = [];
  let uiConfig: UIConfig = {};
  const adapter: IServerAdapter = {
    setQueues: () => adapter,
    setViewsPath: () => adapter,
    setStaticPath: () => adapter,
    setErrorHandler: () => adapter,
    setEntryRoute: (route) => {
      view = route;
      return adapter;
    },
    setApiRoutes: (routes) => {
      calls = routes;
      return adapter;
    },
    setUIConfig: (config) => {
      uiConfig = config;
      return adapter;
    },
  };
  createBullBoard({
    queues: [],
    serverAdapter: adapter,
    // A path that is given keeps it from looking for its files, which are not on the disk of a compiled program.
    options: { uiBasePath: "/", uiConfig: { boardTitle: "Keelson queues", hideRedisDetails: true, hideDocsLink: true } },
  });
  if (!view) throw new Error("Bull Board has no page");
  const entry = view;
  return {
    view: entry,
    calls,
    uiConfig,
    render: async (files, basePath) => {
      const { name, params } = entry.handler({ basePath, uiConfig });
      const template = await files.get(name)?.text();
      if (template === undefined) throw new Error(`Bull Board's ${name} is missing`);
      return ejs.render(template.replace(foreignLink, ""), params);
    },
  };
}
