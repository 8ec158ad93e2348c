/** The names of the tags that each identity token of AWS has. No element may set them. */
export const identityTags = { stage: 'tokenwell:stage', connection: 'tokenwell:connection' } as const

/**
 * The name of the role for which AWS signs identity tokens: that of the stage, or the one of a connection. Authorization servers know
 * Tokenwell by the ARN of this role, so the name never changes.
 */
export function identityRoleName(stage: string, connection?: string): string {
  return `tokenwell-${stage}-identity${connection === undefined ? '' : `-${connection}`}`
}
