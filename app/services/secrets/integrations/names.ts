/** What the client secret of an integration is bound to. */
export function bindingOfClientSecret(id: string): string {
  return `integration:${id}`;
}

/** Where the service sends browsers back to. */
export function redirectUriOf(publicUrl: string, name: string): string {
  return `${publicUrl}/v1/connections/${name}/callback`;
}
