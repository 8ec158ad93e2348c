import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context } from 'aws-lambda'
import type { DeployedElements } from '../../../functions/put-elements/deployment-request.ts'
import { createHandler, type DeploymentAnswer } from '../../../functions/put-elements/handler.ts'
import { textElements } from '../../../lib/adapters/files/file-elements.ts'
import { elementTexts } from '../../../lib/configuration/element-plan.ts'
import { ElementStoreError } from '../../../lib/configuration/element-store.ts'
import { EventBusError } from '../../../lib/events/event-bus.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { UnreadableEventError } from '../../../lib/renewal/incoming-event.ts'
import { exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements, withoutUndefined } from '../../support/elements/elements.ts'

/* The function as CloudFormation invokes it, with a Parameter Store that can fail, and files of elements by their key. */

const ownId = '/tokenwell/local'
const minute = 60_000

const first = withoutUndefined(exampleElements(exampleIssuer))
const second = changedTo('b')
const files: Readonly<Record<string, RawElements>> = {
  first,
  second,
  mistaken: { ...first, endpointConnection: { conn: { authenticationConfigRef: 'nowhere' } } },
  many: { ...first, authData: usersOf(200) },
}

function changedTo(scope: string): RawElements {
  const { oAuthConfig = {}, endpointConnection = {}, ...others } = first
  const [config] = Object.values(oAuthConfig)
  const [connection] = Object.values(endpointConnection)
  return {
    ...others,
    oAuthConfig: { another: { ...config, scope } },
    endpointConnection: { conn: { ...connection, authenticationConfigRef: 'another' } },
  }
}

function usersOf(count: number): Record<string, Record<string, unknown>> {
  const user = { user: 'the-user', passwordSecret: 'tokenwell/local/password' }
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`user${index}`, user]))
}

function startStage() {
  const parameters = new Map<string, string>()
  const log: LogEvent[] = []
  const answers: DeploymentAnswer[] = []
  const continued: { readonly functionName: string; readonly event: object }[] = []
  const raised: string[] = []
  let [time, millisecondsForPut] = [0, 0]
  let failure: Error | undefined
  let [isBusDown, putsUntilFailure] = [false, Infinity]

  const handler = createHandler({
    deployment: localDeployment,
    writer: {
      readAll: async () => new Map(parameters),
      async put(name, text) {
        if (failure && putsUntilFailure-- <= 0) throw failure
        time += millisecondsForPut
        parameters.set(name, text)
      },
      async remove(names) {
        for (const name of names) parameters.delete(name)
      },
    },
    async readObject({ key }: DeployedElements) {
      const elements = files[key]
      if (!elements) throw new ElementStoreError('elements_denied', `There is no file ${key}.`)
      return JSON.stringify(elements)
    },
    readElements: textElements,
    events: {
      isHeard: true,
      async raise(events) {
        if (isBusDown) throw new EventBusError('The bus is down.')
        raised.push(...events.map(({ type }) => type))
      },
    },
    continueLater: async (functionName, event) => void continued.push({ functionName, event }),
    answers: {
      isOfCloudformation: (url) => url === 'https://cloudformation.example/answer',
      async send(_url, answer) {
        answers.push(answer)
      },
    },
    now: () => time,
    log: (event) => void log.push(event),
  })

  const context = {
    invokedFunctionArn: 'arn:of:itself',
    getRemainingTimeInMillis: () => 15 * minute,
  } as Context
  const ids = { StackId: 'stack', RequestId: 'request', LogicalResourceId: 'resource' }

  /** CloudFormation's event. Returns its answer, or undefined if the function will continue. */
  async function request(RequestType: string, key: string, more: object = {}, properties: object = {}) {
    const ResourceProperties = { bucket: 'assets', key, keepsParameters: 'false', takesOverParameters: 'false' }
    const event = {
      ...{ RequestType, ...ids, ResponseURL: 'https://cloudformation.example/answer' },
      ResourceProperties: { ...ResourceProperties, ...properties },
      ...more,
    }
    await handler(event, context)
    return answers.pop()
  }

  return {
    ...{ parameters, log, continued, raised, request },
    unread: () => answers,
    create: (key: string, properties?: object) => request('Create', key, {}, properties),
    update: (key: string, from: string) =>
      request('Update', key, { PhysicalResourceId: ownId, OldResourceProperties: { bucket: 'assets', key: from } }),
    remove: (key: string, PhysicalResourceId = ownId, properties?: object) =>
      request('Delete', key, { PhysicalResourceId }, properties),
    async resume() {
      const { functionName, event } = continued.pop() ?? assert.fail('it does not continue')
      assert.equal(functionName, 'arn:of:itself')
      await handler(event, context)
      return answers.pop()
    },
    slowDown(milliseconds: number) {
      millisecondsForPut = milliseconds
    },
    fail(error: Error, afterPuts: number) {
      failure = error
      putsUntilFailure = afterPuts
    },
    mend() {
      failure = undefined
    },
    stopBus() {
      isBusDown = true
    },
  }
}

