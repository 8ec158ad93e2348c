import type { FormParameters, GrantParameters } from './grant-form.ts'

/** RFC 6749 section 3.3 separates scopes by blanks. Some servers want another character. */
export function scopeText({ scope, scopeSeparator = ' ' }: GrantParameters): string {
  return scope.join(scopeSeparator)
}

/** The parameters that every grant has (RFC 6749 section 3.3, RFC 8707 section 2). Only `resource` may repeat. */
export function commonParameters(parameters: GrantParameters): FormParameters {
  const { scope, resource, audience, further } = parameters
  return [
    ...(scope.length > 0 ? [['scope', scopeText(parameters)] as const] : []),
    ...resource.map((each) => ['resource', each] as const),
    ...(audience === undefined ? [] : [['audience', audience] as const]),
    ...Object.entries(further),
  ]
}
