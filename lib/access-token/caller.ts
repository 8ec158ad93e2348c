/**
 * The name of a caller in quotas, refusals and the audit log: the ARN of an IAM principal without its session, `iss` and `sub` of
 * a JWT or of a client certificate as a JSON list, the alias `c-<connection>` of a direct request, or one of `knownCallers`.
 */
export type Caller = string

export const knownCallers = {
  /** Every caller that invokes a function without an alias, during an upgrade from 0.1: such an event does not name its sender. */
  direct: 'direct',
  /** Every caller on the machine of the local run. */
  local: 'local',
  /** Warm runs, renewals by events, and control requests. */
  tokenwell: 'tokenwell',
} as const satisfies Record<string, Caller>

/**
 * The name of an IAM principal. All sessions of one role are one caller, as each user of the role can choose a session name.
 * @param arn from API Gateway: `arn:aws:sts::<account>:assumed-role/<role>/<session>`, or the ARN of a user
 */
export function iamCaller(arn: string): Caller {
  return arn.replace(/^(arn:[\w-]+:sts::\d+:assumed-role\/[^/]+)\/.*/s, '$1')
}

/**
 * The name of the subject of a JWT that an authorizer has checked. A subject is unique only within its issuer (RFC 7519
 * section 4.1.2).
 */
export function jwtCaller(issuer: string, subject: string): Caller {
  return JSON.stringify([issuer, subject])
}

/**
 * The name of the holder of a client certificate that API Gateway has checked. A subject is unique only within its issuer. The first
 * member tells it from a JWT's name.
 */
export function certificateCaller(issuer: string, subject: string): Caller {
  return JSON.stringify(['certificate', issuer, subject])
}
