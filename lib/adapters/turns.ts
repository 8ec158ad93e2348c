/** So many at a time; the others wait for their turn in the order in which they came. */
export interface Turns {
  /**
   * To be given back by whoever got it.
   * @throws {DOMException} a `TimeoutError` where none comes in time
   */
  take(milliseconds: number): Promise<void>
  giveBack(): void
}

export function createTurns(atOnce: number): Turns {
  let free = atOnce
  const waiting = new Set<() => void>()

  return {
    take(milliseconds) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      if (free > 0) {
        free--
        resolve()
        return promise
      }
      const timer = setTimeout(() => {
        waiting.delete(begin)
        reject(new DOMException('No turn came in time.', 'TimeoutError'))
      }, milliseconds)
      const begin = () => {
        clearTimeout(timer)
        waiting.delete(begin)
        resolve()
      }
      waiting.add(begin)
      return promise
    },
    giveBack() {
      const [next] = waiting
      if (next) next()
      else free++
    },
  }
}
