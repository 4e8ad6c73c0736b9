import { Gauge, type Registry } from "prom-client";

/** Of the whole process with all its threads, by the names that Prometheus' own clients use. */
export function registerProcessMetrics(metrics: Registry): void {
  const startedAt = Date.now() / 1_000 - process.uptime();
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers: [metrics],
      collect() {
        this.set(value());
      },
    });
  gauge("process_resident_memory_bytes", "Resident memory of the process", () => process.memoryUsage.rss());
  gauge("process_start_time_seconds", "Start of the process, in seconds since the epoch", () => startedAt);
  gauge("process_cpu_seconds_total", "User and system CPU time", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000_000;
  });
}
