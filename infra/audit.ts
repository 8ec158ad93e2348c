import { runNpm } from './npm.ts'

/*
 * npm run audit: looks for advisories about the packages that a function may contain. Its exit code is
 *   0  no advisory of level high or critical
 *   1  an advisory of level high or critical
 *   2  not known: the registry did not answer, or returned no advisories, as some mirrors do
 */
const exitCodes = { clean: 0, found: 1, notAsked: 2 } as const
const { isContent, output } = runNpm(['audit', '--omit=dev', '--omit=optional', '--audit-level=high', '--json'])
const report = readReport(output)
if (report.auditReportVersion === undefined) {
  console.error(
    `NOT AUDITED: the registry returned no advisories (${report.message || 'no reason given'}). Check "npm config get registry" and the network, then run npm run audit again.`,
  )
  process.exitCode = exitCodes.notAsked
} else {
  const found = Object.values(report.vulnerabilities ?? {})
  for (const { name, severity, range } of found) console.log(`${severity}: ${name} ${range}`)
  console.log(
    `audited: ${found.length} packages with advisories, ${isContent ? 'none' : 'some'} of them high or critical`,
  )
  process.exitCode = isContent ? exitCodes.clean : exitCodes.found
}

interface Report {
  readonly auditReportVersion?: number
  readonly vulnerabilities?: Readonly<Record<string, { name: string; severity: string; range: string }>>
  readonly message?: string
}

function readReport(text: string): Report {
  try {
    const report: unknown = JSON.parse(text)
    return typeof report === 'object' && report !== null ? report : {}
  } catch {
    return { message: text.trim() }
  }
}
