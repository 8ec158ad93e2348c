import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { ConnectionDisabledError } from '../../../lib/configuration/finding.ts'
import { type LogEvent, meter } from '../../../lib/log/log-event.ts'
import { createDateReporter } from '../../../lib/renewal/report-dates.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretDates, dayMilliseconds } from '../../../lib/signing/secret-dates.ts'
import { exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements, withoutUndefined } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

const end = Date.parse('2027-01-31T12:00:00Z')
const connectionWith = (passwordSecret: string): ServedConnection => ({
  ...plainConnection,
  clientAuthentication: { method: 'client_secret_basic', passwordSecret },
})

/** A reporter whose clock and secrets the test changes. */
function theReporter() {
  const far = {
    now: end - 40 * dayMilliseconds,
    expiresAt: new Date(end).toISOString(),
    pause: (): Promise<void> => new Promise(() => {}),
    log: [] as LogEvent[],
  }
  const secrets = singleVersionSecrets(
    async () => new Secret(JSON.stringify({ password: 'the password', expiresAt: far.expiresAt })),
  )
  const reporter = createDateReporter({
    connections: {
      async get(name) {
        if (name === 'stopped') throw new ConnectionDisabledError(name)
        if (name === 'slow') await new Promise(() => {})
        if (name === 'faulty') throw new TypeError('a programming error')
        return { connection: connectionWith(`tokenwell/test/${name}`), fingerprint: 'any' }
      },
    },
    secretDates: createSecretDates({ secrets, certificates: { trusted: async () => [], presented: async () => [] } }),
    now: () => far.now,
    pause: () => far.pause(),
    log: (event) => far.log.push(event),
  })
  return {
    far,
    async report(name = 'one') {
      far.log.length = 0
      await reporter.report(name, far.now + 1_000)
      return far.log
    },
  }
}

test('the log names the secret, the day and the whole days until then, and the metric has these days', async () => {
  const { far, report } = theReporter()
  const checked = { event: 'secret_expiry_checked', secret: 'tokenwell/test/one', expiresOn: '2027-01-31' } as const
  assert.deepEqual(await report(), [{ ...checked, daysLeft: 40 }])
  for (const [days, daysLeft] of [
    [29.5, 29],
    [0.5, 0],
    [0, 0],
    [-0.5, -1],
    [-40, -40],
  ] as const) {
    far.now = end - days * dayMilliseconds
    const [event, notice, ...more] = await report()
    assert.deepEqual(event, { ...checked, daysLeft }, String(days))
    assert.deepEqual(event && meter(event), { values: { SecretExpiresInDays: daysLeft }, dimensions: {} })
    assert.equal(notice?.event, 'secret_date_noticed')
    assert.deepEqual(more, [])
  }
})

test('a date that has passed or cannot be read is logged with the element and what to do, and never with the secret', async () => {
  const { far, report } = theReporter()
  far.now = end
  const sentences = (events: readonly LogEvent[]) =>
    events.flatMap((event) => (event.event === 'secret_date_noticed' ? [[event.element, event.reason]] : []))
  const element = 'authorizationServer/theServer basicAuthRef'
  assert.deepEqual(sentences(await report()), [
    [
      element,
      'The secret tokenwell/test/one expired on 2027-01-31, as its expiresAt says. Get a new one from the server that accepts it, and store it with its date.',
    ],
  ])
  far.expiresAt = 'soon'
  const unreadable = await report()
  assert.deepEqual(sentences(unreadable), [
    [
      element,
      'The secret tokenwell/test/one holds an expiresAt that is not a date. Write it as 2027-01-31 or 2027-01-31T12:00:00Z.',
    ],
  ])
  assert.equal(unreadable.length, 1, 'there is no value for the metric')
  assert.ok(!JSON.stringify(far.log).includes('the password'))
})

test('connections with the same secret are reported once in half an hour, and a new date at once', async () => {
  const { far, report } = theReporter()
  assert.equal((await report()).length, 1)
  assert.equal((await report()).length, 0)
  assert.equal((await report('other')).length, 1)
  far.expiresAt = new Date(end + dayMilliseconds).toISOString()
  assert.equal((await report()).length, 1)
  far.now += 30 * 60_000
  assert.equal((await report()).length, 1)
})

test('a connection that is disabled or has mistakes is passed over, and an error of the code is not', async () => {
  const { report } = theReporter()
  assert.deepEqual(await report('stopped'), [])
  await assert.rejects(report('faulty'), TypeError)
})

test('a secret or an element that is not read by the deadline keeps no event waiting', async () => {
  const { far, report } = theReporter()
  far.pause = () => Promise.resolve()
  assert.deepEqual(await report('slow'), [])
})

test('the dates are reported also when the token of a changed connection is refused, since an end may be why', async () => {
  const secrets = {
    ...singleVersionSecrets(async () => new Secret('{ "password": "the password", "expiresAt": "1970-01-02" }')),
    refresh: async () => false,
    readAllAgain() {},
    forget() {},
  }
  const oAuth = { jwtAuthenticationTokenRef: undefined }
  const elementsWith = (scope: string) =>
    withoutUndefined({
      ...exampleElements(exampleIssuer, { server: { basicAuthRef: 'theData' }, oAuth: { ...oAuth, scope } }),
      authData: { theData: { user: 'theClient', passwordSecret: 'tokenwell/local/the-password' } },
    })
  const elements = changeableElements(elementsWith('one'))
  const endpoint = ({ index }: { readonly index: number }) =>
    index === 0 ? virtualToken() : virtualRefusal('invalid_client')
  const tokens = createTokensInVirtualTime(endpoint, { elements, secrets })
  await tokens.time.until(tokens.get())
  elements.change(elementsWith('other'))
  await assert.rejects(tokens.time.until(tokens.answer({ type: 'ConnectionChanged', connection: 'conn' })))
  assert.ok(tokens.events.some(({ event }) => event === 'secret_date_noticed'))
})
