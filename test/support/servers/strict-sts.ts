import type { TestContext } from 'node:test'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { plant } from '../output/canary.ts'
import { type AwsAccount, createAwsAccount, type RoleSession } from './aws-account.ts'
import { AwsRefusal } from './aws-refusal.ts'
import { type AwsCall, type AwsServer, startStrictAwsServer } from './strict-aws-server.ts'
import { type StrictStsIssuer, startStrictStsIssuer } from './strict-sts-issuer.ts'
import {
  readAssumeRole,
  readParameters,
  readWebIdentityToken,
  type WebIdentityRequest,
} from './strict-sts-parameters.ts'

/*
 * AWS STS as far as Tokenwell uses it: AssumeRole and GetWebIdentityToken. Moto has no GetWebIdentityToken, and ministack's token is
 * signed by HS256 with a key that everybody knows.
 *
 * Documented by AWS:
 * - the parameters with their limits, the answer, the error codes and statuses of GetWebIdentityToken
 *   https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
 * - the claims: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html
 * - the condition keys, and that tags need `sts:TagGetWebIdentityToken`:
 *   https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_policies.html
 * - the resource `arn:aws:sts::<account>:self`:
 *   https://docs.aws.amazon.com/service-authorization/latest/reference/list_sts.html
 * - a role that assumes a role gets a session of at most an hour:
 *   https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 * Seen by probes of the real service (github.com/radkawar/stackd, github.com/mahitotsu/gekko_08): the order of the checks, so that a
 * missing right hides that the feature is disabled; `InvalidAction` of the global endpoint; that the default duration counts as
 * `sts:DurationSeconds`; that tag keys are unique without their case; that one audience is a text and several are a list.
 * Assumed: that `lambda_source_function_arn` does not survive the change of the role; that tags beginning with `aws:` are refused; the
 * exact words of messages.
 */

export interface StrictStsOptions {
  /** In milliseconds. */
  readonly now?: () => number
  /** Of the issuer. By default one for `localhost` from a new CA. */
  readonly certificate?: ServerCertificate
  /** By default a new one. Give the same to other services of this account. */
  readonly account?: AwsAccount
}

export interface StrictSts extends AwsServer {
  readonly account: AwsAccount
  readonly issuer: StrictStsIssuer
  /** As `aws iam enable-outbound-web-identity-federation` and its opposite do. It is enabled at the start. */
  setFederation(enabled: boolean): void
  /** The tokens that it has issued, with what was asked for. */
  readonly issued: readonly IssuedToken[]
}

export interface IssuedToken extends WebIdentityRequest {
  readonly roleArn: string
  readonly token: string
}

const longestChainedSeconds = 3600

