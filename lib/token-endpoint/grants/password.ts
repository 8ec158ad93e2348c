import { commonParameters } from './common-parameters.ts'
import type { GrantForm, GrantParameters } from './grant-form.ts'

/** RFC 6749 section 4.3.2. */
export function passwordForm(parameters: GrantParameters): GrantForm {
  const { username, password } = parameters
  return {
    parameters: [
      ...(username === undefined ? [] : [['username', username] as const]),
      ...(password === undefined ? [] : [['password', password] as const]),
      ...commonParameters(parameters),
    ],
    secrets: password ? [password] : [],
    assertions: [],
  }
}
