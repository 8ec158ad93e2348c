import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** What decides about tokens. */
const mutated = [
  'lib/access-token/*.ts',
  'lib/admission/*.ts',
  'lib/api-call/{forwarded-headers,rejected-token,target-within}.ts',
  'lib/fleet/{connection-record,cool-down,cool-downs,lease,record-store,sealing,token-record}.ts',
  'lib/get-token/{attempts,cool-down-names,cool-down-policy,from-fleet,from-server,second-attempt,token-cache,token-memory}.ts',
  'lib/token-endpoint/{answer-without-token,assertion,clock-offset,printable-description,token-answer,token-request-form}.ts',
]

/** What has survived in them was met with tests, and they have not been run as a whole since: with `--changed` they are told, and pass. */
export const toBeRunAgain: readonly string[] = [
  'lib/get-token/from-fleet.ts',
  'lib/get-token/from-server.ts',
  'lib/get-token/token-cache.ts',
]

/** Tests in virtual time, in this process alone: what starts a server, or draws at random for seconds, may fail by chance. */
const folders = 'test/lib/{access-token,admission,api-call,base,fleet,get-token,token-endpoint}/*.test.ts'
const leftOut =
  /^test\/(support\/(servers|functions|lambda|process\/(fleet|local))|contract\/(due|record|rotating)|lib\/get-token\/(properties|filled-memory)\.test)/

/** By the paths at which they may be looked for, from the root. */
export function mutatedFiles(): readonly string[] {
  return globSync(mutated, { cwd: root }).sort()
}

/** So many tests of other folders run a mutant that those of its own folder leave. */
const maximumFromElsewhere = 2

/** The unit tests that run any of a file: the one of its name, those of its own folder, then some others; the fewest imports away first. */
export function testsOf(file: string): readonly string[] {
  const found = globSync(folders, { cwd: root }).flatMap((test) => {
    const distances = importsBelow(test)
    const distance = distances.get(file)
    const isUnit = ![...distances.keys()].some((path) => leftOut.test(path))
    return distance !== undefined && isUnit ? [{ test, distance }] : []
  })
  const tests = found.sort((a, b) => a.distance - b.distance || (a.test < b.test ? -1 : 1)).map(({ test }) => test)
  const isOwn = (test: string) => dirname(test) === join('test', dirname(file))
  const isNamesake = (test: string) => test === join('test', file.replace(/\.ts$/, '.test.ts'))
  const own = tests.filter(isOwn).sort((a, b) => Number(isNamesake(b)) - Number(isNamesake(a)))
  return [...own, ...tests.filter((test) => !isOwn(test)).slice(0, maximumFromElsewhere)]
}

/** Each file of ours that a file imports, by whatever way, and how many imports it is away. */
function importsBelow(start: string): ReadonlyMap<string, number> {
  const distances = new Map([[start, 0]])
  for (const [path, distance] of distances)
    for (const next of importsOf(path)) if (!distances.has(next)) distances.set(next, distance + 1)
  return distances
}

const known = new Map<string, readonly string[]>()

/** Not those of types alone, which run nothing. */
function importsOf(path: string): readonly string[] {
  const read = known.get(path)
  if (read) return read
  const text = readFileSync(join(root, path), 'utf8')
  const specifiers = [...text.matchAll(/^(?:import|export)\s(?!type\s)[^'"]*'(\.[^']+\.ts)'/gm)]
  const paths = specifiers.map(([, specifier = '']) => relative(root, join(root, dirname(path), specifier)))
  known.set(path, paths)
  return paths
}
