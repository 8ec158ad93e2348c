import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Family } from './behaviour.ts'
import type { TenMinutes } from './ten-minutes.ts'

export const readmePath = join(import.meta.dirname, 'README.md')
export const besideOthers = 'Beside other clients'

export function tableOf({ behaviours }: Family, tenMinutes: ReadonlyMap<string, TenMinutes>): string[] {
  return [
    '| behaviour | first caller gets | requests | waits at most | next caller gets | requests for both | requests in ten minutes | reason in the log |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...behaviours.map(({ name, outcome, requests, atMostSeconds, again, requestsInAll }) => {
      const { requests: inTenMinutes = 0, told } = tenMinutes.get(name) ?? {}
      const cells = [
        cell(name),
        outcome,
        requests,
        `${atMostSeconds} s`,
        again,
        requestsInAll,
        inTenMinutes,
        cell(short(told)),
      ]
      return `| ${cells.join(' | ')} |`
    }),
  ]
}

const mostCharacters = 200
/** Which of these codes an error has depends on microseconds. */
const hangUps = /\b(ECONNRESET|EPIPE|UND_ERR_SOCKET|ECONNABORTED)\b/g

function short(told = ''): string {
  const text = told.replaceAll(hangUps, 'ECONNRESET').replace(/is \d+ s (ahead|behind)/, 'is far $1')
  return text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters - 3).trimEnd()}...`
}

/** Escapes a text for a cell of a table. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

/** The rows below that heading of the README. */
export function rowsBelow(heading: string): string[] {
  return splitBelow(heading).rows
}

/** The README with these rows below that heading, in place of its own. */
export function withRowsBelow(heading: string, rows: readonly string[]): string {
  const { before, after } = splitBelow(heading)
  return [...before, ...rows, ...after].join('\n')
}

function splitBelow(heading: string): { before: string[]; rows: string[]; after: string[] } {
  const lines = readFileSync(readmePath, 'utf8').split('\n')
  const start = lines.indexOf(`## ${heading}`)
  if (start < 0) throw new Error(`The README has no heading ${heading}.`)
  const next = lines.findIndex((line, index) => index > start && line.startsWith('## '))
  const end = next < 0 ? lines.length : next
  const isRow = (line: string, index: number) => index > start && index < end && line.startsWith('|')
  const from = lines.findIndex(isRow)
  const until = lines.findLastIndex(isRow) + 1
  if (from < 0) return { before: [...lines.slice(0, start + 1), ''], rows: [], after: lines.slice(start + 1) }
  return { before: lines.slice(0, from), rows: lines.slice(from, until), after: lines.slice(until) }
}
