import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** The files that decide about tokens. */
const mutated = [
  'lib/access-token/*.ts',
  'lib/admission/*.ts',
  'lib/api-call/{forwarded-headers,rejected-token,target-within}.ts',
  'lib/fleet/{connection-record,connection-state,cool-down,cool-downs,kept-warm,lease,record-store,sealing,token-record}.ts',
  'lib/get-token/{attempts,cool-down-names,cool-down-policy,from-fleet,from-server,second-attempt,shared-token,token-cache,token-memory}.ts',
  'lib/signing/assertion.ts',
  'lib/token-endpoint/{answer-without-token,auth-token-answer,auth-token-request,clock-offset,printable-description,request-keys,success-without-token,token-answer,token-request-form}.ts',
  'lib/token-endpoint/grants/!(grant-form).ts',
]

/**
 * Files with new code or new tests for old survivors, that have not been run as a whole since. With `--changed` their survivors are printed, and
 * the run passes.
 */
export const toBeRunAgain: readonly string[] = [
  'lib/fleet/connection-record.ts',
  'lib/fleet/connection-state.ts',
  'lib/fleet/cool-down.ts',
  'lib/fleet/kept-warm.ts',
  'lib/get-token/cool-down-names.ts',
  'lib/get-token/cool-down-policy.ts',
  'lib/get-token/from-fleet.ts',
  'lib/get-token/from-server.ts',
  'lib/get-token/second-attempt.ts',
  'lib/get-token/shared-token.ts',
  'lib/get-token/token-cache.ts',
  'lib/token-endpoint/answer-without-token.ts',
  'lib/token-endpoint/auth-token-answer.ts',
  'lib/token-endpoint/auth-token-request.ts',
  'lib/token-endpoint/printable-description.ts',
  'lib/token-endpoint/request-keys.ts',
  'lib/token-endpoint/success-without-token.ts',
]

/** Tests in virtual time, in one process. A test that starts a server, or draws random values for seconds, may fail by chance. */
const folders = 'test/lib/{access-token,admission,api-call,base,fleet,get-token,signing,token-endpoint}/*.test.ts'
const leftOut =
  /^test\/(support\/(servers|functions|lambda|process\/(fleet|local))|contract\/(due|record|rotating)|lib\/get-token\/(properties|filled-memory)\.test)/

/** Paths from the root at which a test of the file may be. */
export function mutatedFiles(): readonly string[] {
  return globSync(mutated, { cwd: root }).sort()
}

/** How many tests of other folders run a mutant that the tests of its own folder do not kill. */
const maximumFromElsewhere = 2

/** The unit tests that run code of a file: the test of its name, then those of its folder, then others by the number of imports between. */
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

/** Each file of Tokenwell that a file imports, directly or not, and how many imports are between. */
function importsBelow(start: string): ReadonlyMap<string, number> {
  const distances = new Map([[start, 0]])
  for (const [path, distance] of distances)
    for (const next of importsOf(path)) if (!distances.has(next)) distances.set(next, distance + 1)
  return distances
}

const known = new Map<string, readonly string[]>()

/** Without imports of types only, which run nothing. */
function importsOf(path: string): readonly string[] {
  const read = known.get(path)
  if (read) return read
  const text = readFileSync(join(root, path), 'utf8')
  const specifiers = [...text.matchAll(/^(?:import|export)\s(?!type\s)[^'"]*'(\.[^']+\.ts)'/gm)]
  const paths = specifiers.map(([, specifier = '']) => relative(root, join(root, dirname(path), specifier)))
  known.set(path, paths)
  return paths
}
