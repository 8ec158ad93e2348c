import {
  AssumeRoleCommand,
  type Credentials,
  GetWebIdentityTokenCommand,
  STSClient,
  type STSClientConfig,
} from '@aws-sdk/client-sts'
import { createSingleFlight } from '../../base/single-flight.ts'
import { identityTags } from '../../configuration/identity-role.ts'
import { Secret } from '../../secret/secret.ts'
import { type WebIdentity, WebIdentityError, type WebIdentityRequest } from '../../signing/web-identity.ts'
import { type AwsTimeouts, awsClientSettings, withinTime } from './aws-client.ts'
import { areCredentialsOver, describeAssumeFailure, describeTokenFailure } from './sts-failure.ts'

export interface StsWebIdentitySettings {
  readonly stage: string
  /** The ARN of the stage's role. The role of a connection has `-` and the name of the connection in addition. */
  readonly identityRole: string
  readonly now: () => number
  readonly timeouts?: AwsTimeouts
}

/** A caller waits, and the token request comes after it. */
const defaultTimeouts: AwsTimeouts = { connect: 1_000, answer: 2_000, total: 4_000 }

/** The maximum for a role that assumes a role. */
const sessionSeconds = 3600
/** Credentials are replaced this long before they end. */
const leastSecondsLeft = 300
/** AWS signs no JWT that outlives its session. This is more than the time of a call and the difference of two clocks. */
const spareSeconds = 60

/** The credentials of a role, and a client with them. */
interface RoleSession {
  readonly client: STSClient
  readonly endsAt: number
}

/** JWTs of AWS STS. Credentials of the roles are kept in this process alone, and JWTs are not kept at all. */
export function stsWebIdentity(settings: StsWebIdentitySettings): WebIdentity {
  const { stage, identityRole, now, timeouts = defaultTimeouts } = settings
  const sessions = new Map<string, RoleSession>()
  const flights = createSingleFlight<RoleSession | undefined>()
  let client: STSClient | undefined
  const connect = () => {
    client ??= new STSClient(clientSettings(timeouts))
    return client
  }

  async function sessionOf(
    role: string,
    { awsWebIdentity, durationSeconds }: WebIdentityRequest,
  ): Promise<RoleSession> {
    const kept = sessions.get(role)
    const secondsLeft = kept ? (kept.endsAt - now()) / 1000 : 0
    if (kept && secondsLeft > Math.max(leastSecondsLeft, durationSeconds + spareSeconds)) return kept
    // Other elements may wait for the same call, and each failure names its own.
    const session = await flights
      .join(role, () => assume(role))
      .catch((error) => {
        throw describeAssumeFailure(error, awsWebIdentity, role)
      })
    if (session) return session
    throw new WebIdentityError(awsWebIdentity, 'AWS STS gave no credentials of the role. Try again later.', passing)
  }

  async function assume(role: string): Promise<RoleSession | undefined> {
    const command = new AssumeRoleCommand({
      RoleArn: role,
      RoleSessionName: `tokenwell-${stage}`,
      DurationSeconds: sessionSeconds,
    })
    const { Credentials: credentials } = await withinTime(timeouts.total, (options) => connect().send(command, options))
    const session = openSession(credentials, timeouts)
    if (session) sessions.set(role, session)
    return session
  }

  async function ask(role: string, request: WebIdentityRequest): Promise<Secret> {
    const { client: ofRole } = await sessionOf(role, request)
    const { awsWebIdentity, audiences, algorithm, durationSeconds } = request
    const command = new GetWebIdentityTokenCommand({
      Audience: [...audiences],
      SigningAlgorithm: algorithm,
      DurationSeconds: durationSeconds,
      Tags: tagsOf(stage, request),
    })
    const { WebIdentityToken: token } = await withinTime(timeouts.total, (options) => ofRole.send(command, options))
    if (token) return new Secret(token)
    throw new WebIdentityError(awsWebIdentity, 'AWS STS answered without a token. Try again later.', passing)
  }

  return {
    async token(request) {
      const role = request.hasOwnRole ? `${identityRole}-${request.connection}` : identityRole
      try {
        return await ask(role, request).catch(async (error) => {
          if (!areCredentialsOver(error)) throw error
          sessions.delete(role)
          return await ask(role, request)
        })
      } catch (error) {
        throw describeTokenFailure(error, request, role)
      }
    },
  }
}

const passing = { isPassing: true }

/** The global endpoint knows no identity tokens. AWS_STS_REGIONAL_ENDPOINTS=legacy would choose it. */
function clientSettings(timeouts: AwsTimeouts): STSClientConfig {
  return { ...awsClientSettings(timeouts), useGlobalEndpoint: false }
}

function openSession(credentials: Credentials | undefined, timeouts: AwsTimeouts): RoleSession | undefined {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = credentials ?? {}
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration) return undefined
  const own = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken }
  return {
    client: new STSClient({ ...clientSettings(timeouts), credentials: own }),
    endsAt: Expiration.getTime(),
  }
}

function tagsOf(stage: string, { connection, tags }: WebIdentityRequest) {
  const all = { ...tags, [identityTags.stage]: stage, [identityTags.connection]: connection }
  return Object.entries(all).map(([Key, Value]) => ({ Key, Value }))
}
