import fc from 'fast-check'
import { rotationSteps } from '../../lib/key-lifecycle/rotate-key.ts'
import { connectionNames } from '../support/functions/access-matrix.ts'
import { mostly, mostlyWhole, oddJson, oddText } from './hostile-values.ts'

/* Events of EventBridge, as a queue delivers them, and of Secrets Manager. Most of their parts are valid. */

export interface Message {
  readonly id: string
  readonly body: string
  readonly attempt: string
}

const kinds = ['endpointConnection', 'oAuthConfig', 'authorizationServer', 'jwtBuilder', 'ssl', 'keyStore', 'nothing']
const elementNames = [...connectionNames, 'theServer', 'theBuilder', 'theApiSsl', 'broken', '..', 'a/b']
const tokenIdMark = 'TOKEN_ID'

const connection = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...connectionNames, 'broken', 'nowhere') },
  { weight: 1, arbitrary: oddText },
)
const tokenId = fc.constantFrom(tokenIdMark, 'AAAAAAAAAAAAAAAAAAAAAA', `AAAAAAAAAAAAAAAAAAAAAA.${'B'.repeat(43)}`, 'x')
const parameter = fc
  .tuple(
    fc.constantFrom('/tokenwell/local/', '/tokenwell/other/', ''),
    fc.constantFrom(...kinds),
    fc.constantFrom(...elementNames),
  )
  .map(([root, kind, id]) => `${root}${kind}/${id}`)
const secret = fc.constantFrom(
  'tokenwell/local/jwk/theBuilder',
  'tokenwell/local/authorization-server-ca',
  'tokenwell/local/api-ca',
  'tokenwell/local/../../etc/passwd',
  'tokenwell/other/jwk/theBuilder',
  'tokenwell/local/nothing',
)

function event(source: string, types: readonly string[], detail: Record<string, fc.Arbitrary<unknown>>) {
  return mostlyWhole({
    version: fc.constant('0'),
    source: mostly(fc.constant(source)),
    'detail-type': mostly(fc.constantFrom(...types)),
    detail: mostly(mostlyWhole(Object.fromEntries(Object.entries(detail).map(([name, each]) => [name, mostly(each)])))),
    resources: fc.constant([]),
  })
}

const ownTypes = ['TokenRefreshRequested', 'TokenRejected', 'ConnectionChanged', 'TokenRefreshed', 'TokenRefreshFailed']
const someEvent = fc.oneof(
  { weight: 4, arbitrary: event('tokenwell-local', ownTypes, { connection, tokenId }) },
  {
    weight: 2,
    arbitrary: event('tokenwell-local', ['ClearTokenCache', 'ReconcileElements', 'ConnectionRefused'], { connection }),
  },
  {
    weight: 2,
    arbitrary: event('aws.ssm', ['Parameter Store Change'], {
      name: parameter,
      operation: fc.constantFrom('Update', 'Delete'),
    }),
  },
  {
    weight: 2,
    arbitrary: event('aws.secretsmanager', ['Secret Label Updated'], {
      name: secret,
      labelUpdated: fc.constantFrom('AWSCURRENT', 'AWSPENDING'),
    }),
  },
)
const body = fc.oneof(
  { weight: 8, arbitrary: someEvent.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: oddJson },
)

/** The messages of a batch. Some that name a token get the id of a real one. */
export const batch: fc.Arbitrary<(ids: readonly string[]) => readonly Message[]> = fc
  .array(fc.record({ body, attempt: fc.constantFrom('1', '2', '3', '99', 'x', '') }), { minLength: 1, maxLength: 10 })
  .map((messages) => {
    const make = (ids: readonly string[]) =>
      messages.map(({ body: text, attempt }, index) => ({
        id: `message-${index}`,
        body: text.replaceAll(tokenIdMark, ids[index % ids.length] ?? ''),
        attempt,
      }))
    // Shown in the report of a failure.
    return Object.assign(make, { toString: () => JSON.stringify(messages) })
  })

const arn = (name: string) => `arn:aws:secretsmanager:eu-central-1:111122223333:secret:${name}-a1B2c3`
const secretId = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('tokenwell/local/jwk/theBuilder', arn('tokenwell/local/jwk/theBuilder')) },
  { weight: 2, arbitrary: secret },
  { weight: 1, arbitrary: secret.map(arn) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'tokenwell/local/jwk/..',
      'tokenwell/local/jwk/../api-ca',
      `tokenwell/local/jwk/${'x'.repeat(300)}`,
    ),
  },
  { weight: 1, arbitrary: oddText },
)
const version = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('version-1', 'version-2') },
  { weight: 1, arbitrary: fc.constantFrom('../../x', 'x'.repeat(64), 'x'.repeat(65), 'a b') },
)

export const rotationEvent: fc.Arbitrary<unknown> = mostly(
  mostlyWhole({
    Step: mostly(fc.constantFrom(...rotationSteps), 20),
    SecretId: mostly(secretId, 20),
    ClientRequestToken: mostly(version, 20),
    RotationToken: mostly(fc.constant(undefined), 5),
  }),
)
