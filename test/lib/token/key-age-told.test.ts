import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Signer } from '../../../lib/signing-key/signer.ts'
import {
  createTheTokens,
  type TheTokensOptions,
  theConnection,
  virtualRefusal,
  virtualToken,
  withGeneratedKey,
} from '../../support/the-tokens.ts'
import { theSigner } from '../../support/virtual-ports.ts'

const start = 1_800_000_000_000
const day = 86_400_000

/** What is told of each authentication of the first request. */
async function told(connection: TheTokensOptions['connection'], signer: Signer, previous?: Signer) {
  const signers = { get: async () => signer, getPrevious: async () => previous }
  const tokens = createTheTokens(
    ({ index }) => (previous && index === 0 ? virtualRefusal('invalid_client') : virtualToken()),
    { signers, ...(connection && { connection }) },
  )
  await tokens.time.until(tokens.get())
  return tokens.events.flatMap((event) => {
    if (event.event !== 'client_authenticated') return []
    const { keyAgeSeconds, isKeyOverdue } = event
    return [[keyAgeSeconds, isKeyOverdue]]
  })
}

test('of a key that Tokenwell rotates its age is told, and whether it is overdue', async () => {
  assert.deepEqual(await told(withGeneratedKey, { ...theSigner, signsFrom: start - 30 * day }), [[30 * 86_400, false]])
  assert.deepEqual(await told(withGeneratedKey, { ...theSigner, signsFrom: start - 33 * day }), [[33 * 86_400, true]])
})

test('of a key with times that Tokenwell does not make the age alone is told', async () => {
  assert.deepEqual(await told(theConnection, { ...theSigner, signsFrom: start - 900 * day }), [
    [900 * 86_400, undefined],
  ])
})

test('of a key without times, or that before the current one, nothing is told', async () => {
  assert.deepEqual(await told(withGeneratedKey, theSigner), [[undefined, undefined]])
  const [current, before] = [
    { ...theSigner, signsFrom: start },
    { ...theSigner, signsFrom: start - 900 * day },
  ]
  assert.deepEqual(await told(withGeneratedKey, current, before), [
    [0, false],
    [undefined, undefined],
  ])
})
