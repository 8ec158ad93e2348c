import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { AccountPrincipal } from 'aws-cdk-lib/aws-iam'
import { Tokenwell } from '../../infra/stack/tokenwell.ts'

/** What the stack is for. */
interface Caller {
  /** The URL of the stage's HTTP API. */
  readonly apiUrl: string
  /** The account of the caller. */
  readonly account: string
  readonly connection: string
}

/** A stack of its own, which imports the stage `prod` and makes a role for a caller of another account. */
export function callerRoleStack({ apiUrl, account, connection }: Caller): { roleArn: string; template: object } {
  const env = { account: '111122223333', region: 'eu-central-1' }
  const stack = new Stack(new App({ analyticsReporting: false }), 'Shop', { env })
  const [httpApiId = ''] = new URL(apiUrl).hostname.split('.')
  const roleName = 'tokenwell-prod-shop'
  Tokenwell.fromAttributes(stack, 'Tokens', { stage: 'prod', httpApiId }).callerRole('Shop', {
    trusted: new AccountPrincipal(account),
    connections: { [connection]: ['token'] },
    roleName,
  })
  return { roleArn: `arn:aws:iam::${env.account}:role/${roleName}`, template: Template.fromStack(stack).toJSON() }
}
