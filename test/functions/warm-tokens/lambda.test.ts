import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { bundleFunction } from '../../../infra/bundle.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { assertCatalogued, linesOf, startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/* The built function as Lambda runs it, and issue-token, whose tokens it keeps warm. */

const folder = await temporaryFolder({ after })
const [issueToken, warmTokens] = [
  await bundleFunction('issue-token', folder),
  await bundleFunction('warm-tokens', folder),
]

/** The token gets stale before the run after the next. */
const soonStale = { server: { maximumLifetimeSeconds: 100 } }

test('a run renews tokens that get stale soon, and a cold instance finds them in the cache', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => exampleElements(issuer, soonStale))
  const environment = { ...(await ground.move(set.workspace)), TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }

  const warm = await startLambdaInstance(t, warmTokens, environment)
  const nothing = await warm.invoke({})
  assert.deepEqual(nothing.answer, { due: 0, renewed: 0, failed: 0, left: 0 })

  const first = await startLambdaInstance(t, issueToken, environment)
  const { answer: issued } = await first.invoke({ connection: 'conn' })
  const { access_token: before } = issued as Readonly<Record<string, unknown>>
  const run = await warm.invoke({})
  assert.deepEqual(run.answer, { due: 1, renewed: 1, failed: 0, left: 0 })
  assert.equal(set.tokenRequests(), 2)

  const cold = await startLambdaInstance(t, issueToken, environment)
  const { answer } = await cold.invoke({ connection: 'conn' })
  const { access_token: token, source } = answer as Readonly<Record<string, unknown>>
  assert.equal(source, 'cache')
  assert.notEqual(token, before)
  assert.equal(set.tokenRequests(), 2)

  const events = assertCatalogued(linesOf(warm), [nothing, run])
  assert.equal(events.at(-1), 'warm_run_ended')
  const metric = linesOf(warm).findLast((line) => line['WarmRenewed'] !== undefined)
  assert.deepEqual([metric?.['WarmRenewed'], metric?.['WarmFailed'], metric?.['WarmLeft']], [1, 0, 0])
  t.diagnostic(
    `init ${Math.round(warm.initMilliseconds)} ms, a run with one renewal ${Math.round(run.milliseconds)} ms`,
  )
})

test('a run that cannot read the due tokens is a function error, which raises an alarm', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const environment = { ...(await ground.move(set.workspace)), TOKENWELL_CACHE: 'dynamodb:no-such-table' }
  const warm = await startLambdaInstance(t, warmTokens, environment)
  await assert.rejects(warm.invoke({}), { type: 'CacheUnavailableError' })
})
