import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pictureOf } from './picture.ts'

/** The findings of one bench. */
export interface Report {
  /** Its heading in the README. */
  readonly title: string
  /** The name of its picture. */
  readonly name: string
  /** How it was measured, and what a reader must know about the table. */
  readonly notes: readonly string[]
  readonly table: Table
  /** The goals, as ratios within this run. */
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

/** Bars side by side. */
export interface Picture {
  readonly unit: string
  readonly lengths: readonly { readonly label: string; readonly value: number; readonly isOurs: boolean }[]
}

const folder = join(import.meta.dirname)
const readmePath = join(folder, 'README.md')

/** The report as a section of the README. */
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
  return `${what}: **${is.toFixed(2)}**. The goal is at most ${atMost}: ${is <= atMost ? 'met' : 'not met'}.`
}

/** Replaces the section with the same title, or adds one at the end, and writes its picture. */
export function keepReport(report: Report): void {
  const readme = readFileSync(readmePath, 'utf8')
  const sections = readme.split(/^(?=## )/m)
  const index = sections.findIndex((section) => section.startsWith(`## ${report.title}\n`))
  const kept = index < 0 ? [...sections, textOf(report)] : sections.with(index, textOf(report))
  writeFileSync(readmePath, `${kept.map((section) => section.trimEnd()).join('\n\n')}\n`)
  mkdirSync(join(folder, 'pictures'), { recursive: true })
  writeFileSync(join(folder, 'pictures', `${report.name}.svg`), pictureOf(report.title, report.picture))
}