function parametersOf(elements: RawElements = {}): Map<string, string> {
  return new Map(elementTexts(elements))
}

test('a first deployment writes all elements and raises one event for all of them', async () => {
  const stage = startStage()
  const answer = await stage.create('first')
  assert.deepEqual(answer, {
    Status: 'SUCCESS',
    PhysicalResourceId: ownId,
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'resource',
  })
  assert.deepEqual(stage.parameters, parametersOf(first))
  assert.deepEqual(stage.raised, ['ReconcileElements'])
  const [planned, written] = stage.log
  assert.ok(planned?.event === 'elements_planned' && planned.created === stage.parameters.size)
  assert.match(planned.names, /endpointConnection\/conn/)
  assert.equal(written?.event, 'elements_written')
})

test('an update writes what differs, deletes what is gone, and leaves the parameters of others alone', async () => {
  const stage = startStage()
  await stage.create('first')
  stage.parameters.set('endpointConnection/byHand', '{}')
  assert.equal((await stage.update('second', 'first'))?.Status, 'SUCCESS')
  assert.deepEqual(
    stage.parameters,
    parametersOf({ ...second, endpointConnection: { ...second['endpointConnection'], byHand: {} } }),
  )
  const planned = stage.log.findLast((each) => each.event === 'elements_planned')
  assert.deepEqual([planned?.created, planned?.changed, planned?.deleted], [1, 1, 1])
})

test('a rollback is an update to the elements of the last deployment, and restores them', async () => {
  const stage = startStage()
  await stage.create('first')
  stage.fail(new ElementStoreError('elements_throttled', 'Parameter Store throttles requests.'), 1)
  const failed = await stage.update('second', 'first')
  assert.deepEqual([failed?.Status, failed?.Reason], ['FAILED', 'Parameter Store throttles requests.'])
  assert.equal(stage.log.at(-1)?.event, 'elements_not_written')
  assert.notDeepEqual(stage.parameters, parametersOf(first))
  stage.mend()
  assert.equal((await stage.update('first', 'second'))?.Status, 'SUCCESS')
  assert.deepEqual(stage.parameters, parametersOf(first))
})

test('elements with a mistake are refused, and nothing is written', async () => {
  const stage = startStage()
  await stage.create('first')
  const answer = await stage.update('mistaken', 'first')
  assert.equal(answer?.Status, 'FAILED')
  assert.match(String(answer?.Reason), /endpointConnection\/conn authenticationConfigRef: .*nowhere/)
  assert.deepEqual(stage.parameters, parametersOf(first))
})

test('a first deployment refuses parameters that exist, and its rollback deletes none of them', async () => {
  const stage = startStage()
  for (const [name, text] of parametersOf(first)) stage.parameters.set(name, text)
  const answer = await stage.create('second')
  assert.equal(answer?.Status, 'FAILED')
  assert.match(String(answer?.Reason), /^\d of the parameters exist already, such as \/tokenwell\/local\/\w+\/\w+, /)
  assert.match(String(answer?.Reason), /set takeOverParameters/)
  assert.equal((await stage.remove('second', answer?.PhysicalResourceId))?.Status, 'SUCCESS')
  assert.deepEqual(stage.parameters, parametersOf(first))
})

