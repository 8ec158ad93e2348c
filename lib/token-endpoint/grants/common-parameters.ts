import type { FormParameters, GrantParameters } from './grant-form.ts'

/** The parameters that every grant has (RFC 6749 section 3.3, RFC 8707 section 2). Only `resource` may repeat. */
export function commonParameters({ scope, resource, audience, further }: GrantParameters): FormParameters {
  return [
    ...(scope.length > 0 ? [['scope', scope.join(' ')] as const] : []),
    ...resource.map((each) => ['resource', each] as const),
    ...(audience === undefined ? [] : [['audience', audience] as const]),
    ...Object.entries(further),
  ]
}
