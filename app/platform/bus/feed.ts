/**
 * Live news about single subjects on this copy. A call says "look again": after news, and also when some may have been missed,
 * so a listener reads the state it cares about rather than trusting to have seen every call.
 */
export interface Feed {
  /** Calls `onNews` for events of this subject, or of this type, from now on, until the returned function is called. */
  watch(subject: string, onNews: () => void): () => void;
}
