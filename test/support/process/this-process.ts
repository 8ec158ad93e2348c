import { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import tls from 'node:tls'

/** Sets environment variables until the test ends. The SDK reads them at a client's first call. */
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

/**
 * Returns a function that moves the clock of this process ahead, by so much more at each call. The test's end restores
 * the clock.
 */
export function startMovedClock(t: TestContext): (milliseconds: number) => void {
  let ahead = 0
  // Not a mock of node:test, because that remembers every call.
  Date.now = () => systemNow() + ahead
  t.after(() => {
    Date.now = systemNow
  })
  return (milliseconds) => {
    ahead += milliseconds
  }
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/

/** From now on this process connects only to this machine. The list holds the other hosts that it tried to reach. */
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

/** Undefined if the target is a path and not a port. */
function hostOf([first, second]: readonly unknown[]): string | undefined {
  // node:net passes arguments that it has already normalized as a list.
  const options: unknown = Array.isArray(first) ? first[0] : first
  if (typeof options !== 'object' || options === null) return typeof second === 'string' ? second : 'localhost'
  const { host = 'localhost', path } = options as { readonly host?: string; readonly path?: string }
  return typeof path === 'string' ? undefined : host
}

/**
 * Has the effect of `NODE_OPTIONS=--tls-min-v1.0 --tls-cipher-list=...`: until the test ends, this process also speaks
 * TLS 1.0 and 1.1 by default.
 */
export function allowOldTls(t: Pick<TestContext, 'after'>): void {
  const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls
  Object.assign(tls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT@SECLEVEL=0' })
  t.after(() => Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS }))
}
