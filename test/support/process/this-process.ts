import { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import tls from 'node:tls'

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

const systemNow = Date.now

/** Sets the clock of this process ahead, by so much more at each call, until the test ends. */
export function startMovedClock(t: TestContext): (milliseconds: number) => void {
  let ahead = 0
  // No mock of node:test, which remembers every call.
  Date.now = () => systemNow() + ahead
  t.after(() => {
    Date.now = systemNow
  })
  return (milliseconds) => {
    ahead += milliseconds
  }
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/

/** From now on this process connects to nothing but itself; where else it wanted to is in the list. */
export function confineToLoopback(): readonly string[] {
  const tried: string[] = []
  const connect = Socket.prototype.connect as (this: Socket, ...words: unknown[]) => Socket
  Socket.prototype.connect = function (this: Socket, ...words: unknown[]): Socket {
    const host = hostOf(words)
    if (host === undefined || loopback.test(host)) return connect.apply(this, words)
    tried.push(host)
    const refusal = Object.assign(new Error(`${host} is not this machine`), { code: 'ECONNREFUSED' })
    process.nextTick(() => this.destroy(refusal))
    return this
  }
  return tried
}

/** Undefined for a path rather than a port. */
function hostOf([first, second]: readonly unknown[]): string | undefined {
  // What node:net has read already it hands on as a list.
  const options: unknown = Array.isArray(first) ? first[0] : first
  if (typeof options !== 'object' || options === null) return typeof second === 'string' ? second : 'localhost'
  const { host = 'localhost', path } = options as { readonly host?: string; readonly path?: string }
  return typeof path === 'string' ? undefined : host
}

/** As `NODE_OPTIONS=--tls-min-v1.0 --tls-cipher-list=...` makes it: by default this process speaks TLS 1.0 and 1.1, too, until the test ends. */
export function allowOldTls(t: Pick<TestContext, 'after'>): void {
  const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls
  Object.assign(tls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT@SECLEVEL=0' })
  t.after(() => Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS }))
}
