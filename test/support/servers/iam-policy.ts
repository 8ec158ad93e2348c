/*
 * Policies as IAM evaluates them, for the operators that Tokenwell's roles use. An operator that this evaluator does not
 * know is an error, so that no test passes because a condition was ignored. Sources:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
 */

export interface PolicyStatement {
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: string | readonly string[]
  readonly Resource: string | readonly string[]
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, ConditionValue>>>>
}

type ConditionValue = string | number | boolean | readonly (string | number | boolean)[]

/** The values of each condition key in the request. A key with no value is absent. */
export type RequestContext = Readonly<Record<string, readonly string[]>>

export type Decision = 'allowed' | 'implicitly denied' | 'explicitly denied'

export function evaluatePolicy(
  statements: readonly PolicyStatement[],
  action: string,
  resource: string,
  context: RequestContext,
): Decision {
  const matching = statements.filter(
    (each) =>
      listOf(each.Action).some((pattern) => isLike(pattern, action, true)) &&
      listOf(each.Resource).some((pattern) => isLike(pattern, resource)) &&
      Object.entries(each.Condition ?? {}).every(([operator, keys]) => hold(operator, keys, context)),
  )
  if (matching.some(({ Effect }) => Effect === 'Deny')) return 'explicitly denied'
  return matching.length > 0 ? 'allowed' : 'implicitly denied'
}

/** All keys of an operator must hold. The values of a key are alternatives. */
function hold(operator: string, keys: Readonly<Record<string, ConditionValue>>, context: RequestContext): boolean {
  const [, set = '', name = '', ifExists = ''] = /^(ForAllValues:|ForAnyValue:)?(.+?)(IfExists)?$/.exec(operator) ?? []
  return Object.entries(keys).every(([key, given]) => {
    const wanted = listOf(given).map(String)
    const values = valuesOf(context, key)
    if (name === 'Null') return wanted.includes(String(values.length === 0))
    const compare = comparison(name)
    const holds = (value: string) => wanted.some((each) => compare(each, value))
    if (values.length === 0) return set === 'ForAllValues:' || ifExists !== ''
    if (set === 'ForAllValues:') return values.every(holds)
    if (set === 'ForAnyValue:') return values.some(holds)
    const [value = '', ...others] = values
    if (others.length > 0)
      throw new Error(`${key} has several values. The condition needs ForAllValues or ForAnyValue.`)
    return holds(value)
  })
}

function comparison(name: string): (wanted: string, value: string) => boolean {
  switch (name) {
    case 'StringEquals':
    case 'ArnEquals':
      return (wanted, value) => wanted === value
    case 'StringLike':
    case 'ArnLike':
      return (wanted, value) => isLike(wanted, value)
    case 'NumericEquals':
      return (wanted, value) => Number(value) === Number(wanted)
    case 'NumericLessThanEquals':
      return (wanted, value) => Number(value) <= Number(wanted)
    case 'Bool':
      return (wanted, value) => wanted.toLowerCase() === value.toLowerCase()
    default:
      throw new Error(`This evaluator of policies does not know the operator ${name}.`)
  }
}

/** Names of condition keys have no case. */
function valuesOf(context: RequestContext, key: string): readonly string[] {
  const found = Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase())
  return found?.[1] ?? []
}

function isLike(pattern: string, value: string, ignoreCase = false): boolean {
  const parts = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${parts}$`, ignoreCase ? 'is' : 's').test(value)
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}
