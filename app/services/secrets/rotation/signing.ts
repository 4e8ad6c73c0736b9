/** What the secret that signs the call-outs of a policy is bound to. */
export function bindingOfSigning(secretId: string): string {
  return `rotation-webhook:${secretId}`;
}
