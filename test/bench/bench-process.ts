import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { benches } from './benches.ts'
import { startFarEnd } from './far-end.ts'

/*
 * One bench in its own process, with the far end in another one. Its standard output, where functions log, is
 * discarded. It sends its report to the parent.
 */

const [name = '', length] = process.argv.slice(2)
const load = benches[name]
if (!load) throw new Error(`There is no bench ${name}.`)
process.env['POWERTOOLS_LOG_LEVEL'] = 'SILENT'
process.env['POWERTOOLS_METRICS_DISABLED'] = 'true'
const bench = await load()

const cleanUps: (() => unknown)[] = []
const farEnd = await startFarEnd()
cleanUps.push(() => farEnd.close())
// For peers that accept no certificate of their own.
setDefaultCACertificates([...getCACertificates('default'), farEnd.certificate.caCertificate])
try {
  const report = await bench(
    { after: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) },
    farEnd,
    length === 'short',
  )
  process.send?.(report)
} finally {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  process.disconnect?.()
}
