import { randomBytes } from 'node:crypto'
import { plant } from '../output/canary.ts'
import { AwsRefusal } from './aws-refusal.ts'
import { isSignedBy, readAwsSignature, type SignedAwsRequest } from './aws-signature.ts'
import { evaluatePolicy, type PolicyStatement, type RequestContext } from './iam-policy.ts'

/* The identities of an AWS account, for servers that check signatures and permissions. */

export interface AwsRole {
  /** As in `/teams/`. `/` if it is left out. */
  readonly path?: string
  readonly name: string
  /** The ARNs of the roles that may assume it. */
  readonly trusts?: readonly string[]
  readonly statements: readonly PolicyStatement[]
  readonly tags?: Readonly<Record<string, string>>
  /** 3600 if it is left out. */
  readonly maxSessionSeconds?: number
}

/** Temporary credentials of a role. */
export interface RoleSession {
  readonly role: AwsRole
  readonly roleArn: string
  /** The ARN of the session, as messages and logs show it. */
  readonly arn: string
  readonly credentials: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken: string
  }
  readonly expiresAt: number
}

export interface AwsAccount {
  readonly accountId: string
  readonly region: string
  /** Adds the role, or replaces the one of its name. Sessions of the former keep their credentials. Returns its ARN. */
  addRole(role: AwsRole): string
  removeRole(arn: string): void
  roleOf(arn: string): AwsRole | undefined
  /** Credentials as Lambda gives them to a function of this role, for 12 hours unless the test says otherwise. */
  openSession(roleArn: string, sessionName: string, seconds?: number): RoleSession
  /**
   * The session whose credentials signed the request for this service.
   * @throws {AwsRefusal} with the codes of AWS's Query services
   */
  authenticate(request: SignedAwsRequest, service: string): RoleSession
  /** @throws {AwsRefusal} `AccessDenied`. AWS does not say which condition failed, and neither does this. */
  authorize(session: RoleSession, action: string, resource: string, context?: RequestContext): void
}

const clockSkewMilliseconds = 5 * 60_000

export interface AwsAccountOptions {
  /** In milliseconds. */
  readonly now?: () => number
  readonly accountId?: string
  readonly region?: string
}

export function createAwsAccount({
  now = Date.now,
  accountId = '123456789012',
  region = 'eu-central-1',
}: AwsAccountOptions = {}): AwsAccount {
  const roles = new Map<string, AwsRole>()
  const sessions = new Map<string, RoleSession>()

  function sessionOf(accessKeyId: string, token: unknown): RoleSession {
    const session = sessions.get(accessKeyId)
    if (!session || session.credentials.sessionToken !== token)
      throw new AwsRefusal('InvalidClientTokenId', 'The security token included in the request is invalid.', 403)
    return session
  }

  return {
    accountId,
    region,
    addRole(role) {
      const arn = `arn:aws:iam::${accountId}:role${role.path ?? '/'}${role.name}`
      roles.set(arn, role)
      return arn
    },
    removeRole: (arn) => void roles.delete(arn),
    roleOf: (arn) => roles.get(arn),
    openSession(roleArn, sessionName, seconds = 12 * 3600) {
      const role = roles.get(roleArn)
      if (!role) throw new Error(`There is no role ${roleArn}.`)
      const session: RoleSession = {
        role,
        roleArn,
        arn: `arn:aws:sts::${accountId}:assumed-role/${role.name}/${sessionName}`,
        credentials: {
          accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
          secretAccessKey: randomBytes(30).toString('base64'),
          sessionToken: randomBytes(48).toString('base64'),
        },
        expiresAt: now() + seconds * 1000,
      }
      plant(session.credentials.secretAccessKey)
      plant(session.credentials.sessionToken)
      sessions.set(session.credentials.accessKeyId, session)
      return session
    },
    authenticate(request, service) {
      const given = readAwsSignature(request)
      if (!given) throw new AwsRefusal('MissingAuthenticationToken', 'Request is missing Authentication Token', 403)
      const session = sessionOf(given.accessKeyId, request.headers['x-amz-security-token'])
      if (given.service !== service || given.region !== region)
        throw new AwsRefusal(
          'SignatureDoesNotMatch',
          `Credential should be scoped to a valid region and to correct service: '${service}'.`,
          403,
        )
      if (!(Math.abs(given.signedAt - now()) <= clockSkewMilliseconds))
        throw new AwsRefusal('SignatureDoesNotMatch', 'Signature expired or not yet current.', 403)
      if (!isSignedBy(session.credentials.secretAccessKey, request, given))
        throw new AwsRefusal(
          'SignatureDoesNotMatch',
          'The request signature we calculated does not match the signature you provided.',
          403,
        )
      if (session.expiresAt <= now())
        throw new AwsRefusal('ExpiredToken', 'The security token included in the request is expired', 403)
      return session
    },
    authorize(session, action, resource, context = {}) {
      // A change of the role's policy is in force for its sessions too.
      const { statements } = roles.get(session.roleArn) ?? { statements: [] }
      const decision = evaluatePolicy(statements, action, resource, context)
      if (decision === 'allowed') return
      const reason =
        decision === 'explicitly denied'
          ? 'with an explicit deny in an identity-based policy'
          : `because no identity-based policy allows the ${action} action`
      throw new AwsRefusal(
        'AccessDenied',
        `User: ${session.arn} is not authorized to perform: ${action} on resource: ${resource} ${reason}`,
        403,
      )
    },
  }
}