/** Both servers end with the test. */
export async function startStrictSts(
  t: TestContext,
  { now = Date.now, certificate, account = createAwsAccount({ now }) }: StrictStsOptions = {},
): Promise<StrictSts> {
  const issuer = await startStrictStsIssuer(t, certificate)
  const issued: IssuedToken[] = []
  let enabled = true

  async function carryOut({ operation, request }: AwsCall, session: RoleSession): Promise<string> {
    const parameters = readParameters(request.body.toString())
    if (operation === 'AssumeRole') return assumeRole(parameters, session)
    if (operation === 'GetWebIdentityToken' && request.headers.host !== 'sts.amazonaws.com')
      return await getWebIdentityToken(readWebIdentityToken(parameters), session)
    throw new AwsRefusal('InvalidAction', 'Unknown Operation')
  }

  function assumeRole(parameters: ReadonlyMap<string, string>, caller: RoleSession): string {
    const { roleArn, sessionName, durationSeconds } = readAssumeRole(parameters)
    const role = account.roleOf(roleArn)
    // AWS does not tell a caller whether the role exists.
    if (!role?.trusts?.includes(caller.roleArn))
      throw new AwsRefusal(
        'AccessDenied',
        `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
        403,
      )
    account.authorize(caller, 'sts:AssumeRole', roleArn)
    if (durationSeconds > longestChainedSeconds)
      throw new AwsRefusal(
        'ValidationError',
        'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
      )
    const { credentials, arn, expiresAt } = account.openSession(roleArn, sessionName, durationSeconds)
    return [
      '<Credentials>',
      `<AccessKeyId>${credentials.accessKeyId}</AccessKeyId>`,
      `<SecretAccessKey>${credentials.secretAccessKey}</SecretAccessKey>`,
      `<SessionToken>${credentials.sessionToken}</SessionToken>`,
      `<Expiration>${isoTime(expiresAt)}</Expiration>`,
      '</Credentials>',
      `<AssumedRoleUser><Arn>${arn}</Arn><AssumedRoleId>AROAEXAMPLE:${sessionName}</AssumedRoleId></AssumedRoleUser>`,
    ].join('')
  }

  async function getWebIdentityToken(asked: WebIdentityRequest, session: RoleSession): Promise<string> {
    const self = `arn:aws:sts::${account.accountId}:self`
    const context = contextOf(asked)
    account.authorize(session, 'sts:GetWebIdentityToken', self, context)
    if (Object.keys(asked.tags).length > 0) account.authorize(session, 'sts:TagGetWebIdentityToken', self, context)
    const issuedAt = Math.floor(now() / 1000)
    const expiresAt = issuedAt + asked.durationSeconds
    if (expiresAt * 1000 > session.expiresAt)
      throw new AwsRefusal(
        'SessionDurationEscalationException',
        'The requested token duration would extend the session beyond its original expiration time.',
        403,
      )
    if (!enabled)
      throw new AwsRefusal(
        'OutboundWebIdentityFederationDisabledException',
        'The outbound web identity federation feature is not enabled for this account.',
        403,
      )
    const claims = { ...claimsOf(asked, session), iat: issuedAt, exp: expiresAt }
    const token = await issuer.sign(asked.signingAlgorithm, claims)
    plant(token)
    issued.push({ ...asked, roleArn: session.roleArn, token })
    return `<WebIdentityToken>${token}</WebIdentityToken><Expiration>${isoTime(expiresAt * 1000)}</Expiration>`
  }

  function claimsOf({ audiences, tags }: WebIdentityRequest, { role, roleArn, expiresAt }: RoleSession) {
    const [audience = '', ...others] = audiences
    return {
      aud: others.length > 0 ? [...audiences] : audience,
      sub: roleArn,
      'https://sts.amazonaws.com/': {
        aws_account: account.accountId,
        source_region: account.region,
        principal_id: roleArn,
        original_session_exp: isoTime(expiresAt),
        ...(role.tags && { principal_tags: role.tags }),
        ...(Object.keys(tags).length > 0 && { request_tags: tags }),
      },
    }
  }

  const server = await startStrictAwsServer(t, account, {
    service: 'sts',
    contentType: 'text/xml',
    operationOf: ({ method, body }) => {
      const action = readParameters(body.toString()).get('Action')
      if (method !== 'POST' || action === undefined) throw new AwsRefusal('MissingAction', 'Could not find operation.')
      return action
    },
    carryOut,
    writeResult: (operation, result) =>
      `<${operation}Response xmlns="${namespace}"><${operation}Result>${result}</${operation}Result></${operation}Response>`,
    writeRefusal: ({ code, message, status }, requestId) =>
      `<ErrorResponse xmlns="${namespace}"><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
  })
  return {
    ...server,
    account,
    issuer,
    issued,
    setFederation(value) {
      enabled = value
    },
  }
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html */
function contextOf({ audiences, durationSeconds, signingAlgorithm, tags }: WebIdentityRequest) {
  const requestTags = Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, [value]] as const)
  return {
    'sts:IdentityTokenAudience': audiences,
    'sts:DurationSeconds': [String(durationSeconds)],
    'sts:SigningAlgorithm': [signingAlgorithm],
    ...(requestTags.length > 0 && { 'aws:TagKeys': Object.keys(tags), ...Object.fromEntries(requestTags) }),
  }
}

function isoTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
