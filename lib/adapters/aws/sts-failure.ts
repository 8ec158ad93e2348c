import { identityTags } from '../../configuration/identity-role.ts'
import { WebIdentityError, type WebIdentityRequest } from '../../signing/web-identity.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

/* What AWS STS says. Codes: API reference of GetWebIdentityToken and of AssumeRole, and common errors of AWS STS. */

const passing = { isPassing: true }

/** Whether new credentials of the role may help. */
export function areCredentialsOver(error: unknown): boolean {
  return error instanceof Error && ['ExpiredToken', 'SessionDurationEscalationException'].includes(error.name)
}

/** Only the name of the original is kept. Returns the error itself if no operator can fix it. */
export function describeAssumeFailure(error: unknown, awsWebIdentity: string, role: string): unknown {
  const reason = reasonOfAwsFailure(error)
  if (reason === 'AccessDenied')
    return new WebIdentityError(
      awsWebIdentity,
      `AWS does not let Tokenwell assume the role ${role} (${reason}). The role does not exist, or does not trust the role of this function, which must be allowed sts:AssumeRole on it. Deploy the stage with this element (elements or webIdentities).`,
    )
  return describeCommonFailure(error, awsWebIdentity)
}

/** As above, for a call with the credentials of the role. */
export function describeTokenFailure(error: unknown, request: WebIdentityRequest, role: string): unknown {
  const { awsWebIdentity, audiences, algorithm, durationSeconds } = request
  const reason = reasonOfAwsFailure(error)
  switch (reason) {
    case 'OutboundWebIdentityFederationDisabledException':
      return new WebIdentityError(
        awsWebIdentity,
        `Outbound identity federation is not enabled in this AWS account (${reason}). Run "aws iam enable-outbound-web-identity-federation" once in the account, and wait a few minutes.`,
      )
    case 'AccessDenied': {
      const tags = [...Object.keys(request.tags), ...Object.values(identityTags)].join(', ')
      const audience = audiences.join(', ')
      // AWS does not say which condition of the policy failed.
      return new WebIdentityError(
        awsWebIdentity,
        `AWS denies the role ${role} this token (${reason}). Its policy must allow sts:GetWebIdentityToken for the audience ${audience}, ${algorithm} and ${durationSeconds} s, and sts:TagGetWebIdentityToken for the tags ${tags}. Deploy the stage with this element (elements or webIdentities).`,
      )
    }
    case 'JWTPayloadSizeExceededException':
      return new WebIdentityError(
        awsWebIdentity,
        `The JWT would be larger than AWS allows (${reason}). Take out tags or audiences, or tags of the role.`,
      )
    case 'SessionDurationEscalationException':
      return new WebIdentityError(
        awsWebIdentity,
        `The JWT would live longer than the session of the role ${role} (${reason}). Make durationSeconds smaller.`,
      )
    case 'ValidationError':
    case 'InvalidParameterValue':
      return new WebIdentityError(
        awsWebIdentity,
        `AWS refuses its audience, durationSeconds or tags (${reason}). Compare them with the limits of GetWebIdentityToken.`,
      )
    default:
      return describeCommonFailure(error, awsWebIdentity)
  }
}

function describeCommonFailure(error: unknown, awsWebIdentity: string): unknown {
  const reason = reasonOfAwsFailure(error)
  if (reason === 'InvalidAction')
    return new WebIdentityError(
      awsWebIdentity,
      `This endpoint of AWS STS has no identity tokens (${reason}). They need a regional endpoint: check AWS_REGION and AWS_ENDPOINT_URL_STS.`,
    )
  if (reason === 'RegionDisabledException')
    return new WebIdentityError(
      awsWebIdentity,
      `AWS STS is not active in this region (${reason}). Activate it in the account settings of IAM.`,
    )
  switch (classifyAwsFailure(error)) {
    case 'denied':
      return new WebIdentityError(
        awsWebIdentity,
        `AWS STS does not accept the AWS credentials of Tokenwell (${reason}). Check that this process has credentials, that they are valid, and that its clock is right.`,
      )
    case 'throttled':
      return new WebIdentityError(
        awsWebIdentity,
        `AWS STS throttles requests of this account (${reason}). Try again later.`,
        passing,
      )
    case 'missing':
    case 'unreachable':
      return new WebIdentityError(
        awsWebIdentity,
        `AWS STS gives no answer now (${reason}). Check that its regional endpoint can be reached from this network, and try again later.`,
        passing,
      )
    case undefined:
      return error
  }
}
