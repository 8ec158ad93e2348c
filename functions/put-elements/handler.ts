import type { Context } from 'aws-lambda'
import { describeFailure } from '../../lib/base/tokenwell-error.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import {
  applyPlan,
  type ElementPlan,
  type ElementTexts,
  type ElementWriter,
  elementTexts,
  planElements,
} from '../../lib/configuration/element-plan.ts'
import { type ElementStore, ElementStoreError } from '../../lib/configuration/element-store.ts'
import { ConfigurationError, isMistake } from '../../lib/configuration/finding.ts'
import { validateElements } from '../../lib/configuration/inspect-elements.ts'
import { type EventBus, EventBusError } from '../../lib/events/event-bus.ts'
import type { Log } from '../../lib/log/log-event.ts'
import { UnreadableEventError } from '../../lib/renewal/incoming-event.ts'
import { type DeployedElements, type DeploymentRequest, readDeploymentRequest } from './deployment-request.ts'

/** What CloudFormation is told. */
export interface DeploymentAnswer {
  readonly Status: 'SUCCESS' | 'FAILED'
  readonly Reason?: string
  readonly PhysicalResourceId: string
  readonly StackId: string
  readonly RequestId: string
  readonly LogicalResourceId: string
}

interface HandlerDependencies {
  readonly deployment: Deployment
  readonly writer: ElementWriter
  readonly readObject: (place: DeployedElements) => Promise<string>
  readonly readElements: (text: string) => ElementStore
  readonly events: EventBus
  readonly continueLater: (functionName: string, event: object) => Promise<void>
  readonly answers: {
    isOfCloudformation(url: string): boolean
    send(url: string, answer: DeploymentAnswer): Promise<void>
  }
  readonly now: () => number
  readonly log: Log
}

/** Reserved before the function's time-out: for the step that runs, and for the answer or the continuation. */
const reserveMilliseconds = 90_000
/** CloudFormation waits for an hour. Later this function would write against a rollback. */
const longestMilliseconds = 50 * 60_000
/** The answer may have 4 KB. */
const longestReason = 1_500
const shownNames = 50
/** The physical id of a request that has written nothing. When CloudFormation then deletes the resource, nothing is deleted. */
const nothingWritten = 'nothing-written'

/**
 * Writes the elements of a deployment as parameters. CloudFormation invokes it, and for a rollback it invokes it with the elements
 * of the last deployment. If the time of a run is over, the function invokes itself and makes its plan anew.
 */
