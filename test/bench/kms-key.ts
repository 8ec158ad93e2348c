import { createApplication, type Ports } from '../../lib/application/application.ts'
import { readEnvironment } from '../../lib/application/environment.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import { RecordStoreError } from '../../lib/fleet/record-store.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createBareWorkspace, environmentOf } from '../support/functions/load-function.ts'
import { startStageKeys } from '../support/servers/stage-keys.ts'
import { someTokenMemory } from '../support/virtual/some-token.ts'
import type { FarEnd } from './far-end.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { measure, type Rounds, type Subject } from './rounds.ts'
import { type CleanUp, createTokenwell } from './tokenwell.ts'

/* The cost of a signature by KMS, beside a key in the process, in a token that is in no cache. */

const algorithm = 'RS256'
const local = 'key in a secret'
const nameAt = (milliseconds: number) => `key in KMS that answers after ${milliseconds} ms`
const latencies = [0, 5]

const none = () => Promise.reject(new RecordStoreError('there is none'))
const withoutCache: Partial<Ports> = {
  store: { read: none, write: none, due: none },
  memory: { ...someTokenMemory(1), get: () => undefined, put() {} },
}

export async function benchKmsKey(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  await farEnd.set({})
  const own = await createTokenwell(t, farEnd, algorithm, withoutCache)
  const { kms, byKms } = await createTokenwellWithKms(t, farEnd)
  const ask = (getToken: typeof own) => getToken({ caller: 'direct', connection: 'conn', further: {} }, later())
  const subjects: Subject[] = [
    { name: local, call: () => ask(own) },
    ...latencies.map((milliseconds) => ({
      name: nameAt(milliseconds),
      async call() {
        kms.answerAfter(milliseconds)
        await ask(byKms)
      },
    })),
  ]
  const rounds: Rounds = { rounds: isShort ? 1 : 20, callsPerRound: isShort ? 5 : 40, isEachTimed: true }
  const figures = await measure(subjects, rounds)

  const of = (name: string) => figures.get(name)?.median ?? Number.NaN
  const names = subjects.map(({ name }) => name)
  return {
    title: 'A new token with a key in KMS',
    name: 'kms-key',
    notes: [
      `Each call runs the whole of \`get-token\` with ${algorithm}, without a cache. There are ${rounds.rounds} rounds of ${rounds.callsPerRound} calls, and each call is timed.`,
      "KMS is a double in the bench's process, without TLS. It checks the request, and signs with a key like the other one.",
      'So the first row for KMS is what the call itself takes: a signed request, a connection that is kept, and the answer.',
      'KMS itself takes longer. The second row shows that its time is added once for each new token. A token that is kept needs no signature.',
    ],
    table: {
      columns: ['', 'median, ms', 'least, ms', 'times the key in a secret'],
      rows: names.map((name) => {
        const { median = Number.NaN, minimum = Number.NaN } = figures.get(name) ?? {}
        return [name, shown(median / 1_000), shown(minimum / 1_000), (median / of(local)).toFixed(2)]
      }),
    },
    picture: {
      unit: 'ms, median',
      lengths: names.map((label) => ({ label, value: of(label) / 1_000, isOurs: label !== local })),
    },
  }
}

const later = () => Date.now() + 25_000

async function createTokenwellWithKms(t: CleanUp, { issuer, certificate }: FarEnd) {
  const keys = await startStageKeys(t)
  keys.kms.pointAlias('alias/tokenwell/local/partner', keys.kms.createKey('RSA_2048'))
  const { jwtBuilder, keyStore, ...elements } = exampleElements(issuer)
  const theBuilder = { issuer: 'theClient', signatureAlgorithm: algorithm, keyStoreRef: 'partner' }
  const partner = { location: 'kms:alias/tokenwell/local/partner' }
  const withKey = { ...elements, jwtBuilder: { theBuilder }, keyStore: { ...keyStore, partner } }
  const workspace = await createBareWorkspace(t, withKey, certificate)
  // The SDK reads them when the first request connects.
  Object.assign(process.env, keys.environment)
  const { kmsKeyService } = await import('../../lib/adapters/aws/kms-key-service.ts')
  const ports = openPorts(readEnvironment(environmentOf(workspace)))
  const keyService = kmsKeyService()
  return { kms: keys.kms, byKms: createApplication({ ...ports, log() {}, ...withoutCache, keyService }).getToken }
}
