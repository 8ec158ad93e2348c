import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { benches } from './benches.ts'
import { keepMachine } from './machine.ts'
import { keepReport, type Report, textOf } from './report.ts'

/*
 * npm run bench: measures this project next to its peers in one run, with one process for each bench, and writes
 * README.md and the pictures. With names it runs only those benches. With --short it only checks that all benches work,
 * and writes nothing. For `hostile` see hostile.ts. Only ratios within one run mean anything, because other work runs
 * on the same machine.
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
  if (!report) throw new Error(`${name} did not finish.`)
  return report
}
