import fc from 'fast-check'

/* Values that a hostile or broken sender uses in place of valid ones. */

const oddTexts = [
  '',
  ' ',
  '\0',
  '\r\nx-injected: 1',
  '..',
  '../orders',
  'orders/../stock',
  '%2e%2e%2f',
  '%',
  '%zz',
  '%ff%fe',
  '\ud800',
  '\ufffd',
  '\u202eorders',
  '\uff0e\uff0e',
  'Orders',
  'orders ',
  '__proto__',
  'constructor',
  'toString',
  'a'.repeat(70_000),
]

export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...oddTexts),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom('%', '/', '?', '#', '&', '=', '+', '"', '\\', ';', ',', '.', '{', '}', '\n', 'é'),
  }),
)

const nested = fc.integer({ min: 1, max: 200 }).map((depth): unknown => {
  return JSON.parse(`${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`)
})

/** Any JSON value, or undefined. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(undefined, null, {}, [], [[]], 0, -1, 1e300, true, [''], { toString: 1 }, { length: 1e9 }),
  oddText,
  nested,
)

/** Sometimes something else. */
export function mostly(sane: fc.Arbitrary<unknown>, weight = 60): fc.Arbitrary<unknown> {
  return fc.oneof({ weight, arbitrary: sane }, { weight: 1, arbitrary: oddValue })
}

/** All parts, or sometimes one part less. */
export function mostlyWhole(parts: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  const missing = fc.constantFrom(...Object.keys(parts))
  return fc.oneof(
    { weight: 15, arbitrary: fc.record(parts) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.record(parts), missing).map(([whole, name]) => {
        const { [name]: _left, ...others } = whole
        return others
      }),
    },
  )
}

/** JSON text, some of it invalid: a repeated name, `__proto__`, cut off, or nested very deep. */
export const oddJson: fc.Arbitrary<string> = fc.oneof(
  oddValue.map((value) => JSON.stringify(value) ?? ''),
  fc.constantFrom(
    '{"scope":"a","scope":"b"}',
    '{"__proto__":{"connection":"stock"}}',
    '{"__proto__":"x"}',
    '{"constructor":"x","toString":"y"}',
    '{"scope":["a",["b"]]}',
    '{"username":"alice","username":"bob"}',
    '[]',
    '{',
    '{"a":',
    '"',
    '"\\',
    '\ufeff{}',
    '{}{}',
    'null',
    '['.repeat(30_000),
    '\\"'.repeat(30_000),
  ),
  oddText,
)
