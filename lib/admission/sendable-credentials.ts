import type { Grant } from '../configuration/connection.ts'
import { hasControlCharacter, isHeaderValue } from '../configuration/value-syntax.ts'
import type { Secret } from '../secret/secret.ts'
import { InvalidRequestError } from './invalid-request.ts'

/**
 * Demands that the user and the password of a caller can be sent where the element says.
 * @throws {InvalidRequestError} with the name of the parameter, never with its value
 */
export function demandSendable(grant: Grant, username: string, password: Secret): void {
  if (grant.type !== 'authToken') return
  const { credentials } = grant.request
  const parts = Object.entries({ username, password: password.reveal() })
  if (credentials.in === 'header') {
    for (const [name, value] of parts) demandForBasic(name, value)
    if (username.includes(':'))
      throw new InvalidRequestError(
        'username',
        'has a colon: the token server would read the rest as password (RFC 7617 section 2). Send a user name without a colon.',
      )
  }
  if (credentials.in === 'named_headers') for (const [name, value] of parts) demandHeaderValue(name, value)
}

/**
 * Demands that the parameters of a caller that go into headers can be sent there.
 * @throws {InvalidRequestError} with the name of the parameter, never with its value
 */
export function demandSendableParameters(grant: Grant, further: Readonly<Record<string, string>>): void {
  const { parameterHeaders = {} } = grant.type === 'authToken' ? grant.request : {}
  const inHeaders = Object.values(parameterHeaders)
  for (const [name, value] of Object.entries(further)) if (inHeaders.includes(name)) demandHeaderValue(name, value)
}

function demandForBasic(name: string, value: string): void {
  if (hasControlCharacter(value))
    throw new InvalidRequestError(
      name,
      'has a tab or another control character, which basic authentication cannot send (RFC 7617 section 2). Send it without that character.',
    )
}

function demandHeaderValue(name: string, value: string): void {
  if (!isHeaderValue(value))
    throw new InvalidRequestError(
      name,
      'cannot be sent: the token server of this connection wants it in a header, which has up to 4096 characters of printable ASCII without blanks at its ends.',
    )
}
