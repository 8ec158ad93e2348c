import { type Failure, failures } from './failures.ts'
import { type Breadth, type Bystander, bystanderNames, bystandersOf, type RequestKind, waitingAt } from './rules.ts'
import type { Aftermath, Load } from './run-cell.ts'

/** The results of one failure with one kind of request. */
export interface Cell {
  readonly failure: Failure
  readonly kind: RequestKind
  readonly aftermath: Aftermath
  readonly load?: Load
}

/** The heading in `test/hostile/README.md`. */
export const heading = 'Cool-downs'

const inWords: Readonly<Record<Breadth, string>> = {
  token: 'the token key',
  variants: "the token key and the caller's other variants",
  connection: 'the connection',
  client: 'the client',
  way: 'the way to the endpoint',
  endpoint: 'the token endpoint',
}
/** The requests that do not wait. */
const beyond: Readonly<Record<Breadth, string>> = {
  token: 'everything else',
  variants: 'own requests, variants of other callers, other connections',
  connection: 'other connections',
  client: 'other clients, other endpoints',
  way: 'other ways, other endpoints',
  endpoint: 'other endpoints',
}
const breadths = Object.keys(inWords) as Breadth[]

/** The names of the requests that were refused for a while. */
export function waitingIn({ aftermath }: Cell): readonly Bystander[] {
  return bystanderNames.filter((name) => (aftermath.waited.get(name) ?? 0) > 0)
}

export function rowsOf(cells: readonly Cell[]): string[] {
  const rows = new Map<string, RequestKind[]>()
  for (const cell of cells) {
    const row = describe(cell)
    const kinds = rows.get(row) ?? []
    rows.set(row, [...kinds, cell.kind])
  }
  return [
    '| failure | request | what waits | for how long | what does not wait | token requests in ten minutes |',
    '| --- | --- | --- | --- | --- | --- |',
    ...[...rows].map(([row, kinds]) => row.replace('<kinds>', kindsInWords(kinds))),
  ]
}

/** Cells that differ only in the kind of their request are one row. */
function describe(cell: Cell): string {
  const { failure, kind, aftermath } = cell
  const waiting = waitingIn(cell)
  const breadth = breadths.find((each) => waitingAt(each, kind).join() === waiting.join())
  const goingOn = [...bystandersOf(kind).keys()].filter((name) => !waiting.includes(name))
  const who = breadth ? inWords[breadth] : ['the token key', ...waiting].join(', ')
  const seconds = `${aftermath.begun.at(-1)?.seconds ?? 0} s`
  return `| ${failure.name} | <kinds> | ${who} | ${seconds} | ${breadth ? beyond[breadth] : goingOn.join(', ')} | ${requests(cell)} |`
}

function requests({ failure, load }: Cell): string {
  if (load) return `${load.failed}${load.control > 0 ? ` and ${load.control} control requests` : ''}`
  const first = failures.find(({ isFull, ...each }) => isFull && isAlike(each, failure))
  if (!first || first === failure) return 'as with a scope'
  return `as after ${first.name}`
}

function isAlike(one: Omit<Failure, 'isFull'>, other: Failure): boolean {
  return one.evidence === other.evidence && (one.isRepeated ?? false) === (other.isRepeated ?? false)
}

function kindsInWords(kinds: readonly RequestKind[]): string {
  return kinds.map((kind) => (kind === 'confirmed' ? 'scope, and own requests fail' : kind)).join(', ')
}
