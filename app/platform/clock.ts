/** The time now. Passed in wherever time matters, so that a test can move it. */
export type Now = () => Date;

export const systemNow: Now = () => new Date();
