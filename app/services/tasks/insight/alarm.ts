/** Says once that a value has reached its threshold, and once that this is over. */
export interface Alarm {
  look(value: number): "begun" | "over" | undefined;
}

/** Below this part of the threshold it is over, so that a value that swings around it is told of once. */
const overBelow = 0.8;

export function createAlarm(threshold: number): Alarm {
  let on = false;
  return {
    look: (value) => {
      if (!on && value >= threshold) {
        on = true;
        return "begun";
      }
      if (on && value < threshold * overBelow) {
        on = false;
        return "over";
      }
      return undefined;
    },
  };
}
