import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalDetails, readDetails, writeDetails } from '../../../lib/configuration/authorization-details.ts'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'

const payment = { type: 'payment', amount: { currency: 'EUR', value: 12.5 }, to: ['a', 'b'] }
const turned = { to: ['a', 'b'], amount: { value: 12.5, currency: 'EUR' }, type: 'payment' }

test('the order of members and objects, and repetitions, make no other text', () => {
  const one = canonicalDetails([payment, { type: 'account' }])
  assert.deepEqual(one, canonicalDetails([{ type: 'account' }, turned, payment]))
  assert.deepEqual(JSON.parse(writeDetails(one ?? [])), [payment, { type: 'account' }])
  assert.notDeepEqual(one, canonicalDetails([{ ...payment, to: ['b', 'a'] }, { type: 'account' }]))
  assert.deepEqual(readDetails(' [ { "type" : "a", "n": 1.0 } ] '), ['{"n":1,"type":"a"}'])
})

const noDetails: readonly string[] = [
  '',
  'x',
  '{}',
  '{"type":"a"}',
  '[]',
  '[[]]',
  '["a"]',
  '[null]',
  '[{}]',
  '[{"type":1}]',
  '[{"type":""}]',
  '[{"type":"a"},{}]',
  '[{"type":"a","type":"b"}]',
  '[{"type":"a","x":{"y":1,"y":2}}]',
  '[{"type":"a","account":1234567890123456789}]',
  '[{"type":"a","account":[-1e400]}]',
  `[{"type":"a","x":${'['.repeat(70)}${']'.repeat(70)}}]`,
]

for (const text of noDetails)
  test(`no authorization_details: ${text.slice(0, 50)}`, () => assert.equal(readDetails(text), undefined))

const elementsWith = (oAuth: object) => exampleElements(exampleIssuer, { oAuth: { ...oAuth } })

test('the elements set the details, and requestMay lists more, each as JSON values', async (t) => {
  const { parameters, requestMay, warnings } = await resolveConn(
    t,
    elementsWith({ authorizationDetails: [turned], requestMay: { authorization_details: [{ type: 'account' }] } }),
  )
  assert.equal(parameters.further['authorization_details'], writeDetails(canonicalDetails([payment]) ?? []))
  assert.deepEqual(requestMay, { authorization_details: ['{"type":"account"}'] })
  assert.deepEqual(warnings, [])
})

test('details in requestMay without a default draw a warning', async (t) => {
  const elements = elementsWith({ requestMay: { authorization_details: [payment] } })
  const [warning, ...others] = (await resolveConn(t, elements)).warnings
  assert.match(String(warning?.sentence), /lists values of authorization_details.*set authorizationDetails\.$/)
  assert.deepEqual(others, [])
})

const wrong: readonly (readonly [object, RegExp])[] = [
  [{ authorizationDetails: payment }, /authorizationDetails: It must be a list of one or more objects/],
  [{ authorizationDetails: [] }, /authorizationDetails: It must be a list of one or more objects/],
  [{ authorizationDetails: [{ actions: ['a'] }] }, /authorizationDetails: It must be a list of one or more objects/],
  [{ authorizationDetails: '[{"type":"a"}]' }, /authorizationDetails: It must be a list of one or more objects/],
  [{ authorizationDetails: [{ type: 'a', iban: 1234567890123456 }] }, /more than 15 digits as a text/],
  [
    { requestMay: { authorization_details: ['a'] } },
    /requestMay: The value of authorization_details must be true or a list/,
  ],
  [
    { requestMay: { authorization_details: [] } },
    /requestMay: The value of authorization_details must be true or a list/,
  ],
  [{ requestMay: { tenant: [{ type: 'a' }] } }, /requestMay: The value of tenant must be true or a list of texts/],
  [
    { parameters: { authorization_details: '[{"type":"a"}]' } },
    /parameters: Take out the parameter authorization_details: set it with authorizationDetails/,
  ],
  [
    { requestMay: { authorizationDetails: true } },
    /requestMay: Take out the parameter authorizationDetails: some servers read it as authorization_details/,
  ],
]

for (const [oAuth, line] of wrong)
  test(`a mistake: ${JSON.stringify(oAuth)}`, async (t) =>
    assertLines(await mistakesOf(t, elementsWith(oAuth)), [line]))
