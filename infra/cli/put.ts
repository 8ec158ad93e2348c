import type { Command } from 'commander'
import { defaultAwsTimeouts } from '../../lib/adapters/aws/aws-client.ts'
import type { ParameterStoreWriter } from '../../lib/adapters/aws/parameter-store-writer.ts'
import { TokenwellError } from '../../lib/base/tokenwell-error.ts'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { kinds } from '../../lib/configuration/element.ts'
import { applyPlan, type ElementPlan, type ElementTexts, planElements } from '../../lib/configuration/element-plan.ts'
import { describeFinding, type Finding, isMistake } from '../../lib/configuration/finding.ts'
import { validateElements, withUnreadable } from '../../lib/configuration/inspect-elements.ts'
import { isElementId } from '../../lib/configuration/value-syntax.ts'
import { type EventBus, EventBusError } from '../../lib/events/event-bus.ts'
import { readElements, whyTooLong } from '../stack/element-files.ts'
import { demandRegion } from './aws-region.ts'
import { checkPublicSuffixes } from './public-suffixes.ts'

interface PutOptions {
  readonly stage: string
  readonly publicUrl: string
  readonly dryRun: boolean
  readonly delete: boolean
  readonly takeOver: boolean
  readonly json: boolean
}

/** What the command prints. With `--json` it is printed as it is. */
interface Outcome {
  readonly findings: readonly Finding[]
  readonly plan?: PrintedPlan
  /** Whether the stage now has all elements of the file. */
  readonly written: boolean
  /** Why it does not have them. Absent if the findings say so. */
  readonly failure?: string
  /** Why the functions will not know of a deletion at once. */
  readonly warning?: string
}

interface PrintedPlan extends Pick<ElementPlan, 'created' | 'changed' | 'deleted' | 'unchanged'> {
  /** The elements that are in Parameter Store alone, and stay. */
  readonly kept: readonly string[]
}

/** It differs from the description of a deployment. So the rule of the stack passes on the events about these parameters. */
const description = 'Written by tokenwell put'
const shownNames = 3

/** `tokenwell put`: writes elements to Parameter Store with the credentials of the operator, as a deployment would. */
export function addPut(program: Command): void {
  program
    .command('put')
    .description(
      'Writes elements to Parameter Store. It writes nothing if there is a mistake. The exit code is then 1.',
    )
    .argument('<elements>', 'a JSON file or a folder')
    .requiredOption('--stage <stage>', 'the stage, a part of the names of the parameters')
    .requiredOption('--public-url <url>', "Tokenwell's URL, a part of the default issuer")
    .option('--dry-run', 'prints what it would write, and writes nothing', false)
    .option('--delete', 'also deletes the elements of the stage that are not in the file or folder', false)
    .option('--take-over', 'also changes and deletes parameters that a deployment wrote', false)
    .option('--json', 'prints findings and plan as JSON', false)
    .action(put)
}

async function put(path: string, options: PutOptions, command: Command): Promise<void> {
  const findings = await withUnreadable(() => findAll(path, options))
  if (findings.some(isMistake)) return tell({ findings, written: false }, path, options)
  await demandRegion(command)
  const { parameterStoreWriter } = await import('../../lib/adapters/aws/parameter-store-writer.ts')
  const { eventbridgeBus } = await import('../../lib/adapters/aws/eventbridge-bus.ts')
  const { stage } = options
  const bus = eventbridgeBus({ busName: serviceName(stage), stage, timeouts: defaultAwsTimeouts })
  const outcome = await write(path, options, { writer: parameterStoreWriter({ stage, description }), bus })
  tell({ findings, ...outcome }, path, options)
}

async function findAll(path: string, { stage, publicUrl }: PutOptions): Promise<readonly Finding[]> {
  const { fileElements } = await import('../../lib/adapters/files/file-elements.ts')
  const elements = fileElements(path)
  const deployment = { stage, publicUrl, isLambda: stage !== 'local' }
  const found = [...(await validateElements(elements, deployment)), ...(await checkPublicSuffixes(elements))]
  if (found.some(isMistake)) return found
  const tooLong = readElements(path).flatMap(([name, element]) => whyTooLong(name, element) ?? [])
  return [...found, ...tooLong.map((sentence): Finding => ({ severity: 'mistake', sentence }))]
}

