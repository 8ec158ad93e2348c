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
