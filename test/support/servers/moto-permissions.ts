/* Moto's permissions. It checks none until a test enables that. Then it checks actions only, and ignores resources. */

/** Moto names an action as the operation of the API. Most have the same name in IAM. */
const operations: Readonly<Record<string, string>> = { 'lambda:InvokeFunction': 'lambda:Invoke' }

/** More than the number of requests in a test. */
const never = 1_000_000

/** Environment variables of a role that is allowed these actions. */
export async function someRole(endpoint: string, actions: readonly string[]): Promise<Record<string, string>> {
  const RoleName = 'the-role'
  const anybody = { Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }
  await call(endpoint, 'iam', { Action: 'CreateRole', RoleName, AssumeRolePolicyDocument: policy(anybody) })
  // IAM rejects a statement without an action.
  const Action = actions.length > 0 ? actions.map((each) => operations[each] ?? each) : ['sts:GetCallerIdentity']
  const PolicyDocument = policy({ Effect: 'Allow', Action, Resource: '*' })
  await call(endpoint, 'iam', { Action: 'PutRolePolicy', RoleName, PolicyName: 'the-policy', PolicyDocument })
  const RoleArn = `arn:aws:iam::123456789012:role/${RoleName}`
  const answer = await call(endpoint, 'sts', { Action: 'AssumeRole', RoleArn, RoleSessionName: 'the-session' })
  const member = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1] ?? ''
  return {
    AWS_ACCESS_KEY_ID: member('AccessKeyId'),
    AWS_SECRET_ACCESS_KEY: member('SecretAccessKey'),
    AWS_SESSION_TOKEN: member('SessionToken'),
  }
}

export async function withPermissionsLookedAt<T>(endpoint: string, run: () => Promise<T>): Promise<T> {
  await lookAfter(endpoint, 0)
  try {
    return await run()
  } finally {
    await lookAfter(endpoint, never)
  }
}

async function lookAfter(endpoint: string, requests: number): Promise<void> {
  const { ok } = await fetch(`${endpoint}/moto-api/reset-auth`, { method: 'POST', body: String(requests) })
  if (!ok) throw new Error('moto did not change how it checks permissions')
}

function policy(statement: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
}

async function call(endpoint: string, service: string, parameters: Record<string, string>): Promise<string> {
  // Moto finds the service in the credential scope of the signature.
  const authorization = `AWS4-HMAC-SHA256 Credential=testing/20261124/us-east-1/${service}/aws4_request`
  const body = new URLSearchParams({ ...parameters, Version: service === 'iam' ? '2010-05-08' : '2011-06-15' })
  const answer = await fetch(endpoint, { method: 'POST', headers: { authorization }, body })
  const said = await answer.text()
  if (!answer.ok) throw new Error(`moto: ${said}`)
  return said
}
