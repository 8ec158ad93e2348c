import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { benches } from './benches.ts'
import { keepMachine } from './machine.ts'
import { keepReport, type Report, textOf } from './report.ts'

/*
 * npm run bench: this project beside its peers, in one run, one process a bench; writes README.md and the pictures. With names,
 * these alone; with --short only to see that all works, writing nothing. With `hostile`: see hostile.ts. Only ratios within one run
 * mean anything: machines are shared.
 */
const words = process.argv.slice(2)
const isShort = words.includes('--short')
const names = words.filter((word) => word !== '--short')

if (names[0] === 'hostile') {
  const { benchHostile } = await import('./hostile.ts')
  await benchHostile(names[1])
  process.exit()
}

for (const name of names)
  if (!(name in benches)) throw new Error(`There is no bench ${name}: there are ${Object.keys(benches).join(', ')}.`)

for (const name of names.length > 0 ? names : Object.keys(benches)) {
  const report = await run(name)
  console.log(textOf(report))
  if (!isShort) keepReport(report)
}
if (!isShort) keepMachine()

async function run(name: string): Promise<Report> {
  const child = fork(join(import.meta.dirname, 'bench-process.ts'), [name, isShort ? 'short' : 'long'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let report: Report | undefined
  child.on('message', (message: Report) => {
    report = message
  })
  await once(child, 'exit')
  if (!report) throw new Error(`${name} came to no end.`)
  return report
}
