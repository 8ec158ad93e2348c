import { timingSafeEqual } from 'node:crypto'
import { decodeUtf8 } from '../base/decoding.ts'

const print = '[secret]'

/**
 * A text that must not be printed. When it is logged, serialised, interpolated or inspected, it shows `[secret]`. Only `reveal()`
 * returns the text, so a search for `reveal(` finds all uses.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  /** In UTF-16 code units. */
  get length(): number {
    return this.#text.length
  }

  /** Compares all bytes, so that the duration reveals nothing. */
  equals(other: Secret): boolean {
    const [a, b] = [Buffer.from(this.#text), Buffer.from(other.#text)]
    return a.length === b.length && timingSafeEqual(a, b)
  }

  toString(): string {
    return print
  }

  toJSON(): string {
    return print
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return print
  }
}

/** The secret without the line break that an editor adds at its end. */
export function oneLine(secret: Secret): Secret {
  return new Secret(secret.reveal().replace(/\r?\n$/, ''))
}

/** The bytes of a secret as text: UTF-8 unchanged, a key or key store in base64. Undefined if they are neither. */
export function secretText(bytes: Uint8Array): string | undefined {
  return decodeUtf8(bytes) ?? (isSequence(bytes) || isJks(bytes) ? Buffer.from(bytes).toString('base64') : undefined)
}

/** Whether it is one sequence (X.690 section 8.1) with no bytes after it, or a PKCS#12 sequence of indefinite length. */
function isSequence(bytes: Uint8Array): boolean {
  const [tag, form = 0] = bytes
  const isOpen = Buffer.from(bytes.subarray(0, 5)).toString('hex') === '3080020103'
  return isOpen || (tag === derSequence && sequenceLength(bytes, form < 0x80 ? 0 : form - 0x80) === bytes.length)
}

const derSequence = 0x30

/** @param lengthBytes the number of length bytes after the second byte; 0 if the second byte is the length itself */
function sequenceLength(bytes: Uint8Array, lengthBytes: number): number {
  if (lengthBytes === 0) return 2 + Number(bytes[1])
  const length = bytes.slice(2, 2 + lengthBytes).reduce((sum, byte) => sum * 256 + byte, 0)
  return lengthBytes > 4 ? Number.NaN : 2 + lengthBytes + length
}

/** Whether it is one sequence whose length takes two bytes or more, with no bytes after it: it can't be a password. */
export function isDer(bytes: Uint8Array): boolean {
  return Number(bytes[1]) > 0x81 && isSequence(bytes)
}

/** A Java key store, JKS or JCEKS. */
export function isJks(bytes: Uint8Array): boolean {
  return /^(feedfeed|cececece)/.test(Buffer.from(bytes.subarray(0, 4)).toString('hex'))
}
