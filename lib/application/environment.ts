import type { LogDetail } from '../adapters/log/powertools.ts'
import { type Deployment, secretPrefix } from '../configuration/deployment.ts'
import type { EarlierRecords } from '../fleet/authentic-records.ts'
import type { ElementsPlace, EventsPlace } from './open-adapters.ts'
import type { DeadLettersPlace } from './open-dead-letters.ts'
import type { PublicationKeyPlace } from './open-publication-key.ts'
import type { CachePlace, CacheSettings, SecretsPlace } from './open-store.ts'
import { complaintsOfVariables } from './unsafe-variables.ts'

export type Variables = Readonly<Record<string, string | undefined>>

/** The settings of a function, from its environment variables. */
export interface Environment {
  readonly deployment: Deployment
  readonly elements: ElementsPlace
  /** With `secrets-manager`, the keys of a keyStore whose location begins with `kms:` are in AWS KMS. Otherwise they are files. */
  readonly secrets: SecretsPlace
  readonly cache: CacheSettings
  readonly earlierRecords: EarlierRecords
  /** How long a token is handed out from memory before the shared cache is read again. */
  readonly memoryMaximumSeconds: number
  readonly events: EventsPlace
  readonly deadLetters: DeadLettersPlace
  /**
   * Where the key for publications is. Functions that sign with keys in KMS read the published keys and verify them with it, so that
   * they need it too.
   */
  readonly publicationKey: PublicationKeyPlace
  readonly logDetail: LogDetail
  /** The ARN of the role for which AWS signs identity tokens of the stage. The role of a connection has its name, `-` and the connection's. */
  readonly identityRole?: string
  /** The claim of a JWT authorizer that lists the caller's connections. Undefined behind IAM. */
  readonly connectionsClaim?: string
  /** The emulator of AWS on this machine that invokes `put-elements` in place of CloudFormation. Undefined in every real account. */
  readonly emulatorOrigin?: string
}

const defaultMemorySeconds = 30
const defaultBudgetMilliseconds = 250
const cacheForm = 'dynamodb:<table>, valkeys://<host>:<port>, memory or memory:<name>'

/** @throws {Error} with the name of every variable that is missing or wrong, and on Lambda of every variable that is unsafe */
export function readEnvironment(variables: Variables): Environment {
  const isLambda = variables['AWS_LAMBDA_FUNCTION_NAME'] !== undefined
  const reader = createVariableReader(variables, isLambda ? complaintsOfVariables(variables) : [])
  const stage = reader.read(
    'TOKENWELL_STAGE',
    (value) => readStage(value),
    'the name of the stage: 1 to 32 letters, digits, _ and -',
    '',
  )
  const publicUrl = reader.read(
    'TOKENWELL_PUBLIC_URL',
    (value) => readUrl(value),
    'the URL at which callers reach Tokenwell',
    '',
  )
  const elementsForm = 'parameter-store, or the path of a JSON file or folder of elements'
  const elements = reader.read('TOKENWELL_ELEMENTS', (value) => readElements(value), elementsForm, nowhere)
  const secretsForm = 'secrets-manager, or the path of the folder of secrets'
  const secrets = reader.read('TOKENWELL_SECRETS', (value) => readSecrets(value), secretsForm, none)
  const place = reader.read('TOKENWELL_CACHE', (value) => readCache(value), cacheForm, inMemory)
  // Without a shared cache, there is nothing to read again.
  const isOwnCache = place.kind === 'memory' && place.name === undefined
  const memoryMaximumSeconds = reader.readNumber(
    'TOKENWELL_MEMORY_SECONDS',
    isOwnCache ? Infinity : defaultMemorySeconds,
  )
  const budgetMilliseconds = reader.readNumber('TOKENWELL_CACHE_BUDGET_MILLISECONDS', defaultBudgetMilliseconds)
  const events = reader.read(
    'TOKENWELL_EVENTS',
    (value) => readEvents(value),
    'eventbridge:<bus> or process, or left out',
    nobody,
  )
  const deadLettersForm = 'sqs:<URL of the queue>, or left out'
  const deadLetters = reader.read(
    'TOKENWELL_DEAD_LETTERS',
    (value) => readDeadLetters(value),
    deadLettersForm,
    noDeadLetters,
  )
  const earlierForm = '0.1 while a deployment of that version is upgraded, or left out'
  const earlierRecords = reader.read(
    'TOKENWELL_READ_RECORDS_OF',
    (value) => readEarlierRecords(value),
    earlierForm,
    noEarlierRecords,
  )
  const publicationKey = reader.read(
    'TOKENWELL_PUBLICATION_KEY',
    (value) => readPublicationKey(value),
    'kms:<key id, ARN or alias>, or the path of a file, or left out',
    noPublicationKey,
  )
  const level = reader.read('TOKENWELL_LOG_LEVEL', (value) => readLogLevel(value), 'info or warn, or left out', 'info')
  const switchForm = 'true or false, or left out'
  const metricsByConnection = reader.read(
    'TOKENWELL_METRICS_BY_CONNECTION',
    (value) => readSwitch(value),
    switchForm,
    true,
  )
  const emulatorForm = 'the origin of an emulator on the loopback address, such as http://localhost:4566, or left out'
  const emulator = reader.read('TOKENWELL_EMULATOR', (value) => readEmulator(value), emulatorForm, noEmulator)
  reader.demandRight()

  const { TOKENWELL_CACHE_SECRET, TOKENWELL_CONNECTIONS_CLAIM, TOKENWELL_IDENTITY_ROLE } = variables
  const secretName = TOKENWELL_CACHE_SECRET || `${secretPrefix({ stage })}cache`
  return {
    deployment: { stage, publicUrl, isLambda, ...(TOKENWELL_CACHE_SECRET && { cacheSecret: secretName }) },
    ...{ elements, secrets, earlierRecords, memoryMaximumSeconds, events, deadLetters, publicationKey },
    cache: { place, secretName, budgetMilliseconds },
    logDetail: { level, metricsByConnection },
    ...(TOKENWELL_IDENTITY_ROLE && { identityRole: TOKENWELL_IDENTITY_ROLE }),
    ...(TOKENWELL_CONNECTIONS_CLAIM && { connectionsClaim: TOKENWELL_CONNECTIONS_CLAIM }),
    ...(emulator.origin !== undefined && { emulatorOrigin: emulator.origin }),
  }
}

