import { commonParameters } from './common-parameters.ts'
import type { GrantForm, GrantParameters } from './grant-form.ts'

/** RFC 6749 section 4.4.2. */
export function clientCredentialsForm(parameters: GrantParameters): GrantForm {
  return { parameters: commonParameters(parameters), secrets: [], assertions: [] }
}
