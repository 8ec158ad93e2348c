import { timingSafeEqual } from 'node:crypto'

const print = '[secret]'

/**
 * A text that must not print. Logged, serialised, interpolated or inspected it says `[secret]`;
 * `reveal()` is the only way in, so a search for `reveal(` is the audit.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  /** Compared without ending early, so that the time taken tells nothing. */
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