test('parameters that are taken over are not deleted by a rollback', async () => {
  const stage = startStage()
  for (const [name, text] of parametersOf(first)) stage.parameters.set(name, text)
  const properties = { takesOverParameters: 'true', keepsParameters: 'true' }
  const answer = await stage.create('first', properties)
  assert.equal(answer?.Status, 'SUCCESS')
  assert.equal((await stage.remove('first', answer?.PhysicalResourceId, properties))?.Status, 'SUCCESS')
  assert.deepEqual(stage.parameters, parametersOf(first))
})

test('when the stack is deleted, its parameters are deleted, and those of others stay', async () => {
  const stage = startStage()
  await stage.create('first')
  stage.parameters.set('endpointConnection/byHand', '{}')
  assert.equal((await stage.remove('first'))?.Status, 'SUCCESS')
  assert.deepEqual([...stage.parameters.keys()], ['endpointConnection/byHand'])
})

test('a first deployment that fails half-way leaves nothing after its rollback', async () => {
  const stage = startStage()
  stage.fail(new ElementStoreError('elements_denied', 'Denied.'), 3)
  const answer = await stage.create('first')
  assert.equal(answer?.Status, 'FAILED')
  assert.ok(stage.parameters.size > 0)
  await stage.remove('first', answer?.PhysicalResourceId)
  assert.equal(stage.parameters.size, 0)
})

test('work that takes longer than a run continues in another run, which does only the rest', async () => {
  const stage = startStage()
  stage.slowDown(6_000)
  assert.equal(await stage.create('many'), undefined, 'CloudFormation waits')
  const writtenFirst = stage.parameters.size
  assert.ok(writtenFirst > 100 && writtenFirst < 200, String(writtenFirst))
  assert.equal((await stage.resume())?.Status, 'SUCCESS')
  assert.deepEqual(stage.parameters, parametersOf(files['many']))
  const planned = stage.log.filter((each) => each.event === 'elements_planned')
  assert.equal(planned[1]?.created, stage.parameters.size - writtenFirst)
  assert.deepEqual(stage.raised, ['ReconcileElements'])
})

test('work that would take longer than CloudFormation waits fails, so that it does not write against the rollback', async () => {
  const stage = startStage()
  stage.slowDown(60_000)
  let answer = await stage.create('many')
  while (stage.continued.length > 0) answer = await stage.resume()
  assert.equal(answer?.Status, 'FAILED')
  assert.match(String(answer?.Reason), /were not written within 50 min/)
})

test('an event that cannot be raised fails no deployment: the hourly reconciliation does the same', async () => {
  const stage = startStage()
  stage.stopBus()
  assert.equal((await stage.create('first'))?.Status, 'SUCCESS')
  assert.ok(stage.log.some((each) => each.event === 'event_not_raised' && each.reason === 'The bus is down.'))
})

test("an event that names another server than CloudFormation's is refused: nothing is written or sent, and the log says so", async () => {
  const stage = startStage()
  const refused = stage.request('Create', 'first', { ResponseURL: 'https://elsewhere.example/answer?signature=x' })
  await assert.rejects(refused, UnreadableEventError)
  assert.equal(stage.parameters.size, 0)
  const [line, ...more] = stage.log
  assert.ok(line?.event === 'elements_not_written' && line.code === 'unreadable_event')
  assert.match(
    line.reason,
    /^The event cannot be read: ResponseURL must be a URL of CloudFormation's bucket for answers, /,
  )
  assert.doesNotMatch(line.reason, /elsewhere|signature/)
  assert.deepEqual([more, stage.unread()], [[], []])
})

test('an event that is not from CloudFormation is refused', async () => {
  const stage = startStage()
  await assert.rejects(stage.request('Read', 'first'), /RequestType must be Create, Update or Delete/)
  await assert.rejects(stage.request('Create', ''), /key must be a text/)
  await assert.rejects(stage.request('Create', 'first', { ResponseURL: 7 }), /ResponseURL must be a text/)
  await assert.rejects(stage.request('Create', 'first', { ResourceProperties: 'x' }), /ResourceProperties must be an/)
})
