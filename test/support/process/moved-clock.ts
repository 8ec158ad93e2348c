import type { TestContext } from 'node:test'

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
