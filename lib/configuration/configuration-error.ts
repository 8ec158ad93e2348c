import { describeFinding, type Finding } from './finding.ts'

/** The elements of a connection can't be used. Its message lists every mistake, one a line. */
export class ConfigurationError extends Error {
  readonly code = 'configuration'
  override readonly name = 'ConfigurationError'
  readonly findings: readonly Finding[]

  constructor(findings: readonly Finding[]) {
    super(findings.map(describeFinding).join('\n'))
    this.findings = findings
  }
}
