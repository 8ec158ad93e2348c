/* Calls that the walk must report, and calls that it must accept. The test puts this file into lib/. */

interface Dependencies {
  readonly read: () => number
  readonly now: () => number
  readonly log: (text: string) => void
}

export function createReader({ read, now }: Dependencies) {
  return {
    ofDependency(): number {
      return read() + now()
    },
  }
}

export function ofMember(dependencies: Dependencies): number {
  dependencies.log('the log may be called')
  return dependencies.read()
}

function createBare(): () => number {
  return () => 1
}

export function ofFactory(): number {
  const bare = createBare()
  return bare()
}

function twice(call: () => number): number {
  return call() + call()
}

export function ofCallbackElsewhere(): number {
  const call = () => 1
  return twice(call)
}

function twiceToo(call: () => number): number {
  return twiceThen(() => call())
}

function twiceThen(call: () => number): number {
  return call() + call()
}

export function ofCallbackAtTheCall(): number {
  return twiceToo(() => 1)
}

interface Port {
  get(): number
}

export const first: Port = {
  get() {
    return 1
  },
}

export const second: Port = {
  get() {
    return 2
  },
}

export function ofUnlistedPort(port: Port): number {
  return port.get()
}

export function ofResult(): number {
  return createBare()()
}

function one(number: number): number {
  return number
}

export async function ofPackages(): Promise<readonly number[]> {
  const { promise, resolve } = Promise.withResolvers<number>()
  resolve(1)
  const other = new Promise<number>((resolveOther) => resolveOther(2))
  return (await Promise.all([promise, other])).map(one)
}
