/** Ends a child process when this process dies in a way that runs no code of ours. */
export interface Guard {
  /** Names the process to end, or nothing. */
  watch(pid: number | undefined): void;
  /** Ends the guard and leaves the child alone. */
  dismiss(): Promise<void>;
}

// End of file on its input means that we are gone. It ignores what a terminal or a service manager sends to the whole group.
const script = `
trap '' INT TERM HUP
pid=
while read -r word arg; do
  case $word in
    watch) pid=$arg ;;
    dismiss) exit 0 ;;
  esac
done
[ -n "$pid" ] || exit 0
kill -INT "$pid" 2>/dev/null
n=0
while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 10 ]; do sleep 1; n=$((n + 1)); done
kill -QUIT "$pid" 2>/dev/null
`;

/** Start it before the child, so that no moment is unguarded. It sends SIGINT, and SIGQUIT after ten seconds. */
export function createGuard(): Guard {
  const shell = Bun.spawn(["/bin/sh", "-c", script], { stdin: "pipe", stdout: "ignore", stderr: "ignore", cwd: "/", detached: true });
  shell.unref();
  const say = async (line: string): Promise<void> => {
    try {
      await shell.stdin.write(`${line}\n`);
      await shell.stdin.flush();
    } catch {
      // The guard itself may have been killed: then there is nobody to tell, and a later start still finds the orphan.
    }
  };
  return {
    watch: (pid) => void say(`watch ${pid ?? ""}`),
    async dismiss() {
      shell.ref();
      await say("dismiss");
      await shell.exited;
    },
  };
}
