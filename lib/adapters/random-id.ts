import { randomFillSync } from 'node:crypto'

const idBytes = 16
/** Drawn for many at once: for one alone the way to the system's generator costs more than all else of a record. */
const drawn = Buffer.alloc(idBytes * 128)
let used = drawn.length

/** 16 random bytes in base64url, new at each call. */
export function randomId(): string {
  if (used === drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  const start = used
  used += idBytes
  return drawn.toString('base64url', start, used)
}
