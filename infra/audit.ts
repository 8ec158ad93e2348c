import { runNpm } from './npm.ts'

/*
 * npm run audit: fails where something high or critical is known against a package that a function may hold. A registry that
 * can't be asked for advisories, as a mirror may not, is said and fails nothing.
 */
const { isContent, output } = runNpm(['audit', '--omit=dev', '--omit=optional', '--audit-level=high', '--json'])
const report = readReport(output)
if (report.auditReportVersion === undefined) {
  console.log(`NOT AUDITED: the registry gives no advisories (${report.message ?? 'no reason given'}).`)
} else {
  const found = Object.values(report.vulnerabilities ?? {})
  for (const { name, severity, range } of found) console.log(`${severity}: ${name} ${range}`)
  console.log(
    `audited: ${found.length} packages with advisories, ${isContent ? 'none' : 'some'} of them high or critical`,
  )
  process.exitCode = isContent ? 0 : 1
}

interface Report {
  readonly auditReportVersion?: number
  readonly vulnerabilities?: Readonly<Record<string, { name: string; severity: string; range: string }>>
  readonly message?: string
}

function readReport(text: string): Report {
  try {
    return JSON.parse(text) as Report
  } catch {
    return { message: text.trim() }
  }
}