function createVariableReader(variables: Variables, first: readonly string[]) {
  const complaints = [...first]

  /**
   * The value of a variable as `readValue` reads it, or `otherwise` if that returns undefined. A missing variable is read as ''.
   */
  function read<T>(name: string, readValue: (value: string) => T | undefined, form: string, otherwise: T): T {
    const value = readValue(variables[name] ?? '')
    if (value === undefined) complaints.push(`${name} must be ${form}`)
    return value ?? otherwise
  }

  return {
    read,
    readNumber(name: string, otherwise: number): number {
      return read(name, (value) => readNumber(value, otherwise), 'a whole number, or left out', otherwise)
    },
    demandRight(): void {
      if (complaints.length > 0) throw new Error(`${complaints.join('; ')}.`)
    },
  }
}

const nowhere: ElementsPlace = { kind: 'parameter_store' }
const none: SecretsPlace = { kind: 'secrets_manager' }
const inMemory: CachePlace = { kind: 'memory' }
const nobody: EventsPlace = { kind: 'none' }
const noEarlierRecords: EarlierRecords = 'none'
const noDeadLetters: DeadLettersPlace = { kind: 'none' }
const noPublicationKey: PublicationKeyPlace = { kind: 'none' }
const noEmulator: { readonly origin?: string } = {}

function readStage(value: string): string | undefined {
  return /^[A-Za-z0-9_-]{1,32}$/.test(value) ? value : undefined
}

function readUrl(value: string): string | undefined {
  return URL.canParse(value) ? value.replace(/\/+$/, '') : undefined
}

function readElements(value: string): ElementsPlace | undefined {
  if (value === 'parameter-store') return { kind: 'parameter_store' }
  return value === '' ? undefined : { kind: 'files', path: value }
}

function readSecrets(value: string): SecretsPlace | undefined {
  if (value === 'secrets-manager') return { kind: 'secrets_manager' }
  return value === '' ? undefined : { kind: 'files', folder: value }
}

function readCache(value: string): CachePlace | undefined {
  if (value === 'memory') return { kind: 'memory' }
  const name = /^memory:([A-Za-z0-9_-]{1,64})$/.exec(value)?.[1]
  if (name !== undefined) return { kind: 'memory', name }
  if (/^(valkey|redis)s?:\/\//.test(value)) return { kind: 'valkey', url: value }
  const tableName = /^dynamodb:([A-Za-z0-9_.-]{3,255})$/.exec(value)?.[1]
  return tableName === undefined ? undefined : { kind: 'dynamodb', tableName }
}

function readEarlierRecords(value: string): EarlierRecords | undefined {
  if (value === '') return noEarlierRecords
  return value === '0.1' ? value : undefined
}

function readEvents(value: string): EventsPlace | undefined {
  if (value === '') return nobody
  if (value === 'process') return { kind: 'process' }
  const busName = /^eventbridge:([A-Za-z0-9_./-]{1,256})$/.exec(value)?.[1]
  return busName === undefined ? undefined : { kind: 'eventbridge', busName }
}

function readPublicationKey(value: string): PublicationKeyPlace | undefined {
  if (value === '') return noPublicationKey
  if (!value.startsWith('kms:')) return { kind: 'file', path: value }
  const keyId = /^kms:([A-Za-z0-9:/_-]{1,2048})$/.exec(value)?.[1]
  return keyId === undefined ? undefined : { kind: 'kms', keyId }
}

function readLogLevel(value: string): LogDetail['level'] | undefined {
  if (value === '') return 'info'
  return value === 'info' || value === 'warn' ? value : undefined
}

/** On by default. */
function readSwitch(value: string): boolean | undefined {
  if (value === '') return true
  return value === 'true' || value === 'false' ? value === 'true' : undefined
}

function readEmulator(value: string): { readonly origin?: string } | undefined {
  if (value === '') return noEmulator
  return /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\]):\d{1,5}$/.test(value) ? { origin: value } : undefined
}

function readNumber(value: string, otherwise: number): number | undefined {
  if (value === '') return otherwise
  return /^\d{1,9}$/.test(value) ? Number(value) : undefined
}

function readDeadLetters(value: string): DeadLettersPlace | undefined {
  if (value === '') return noDeadLetters
  const queueUrl = /^sqs:(https?:\/\/.+)$/.exec(value)?.[1]
  return queueUrl !== undefined && URL.canParse(queueUrl) ? { kind: 'sqs', queueUrl } : undefined
}
