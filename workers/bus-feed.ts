import type { Feed } from "../app/platform/bus/feed.ts";
import type { Channel } from "./channel.ts";
import type { BusThread, MainForBus } from "./protocol.ts";

export interface BusFeed extends Feed {
  /** What the main thread answers to the bus thread. */
  readonly methods: Pick<MainForBus, "news">;
  /** The bus thread is there, perhaps again: tells it what is watched, and the watchers to look, since news may have been missed. */
  attach(channel: Channel<BusThread>): void;
  /** Has every watcher look again. */
  lookAgain(): void;
}

/** The main thread's half of live news; the bus thread has the other. */
export function createBusFeed(): BusFeed {
  const watchers = new Map<string, Set<() => void>>();
  let bus: Channel<BusThread> | undefined;

  const tellWatchers = (subject: string) => {
    for (const onNews of watchers.get(subject) ?? []) onNews();
  };

  return {
    methods: {
      news: ({ subjects }) => {
        for (const subject of subjects) tellWatchers(subject);
      },
    },
    attach: (channel) => {
      bus = channel;
      for (const subject of watchers.keys()) {
        channel.tell("watch", { subject });
        tellWatchers(subject);
      }
    },
    lookAgain: () => {
      for (const subject of watchers.keys()) tellWatchers(subject);
    },
    watch: (subject, onNews) => {
      const of = watchers.get(subject);
      if (of) of.add(onNews);
      else {
        watchers.set(subject, new Set([onNews]));
        bus?.tell("watch", { subject });
      }
      return () => {
        const left = watchers.get(subject);
        if (!left?.delete(onNews) || left.size > 0) return;
        watchers.delete(subject);
        bus?.tell("unwatch", { subject });
      };
    },
  };
}
