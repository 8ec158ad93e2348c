import type { GeneratedKey } from '../configuration/connection.ts'

/** For a rotation that failed and is tried again. */
const graceSeconds = 86_400

export interface KeyAge {
  readonly keyAgeSeconds: number
  /** Whether the key that was to follow has not come. Absent where Tokenwell does not make the keys. */
  readonly isKeyOverdue?: boolean
}

/** How long a key has been signing by now, where that is known of it. */
export function keyAge(signsFrom: number, generated: GeneratedKey | undefined, now: number): KeyAge {
  const keyAgeSeconds = Math.floor((now - signsFrom) / 1000)
  if (!generated) return { keyAgeSeconds }
  const { rotationSeconds, publishAheadSeconds } = generated
  return { keyAgeSeconds, isKeyOverdue: keyAgeSeconds > rotationSeconds + publishAheadSeconds + graceSeconds }
}