async function write(
  path: string,
  options: PutOptions,
  { writer, bus }: { readonly writer: ParameterStoreWriter; readonly bus: EventBus },
): Promise<Omit<Outcome, 'findings'>> {
  const root = `/tokenwell/${options.stage}`
  let printed: PrintedPlan | undefined
  let done = 0
  try {
    const wanted = new Map(readElements(path).map(([name, element]) => [name, JSON.stringify(element)]))
    const present = await writer.readAll()
    const extra = extraElements(wanted, present)
    const plan = planElements(wanted, present, options.delete ? extra : [])
    printed = printedPlan(plan, options.delete ? [] : extra)

    const owned = await writer.deployed([...plan.changed, ...plan.deleted])
    if (owned.length > 0 && !options.takeOver) return { plan: printed, written: false, failure: whyNotOwn(root, owned) }
    if (options.dryRun) return { plan: printed, written: false }
    await applyPlan(
      plan,
      counting(writer, (count) => (done += count)),
      () => true,
    )
    const isDeletionHidden = plan.deleted.some((name) => owned.includes(name))
    const warning = isDeletionHidden ? await tellFunctions(bus, options.stage) : undefined
    return { plan: printed, written: true, ...(warning !== undefined && { warning }) }
  } catch (error) {
    const failure = [describeWriteFailure(error, root), ...(done > 0 ? [progress(done)] : [])].join(' ')
    return { ...(printed && { plan: printed }), written: false, failure }
  }
}

/**
 * Parameter Store's event about a deletion has the description of the parameter. So the rule of the stack leaves out the deletion of a
 * parameter that a deployment wrote.
 * @returns why the functions will not know of it at once
 */
async function tellFunctions(bus: EventBus, stage: string): Promise<string | undefined> {
  try {
    await bus.raise([{ type: 'ReconcileElements' }])
    return undefined
  } catch (error) {
    if (!(error instanceof EventBusError)) throw error
    return `The deleted elements may stay in use for up to an hour, because the event ReconcileElements was not put on the bus ${serviceName(stage)}: ${error.reason} To end them now, put this event.`
  }
}

/** The elements that only the stage has. A parameter with another name is no element, and is left alone. */
function extraElements(wanted: ElementTexts, present: ElementTexts): string[] {
  return [...present.keys()].filter((name) => {
    const [kind, id = '', ...more] = name.split('/')
    return !wanted.has(name) && kinds.some((known) => known === kind) && isElementId(id) && more.length === 0
  })
}

function printedPlan({ created, changed, deleted, unchanged }: ElementPlan, kept: readonly string[]): PrintedPlan {
  return { created, changed, deleted, unchanged, kept }
}

/** The same writer. It tells how many elements each call has written or deleted. */
function counting(writer: ParameterStoreWriter, count: (elements: number) => void): ParameterStoreWriter {
  return {
    ...writer,
    async put(name, text) {
      await writer.put(name, text)
      count(1)
    },
    async remove(names) {
      await writer.remove(names)
      count(names.length)
    },
  }
}

function whyNotOwn(root: string, owned: readonly string[]): string {
  const examples = owned.slice(0, shownNames).map((name) => `${root}/${name}`)
  return `A deployment wrote ${owned.length} of the parameters to change or delete, such as ${examples.join(', ')}. Nothing was written. Change the elements of the deployment, and deploy again. If no deployment has them any more, add --take-over.`
}

function progress(done: number): string {
  return `${done} of the elements are written or deleted. Repeat the command to do the rest.`
}

/** Only the name of the SDK's error is shown, because its message may quote an element. */
function describeWriteFailure(error: unknown, root: string): string {
  if (error instanceof TokenwellError) return error.reason
  if (!(error instanceof Error && '$metadata' in error)) throw error
  return `Parameter Store refused a request about ${root} (${error.name}). The AWS documentation of Parameter Store explains this error.`
}

function tell(outcome: Outcome, path: string, options: PutOptions): void {
  if (outcome.findings.some(isMistake) || outcome.failure !== undefined) process.exitCode = 1
  if (options.json) console.log(JSON.stringify(outcome, undefined, 2))
  else printLines(outcome, path, options)
}

function printLines({ findings, plan, written, failure, warning }: Outcome, path: string, { stage }: PutOptions): void {
  for (const finding of findings) console.log(`${finding.severity.padEnd(8)} ${describeFinding(finding)}`)
  if (plan) for (const line of planLines(plan, path, stage)) console.log(line)
  if (warning !== undefined) console.error(warning)
  if (failure !== undefined) console.error(failure)
  else if (findings.some(isMistake)) console.log(`${path} has mistakes, so nothing was written.`)
  else console.log(written ? 'All elements are written.' : 'Nothing was written, because of --dry-run.')
}

function planLines({ created, changed, deleted, unchanged, kept }: PrintedPlan, path: string, stage: string): string[] {
  return [
    ...created.map((name) => `add      ${name}`),
    ...changed.map((name) => `change   ${name}`),
    ...deleted.map((name) => `delete   ${name}`),
    ...kept.map((name) => `keep     ${name}: it is not in ${path}. To delete it, add --delete.`),
    `/tokenwell/${stage}: to add: ${created.length}, to change: ${changed.length}, to delete: ${deleted.length}, unchanged: ${unchanged}, kept: ${kept.length}`,
  ]
}
