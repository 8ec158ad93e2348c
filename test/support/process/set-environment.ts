import type { TestContext } from 'node:test'

/** Sets environment variables until the test is over: the SDK reads them at a client's first call. */
export function setEnvironment(t: Pick<TestContext, 'after'>, environment: Readonly<Record<string, string>>): void {
  const before = { ...process.env }
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  Object.assign(process.env, environment)
  t.after(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  })
}
