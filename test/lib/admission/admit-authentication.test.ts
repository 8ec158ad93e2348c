import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admitAuthentication, UnknownTokenError } from '../../../lib/admission/admit-authentication.ts'
import type { Connection, ServedConnection, TokenlessConnection } from '../../../lib/configuration/connection.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'

const further: ServedConnection = {
  ...plainConnection,
  authentication: { kind: 'authToken', id: 'session' },
  isFurther: true,
}
const several: ServedConnection = { ...plainConnection, others: [further] }
const tokenless: TokenlessConnection = { name: 'conn', elements: [] }

const admitted = (connection: Connection, authentication?: string) =>
  admitAuthentication(connection, authentication === undefined ? {} : { authentication })

function refuses(connection: Connection, authentication: string | undefined, message: string): void {
  assert.throws(
    () => admitted(connection, authentication),
    (error) => {
      assert.ok(error instanceof UnknownTokenError)
      assert.deepEqual([error.name, error.message], ['UnknownTokenError', message])
      return true
    },
  )
}

test('a request gets the main token, or the one that it names', () => {
  assert.equal(admitted(several), several)
  assert.equal(admitted(several, 'theConfig'), several)
  assert.equal(admitted(several, 'session'), further)
})

test('a name of no token is refused with the names of all', () => {
  const message = 'authentication must be the id of a token of this connection: theConfig or session.'
  for (const name of ['Session', '', 'theConfig ', '__proto__']) refuses(several, name, message)
  refuses(plainConnection, 'session', 'authentication must be the id of a token of this connection: theConfig.')
})

test('a connection without tokens says how its API is called', () => {
  for (const name of [undefined, 'theConfig'])
    refuses(
      tokenless,
      name,
      'connection has no token: the calls of conn have basic authentication. Send POST /connections/conn/api/... to call the API.',
    )
})
