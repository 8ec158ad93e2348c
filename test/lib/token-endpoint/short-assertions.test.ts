import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import {
  type IssueTokenByTestClock,
  type IssueTokenByTestClockOptions,
  startIssueTokenByTestClock,
} from '../../support/functions/issue-token-by-test-clock.ts'
import { tokenAnswer } from '../../support/functions/issue-token-with-scripted-server.ts'

/* An assertion that lives for 10 s, as HelseID wants it, is signed so late that it never comes too late. */

const seconds = 10

interface Stage extends IssueTokenByTestClock {
  /** How long each assertion was still valid when the server got it, in milliseconds. */
  readonly left: readonly number[]
}

/** A server whose answers, or whose connections, take that long. */
async function startStage(
  t: TestContext,
  { takes = 0, ...options }: IssueTokenByTestClockOptions & { readonly takes?: number },
): Promise<Stage> {
  const left: number[] = []
  const stage: IssueTokenByTestClock = await startIssueTokenByTestClock(t, {
    changes: { builder: { expiresInSeconds: seconds }, server: { maximumConcurrency: 1 } },
    ...options,
    answer() {
      const assertion = stage.server.requests.at(-1)?.form.get('client_assertion') ?? ''
      left.push(Number(decodeJwt(assertion).exp) * 1000 - stage.within(0))
      stage.advance(takes)
      return tokenAnswer()
    },
  })
  return { ...stage, left }
}

const request = (scope: string) => ({ caller: 'direct', connection: 'conn', scope: [scope], further: {} })

test('a request that waits for others at a slow server is signed when it has its turn', async (t) => {
  const { getToken, within, left } = await startStage(t, { takes: 6_000 })
  const deadline = within(60_000)
  await Promise.all(['a', 'b', 'c', 'd'].map((scope) => getToken(request(scope), deadline)))
  assert.deepEqual(left, [10_000, 10_000, 10_000, 10_000])
})

test('a request is signed after its connection is open', async (t) => {
  const stage: Stage = await startStage(t, { onConnection: () => stage.advance(11_000) })
  await stage.getToken(request('a'), stage.within(60_000))
  assert.deepEqual(stage.left, [10_000])
})

test('a request is signed after its key was read', async (t) => {
  const { getToken, within, left } = await startStage(t, { secretMilliseconds: 11_000 })
  await getToken(request('a'), within(60_000))
  assert.deepEqual(left, [10_000])
})
