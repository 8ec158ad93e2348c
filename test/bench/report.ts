import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pictureOf } from './picture.ts'

/** What one bench found. */
export interface Report {
  /** Its heading in the README. */
  readonly title: string
  /** The name of its picture. */
  readonly name: string
  /** How it was measured, and what must be known to read the table. */
  readonly notes: readonly string[]
  readonly table: Table
  /** What was aimed at, as ratios within this run. */
  readonly bars?: readonly Bar[]
  readonly picture: Picture
}

export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export interface Bar {
  readonly what: string
  readonly is: number
  readonly atMost: number
}

/** Lengths side by side. */
export interface Picture {
  readonly unit: string
  readonly lengths: readonly { readonly label: string; readonly value: number; readonly isOurs: boolean }[]
}

const folder = join(import.meta.dirname)
const readmePath = join(folder, 'README.md')

/** The report as it stands in the README. */
export function textOf({ title, name, notes, table, bars = [], picture }: Report): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    `## ${title}`,
    '',
    ...notes,
    '',
    row(table.columns),
    row(table.columns.map(() => '---')),
    ...table.rows.map(row),
    '',
    ...bars.map((bar) => `- ${describe(bar)}`),
    ...(bars.length > 0 ? [''] : []),
    `![${title}, in ${picture.unit}](pictures/${name}.svg)`,
    '',
  ].join('\n')
}

function describe({ what, is, atMost }: Bar): string {
  return `${what}: **${is.toFixed(2)}**, aimed at ${atMost} at most: ${is <= atMost ? 'met' : 'not met'}`
}

/** Puts the report in place of the last one of its title, or after all others, and its picture beside it. */
export function keepReport(report: Report): void {
  const readme = readFileSync(readmePath, 'utf8')
  const sections = readme.split(/^(?=## )/m)
  const index = sections.findIndex((section) => section.startsWith(`## ${report.title}\n`))
  const kept = index < 0 ? [...sections, textOf(report)] : sections.with(index, textOf(report))
  writeFileSync(readmePath, `${kept.map((section) => section.trimEnd()).join('\n\n')}\n`)
  mkdirSync(join(folder, 'pictures'), { recursive: true })
  writeFileSync(join(folder, 'pictures', `${report.name}.svg`), pictureOf(report.title, report.picture))
}