export function createHandler(dependencies: HandlerDependencies) {
  const { deployment, writer, readObject, readElements, events, continueLater, answers, now, log } = dependencies
  const ownId = `/tokenwell/${deployment.stage}`

  /** @throws {ConfigurationError} with all mistakes */
  async function readChecked(place: DeployedElements): Promise<ElementTexts> {
    const text = await readObject(place)
    const mistakes = (await validateElements(readElements(text), deployment)).filter(isMistake)
    if (mistakes.length > 0) throw new ConfigurationError(mistakes)
    return textsOf(text)
  }

  function leavesAll({ type, physicalId, keepsParameters }: DeploymentRequest): boolean {
    return type === 'Delete' && (keepsParameters || physicalId !== ownId)
  }

  async function planFor(request: DeploymentRequest): Promise<ElementPlan> {
    if (request.type === 'Delete') {
      const written = textsOf(await readObject(request.elements))
      return planElements(new Map(), await writer.readAll(), written.keys())
    }
    const wanted = await readChecked(request.elements)
    const former = request.formerElements ? textsOf(await readObject(request.formerElements)) : new Map()
    const present = await writer.readAll()
    const isNew = request.type === 'Create' && request.startedAt === undefined
    if (isNew && !request.takesOverParameters) demandNone(ownId, wanted, present)
    return planElements(wanted, present, former.keys())
  }

  function tell({ created, changed, deleted, unchanged }: ElementPlan): void {
    const names = [...created, ...changed, ...deleted]
    const counts = { created: created.length, changed: changed.length, deleted: deleted.length, unchanged }
    log({ event: 'elements_planned', ...counts, names: names.slice(0, shownNames).join(' ') })
  }

  /** The functions look for other tokens and publish new keys. Without this event they do so within the hour. */
  async function raiseEvent(): Promise<void> {
    try {
      await events.raise([{ type: 'ReconcileElements' }])
    } catch (error) {
      if (!(error instanceof EventBusError)) throw error
      log({ event: 'event_not_raised', type: 'ReconcileElements', reason: error.message })
    }
  }

  /** @throws {UnreadableEventError} where nobody waits for an answer, or where another server would get it */
  function readRequest(event: object): DeploymentRequest {
    const request = readDeploymentRequest(event)
    if (answers.isOfCloudformation(request.responseUrl)) return request
    const error = new UnreadableEventError(
      'ResponseURL',
      "must be a URL of CloudFormation's bucket for answers, https://cloudformation-custom-resource-response-<region>.s3.<region>.amazonaws.com/..., so nothing was written or sent. Only CloudFormation invokes this function.",
    )
    log({ event: 'elements_not_written', ...describeFailure(error) })
    throw error
  }

  return async function putElements(event: object, context: Context): Promise<void> {
    const request = readRequest(event)
    const startedAt = request.startedAt ?? now()
    const deadline = now() + context.getRemainingTimeInMillis() - reserveMilliseconds
    const isFirstRun = request.type === 'Create' && request.startedAt === undefined
    let physicalId = isFirstRun ? nothingWritten : (request.physicalId ?? ownId)

    async function answer(outcome: Pick<DeploymentAnswer, 'Status' | 'Reason'>): Promise<void> {
      await answers.send(request.responseUrl, { ...request.ids, ...outcome, PhysicalResourceId: physicalId })
    }

    /** @returns whether all is written */
    async function write(plan: ElementPlan): Promise<boolean> {
      tell(plan)
      physicalId = request.physicalId ?? ownId
      const isWritten = await applyPlan(plan, writer, () => now() < deadline)
      if (isWritten && request.type !== 'Delete') await raiseEvent()
      return isWritten
    }

    try {
      if (now() - startedAt > longestMilliseconds) throw tooLong(ownId)
      const isWritten = leavesAll(request) || (await write(await planFor(request)))
      if (!isWritten) return await continueLater(context.invokedFunctionArn, { ...event, startedAt })
    } catch (error) {
      const failure = describeFailure(error)
      log({ event: 'elements_not_written', ...failure })
      return await answer({ Status: 'FAILED', Reason: failure.reason.slice(0, longestReason) })
    }
    log({ event: 'elements_written', milliseconds: now() - startedAt })
    await answer({ Status: 'SUCCESS' })
  }
}

function textsOf(text: string): ElementTexts {
  return elementTexts(JSON.parse(text) as Record<string, object>)
}

/** @throws {ConfigurationError} if one of the parameters exists, so that nothing of anybody else is overwritten or deleted */
function demandNone(root: string, wanted: ElementTexts, present: ElementTexts): void {
  const existing = [...wanted.keys()].filter((name) => present.has(name))
  if (existing.length === 0) return
  const examples = existing.slice(0, 3).map((name) => `${root}/${name}`)
  const sentence = `${existing.length} of the parameters exist already, such as ${examples.join(', ')}. If version 0.1 or 0.2 deployed them, upgrade in two deployments, or CloudFormation deletes them: see infra/operations.md. If you wrote them yourself, or an earlier stage left them, set takeOverParameters and deploy again.`
  throw new ConfigurationError([{ severity: 'mistake', sentence }])
}

function tooLong(root: string): ElementStoreError {
  return new ElementStoreError(
    'elements_throttled',
    `The elements under ${root} were not written within ${longestMilliseconds / 60_000} min, because Parameter Store takes few puts a second. Set its higher throughput, or deploy a part of the elements first.`,
  )
}
