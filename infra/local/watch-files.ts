import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileElements, maximumAgeMilliseconds } from '../../lib/adapters/files/file-elements.ts'
import { pendingMark } from '../../lib/adapters/files/file-secrets.ts'
import { secretPrefix } from '../../lib/configuration/deployment.ts'
import { kinds } from '../../lib/configuration/element.ts'
import type { LocalQueue } from './local-queue.ts'
import type { Workspace } from './workspace.ts'

const intervalMilliseconds = 1_000

/** The state of each file or element by name. */
type Snapshot = ReadonlyMap<string, string>

/**
 * Delivers an event for each changed element and secret, in the form of Parameter Store and Secrets Manager.
 * @param prepare called after elements have changed, before their events
 */
export async function watchFiles(
  { elementsPath, secretsFolder, deployment }: Workspace,
  queue: LocalQueue,
  prepare: () => Promise<void>,
) {
  const { stage } = deployment
  await watch(
    () => readElements(elementsPath),
    async (names) => {
      await prepare()
      // Functions may still use elements that they read up to a second ago.
      await pause(maximumAgeMilliseconds)
      for (const name of names) void queue.deliver(parameterChange(`/tokenwell/${stage}/${name}`))
    },
  )
  await watch(
    () => readModificationTimes(secretsFolder),
    async (names) => {
      for (const name of names) void queue.deliver(secretChange(`${secretPrefix({ stage })}${name}`))
    },
  )
}

async function watch(
  read: () => Promise<Snapshot>,
  onChange: (names: readonly string[]) => Promise<void>,
): Promise<void> {
  let before = await read()
  const look = async () => {
    // A file that is only half written is read again at the next interval.
    const after = await read().catch(() => before)
    const names = [...new Set([...before.keys(), ...after.keys()])]
    const changed = names.filter((name) => before.get(name) !== after.get(name))
    before = after
    if (changed.length > 0) await onChange(changed)
    setTimeout(() => void look(), intervalMilliseconds).unref()
  }
  setTimeout(() => void look(), intervalMilliseconds).unref()
}

async function readElements(path: string): Promise<Snapshot> {
  const elements = fileElements(path)
  const references = (
    await Promise.all(kinds.map(async (kind) => (await elements.ids(kind)).map((id) => ({ kind, id }))))
  ).flat()
  const readings = await elements.get(references)
  return new Map(
    references.map(({ kind, id }, index) => [`${kind}/${id}`, JSON.stringify(readings[index]?.attributes)]),
  )
}

async function readModificationTimes(folder: string): Promise<Snapshot> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.includes(pendingMark))
  return new Map(
    await Promise.all(
      files.map(async ({ parentPath, name }): Promise<[string, string]> => {
        const path = join(parentPath, name)
        return [path.slice(folder.length + 1), String((await stat(path)).mtimeMs)]
      }),
    ),
  )
}

function parameterChange(name: string): object {
  const detail = { operation: 'Update', name, type: 'String' }
  return { source: 'aws.ssm', 'detail-type': 'Parameter Store Change', detail }
}

function secretChange(name: string): object {
  const detail = { name, labelUpdated: 'AWSCURRENT', versionId: 'local' }
  return { source: 'aws.secretsmanager', 'detail-type': 'Secret Label Updated', detail }
}
