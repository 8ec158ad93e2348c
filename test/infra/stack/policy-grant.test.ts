import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type App, Stack } from 'aws-cdk-lib'
import {
  AccountPrincipal,
  AnyPrincipal,
  ArnPrincipal,
  FederatedPrincipal,
  type IGrantable,
  OrganizationPrincipal,
  Role,
  ServicePrincipal,
  User,
} from 'aws-cdk-lib/aws-iam'
import { Tokenwell } from '../../../infra/stack/tokenwell.ts'
import { createTestStack, theUrl } from './test-stack.ts'

/* A grant that would have no effect on AWS is an error at synthesis, which names the way. */

const here = '111122223333'
const elsewhere = '444455556666'
const grants = ['grantToken', 'grantCall', 'grantEvents'] as const
const lead = 'The grant would have no effect: '
const wayOfRoutes =
  'HTTP APIs have no resource policy. Make a role that the principal may assume, with callerRole: infra/README.md#callers-of-other-accounts.'
const wayOfEvents = 'Allow the principal events:PutEvents in the policy of the event bus and in its own account.'

test('principals that have no policy of their own are not granted', (t) => {
  const { tokenwell } = createTestStack(t)
  const principals: [string, IGrantable][] = [
    [`AccountPrincipal(${elsewhere})`, new AccountPrincipal(elsewhere)],
    [`AccountPrincipal(${here})`, new AccountPrincipal(here)],
    [`ArnPrincipal(arn:aws:iam::${elsewhere}:role/x)`, new ArnPrincipal(`arn:aws:iam::${elsewhere}:role/x`)],
    [`ArnPrincipal(arn:aws:iam::${here}:role/x)`, new ArnPrincipal(`arn:aws:iam::${here}:role/x`)],
    ['OrganizationPrincipal(o-1234567890)', new OrganizationPrincipal('o-1234567890')],
    ['AnyPrincipal()', new AnyPrincipal()],
    ['ServicePrincipal(apigateway.amazonaws.com)', new ServicePrincipal('apigateway.amazonaws.com')],
    ['FederatedPrincipal(accounts.google.com)', new FederatedPrincipal('accounts.google.com', {})],
  ]
  for (const [name, principal] of principals)
    for (const grant of grants) {
      const way = grant === 'grantEvents' ? wayOfEvents : wayOfRoutes
      const message = `${lead}${name} has no policy that could contain it. ${way}`
      assert.throws(() => granting(tokenwell, grant)(principal), { message }, `${grant} ${name}`)
    }
})

test('a role of another account is not granted, whether this app creates or imports it', (t) => {
  const { app, stack, tokenwell } = stageOfAccount(t)
  const other = new Stack(app, 'Other', { env: { account: elsewhere, region: 'eu-central-1' } })
  const created = new Role(other, 'Created', { assumedBy: new AccountPrincipal(elsewhere) })
  const imported = Role.fromRoleArn(stack, 'Imported', `arn:aws:iam::${elsewhere}:role/x`)
  for (const [name, role] of [
    ['Other/Created', created],
    ['Stage/Imported', imported],
  ] as const)
    for (const grant of grants) {
      const way = grant === 'grantEvents' ? wayOfEvents : wayOfRoutes
      const where = `is in the account ${elsewhere}, and the stage is in ${here}`
      const message = `${lead}${name} ${where}. ${way}`
      assert.throws(() => granting(tokenwell, grant)(role), { message })
    }
})

test('a role that the app must not change is not granted', (t) => {
  const { stack, tokenwell } = stageOfAccount(t)
  const arn = `arn:aws:iam::${here}:role/x`
  const imported = Role.fromRoleArn(stack, 'Imported', arn, { mutable: false })
  const own = new Role(stack, 'Own', { assumedBy: new AccountPrincipal(here) }).withoutPolicyUpdates()
  for (const role of [imported, own])
    for (const grant of grants)
      assert.throws(
        () => granting(tokenwell, grant)(role),
        /^Error: The grant would have no effect: Stage\/\S+ is a role whose policies this app does not change\. Import it with mutable: true/,
      )
})

test('roles and users of the same account are granted, whether this app creates or imports them', (t) => {
  const { app, stack, tokenwell } = stageOfAccount(t)
  const other = new Stack(app, 'Other', { env: { account: here, region: 'eu-west-1' } })
  const grantees = [
    new Role(other, 'OfOtherStack', { assumedBy: new AccountPrincipal(here) }),
    Role.fromRoleArn(stack, 'Imported', `arn:aws:iam::${here}:role/x`),
    new User(stack, 'User'),
  ]
  for (const grantee of grantees)
    for (const grant of grants) assert.equal(granting(tokenwell, grant)(grantee).success, true)
})

test('without an account of the stack, a role of any account may be one of this account', (t) => {
  const { app, tokenwell } = createTestStack(t)
  const other = new Stack(app, 'Other', { env: { account: elsewhere, region: 'eu-central-1' } })
  const imported = Role.fromRoleArn(other, 'Imported', `arn:aws:iam::${elsewhere}:role/x`)
  assert.equal(tokenwell.grantToken(imported, 'orders').success, true)
})

function granting(tokenwell: Tokenwell, grant: (typeof grants)[number]) {
  return (grantee: IGrantable) =>
    grant === 'grantEvents' ? tokenwell.grantEvents(grantee) : tokenwell[grant](grantee, 'orders')
}

function stageOfAccount(t: TestContext): { app: App; stack: Stack; tokenwell: Tokenwell } {
  const { app } = createTestStack(t)
  const stack = new Stack(app, 'Stage', { env: { account: here, region: 'eu-central-1' } })
  return { app, stack, tokenwell: new Tokenwell(stack, 'Tokens', { stage: 'mine', publicUrl: theUrl }) }
}
