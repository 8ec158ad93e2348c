import {
  type Expression,
  isArrowFunction,
  isConditionalExpression,
  isFunctionExpression,
  isIdentifier,
  isInterfaceDeclaration,
  isMethodDeclaration,
  isMethodSignatureDeclaration,
  isNewExpression,
  isObjectLiteralExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isPropertySignatureDeclaration,
  isShorthandPropertyAssignment,
  isSpreadAssignment,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast'
import type { Place } from './language-service.ts'
import {
  type Call,
  callsIn,
  callThatGets,
  type NamedFunction,
  nameCalled,
  nameOf,
  ownerOf,
  parameterOf,
  type SourceTree,
} from './source-tree.ts'

/** Functions that may be passed as values to any code that needs them. */
const clockAndChance = ['now', 'random', 'randomId', 'pause', 'log']

/** A function on the walk, in the order in which the walk reached it. */
export interface Step {
  readonly fn: NamedFunction
  /** Undefined for a starting point. */
  readonly from: Step | undefined
  /** The calls that led here. Not the calls of other functions that got this one as an argument. */
  readonly calls: Call[]
  readonly next: Step[]
}

export interface Walk {
  readonly beginnings: readonly Step[]
  readonly steps: readonly Step[]
  /** The calls that can't be followed. */
  readonly problems: readonly string[]
  /** The number of calls that were checked, including those into packages and Node.js. */
  readonly calls: number
}

/**
 * A call of a parameter, or a parameter that is passed on. Each caller of the function must write the callback as an
 * argument.
 */
interface Need {
  readonly where: string
  readonly fn: Node
  readonly index: number
  readonly member?: string | undefined
}

interface Found {
  readonly fn: NamedFunction
  readonly call?: Call
}

/**
 * Goes from call to call, and into every function of Tokenwell that it finds.
 * @param ports the interfaces with several implementations, and all of these: `<file>: <factory>`
 */
export async function walkFrom(
  tree: SourceTree,
  beginnings: readonly NamedFunction[],
  ports: Readonly<Record<string, readonly string[]>>,
): Promise<Walk> {
  const steps = new Map<Node, Step>()
  const problems: string[] = []
  const needs: Need[] = []
  const answers = new Map<Node, Promise<readonly Place[]>>()
  let calls = 0

  function add(fn: NamedFunction, from: Step | undefined): { readonly step: Step; readonly isNew: boolean } {
    const known = steps.get(fn.node)
    if (known) return { step: known, isNew: false }
    const step: Step = { fn, from, calls: [], next: [] }
    steps.set(fn.node, step)
    from?.next.push(step)
    return { step, isNew: true }
  }

  /** Breadth first, so the walk reaches each function by the shortest way. */
  async function go(first: readonly Step[]): Promise<void> {
    for (let level = first; level.length > 0; ) {
      const found = await Promise.all(level.map((step) => leaveFrom(step)))
      level = level.flatMap((step, index) =>
        (found[index] ?? []).flatMap(({ fn, call }) => {
          const { step: next, isNew } = add(fn, step)
          if (call) next.calls.push(call)
          return isNew ? [next] : []
        }),
      )
    }
  }

  async function leaveFrom({ fn }: Step): Promise<readonly Found[]> {
    const made = callsIn(fn.node)
    calls += made.length
    return (await Promise.all(made.map((call) => follow(fn, call)))).flat()
  }

  async function follow(fn: NamedFunction, call: Call): Promise<readonly Found[]> {
    const { kind } = call.expression
    if (kind === SyntaxKind.SuperKeyword || kind === SyntaxKind.ImportKeyword) return []
    if (isFunctionLiteral(call.expression)) return []
    const name = nameCalled(call.expression)
    const where = describe(fn, call.expression)
    if (!name) return complain(where, 'is a call of a value that has no name')

    const isAllowed = clockAndChance.includes(name.getText())
    const definitions = await tree.service.definitions(tree.placeOf(name))
    if (definitions.length === 0) return complain(where, 'leads nowhere')
    if (!definitions.some((each) => tree.isOurs(each))) return handedOver(fn, call, true)
    const declarations = await declarationsOf(definitions)
    const own = declarations.map((each) => tree.functionOf(each)).filter((each) => each !== undefined)
    if (isAllowed && own.length === 0) return []
    if (own.length === 0 && (await isValueOfPackage(call.expression, declarations))) return handedOver(fn, call, true)

    // A class names what is made. Its subclasses count as implementations, but are not meant.
    const made = isNewExpression(call) ? own : []
    const found = made.length > 0 ? made : await implementations(fn, name, declarations, where)
    const isOfBase = found.length > 0 && found.every((each) => each.path.startsWith('lib/base/'))
    return [...found.map((each) => ({ fn: each, call })), ...(await handedOver(fn, call, isOfBase))]
  }

  /**
   * A function that a package or Node.js passes to Tokenwell to be called, such as `resolve` of a promise. Not a method
   * that it expects from Tokenwell.
   */
  async function isValueOfPackage(expression: Node, declarations: readonly Node[]): Promise<boolean> {
    const isValue = !declarations.some(isMethodSignatureDeclaration)
    return isValue && (await tree.functionTypeOf(expression)) === 'foreign'
  }

  async function declarationsOf(places: readonly Place[]): Promise<readonly Node[]> {
    const ours = places.filter((each) => tree.isOurs(each))
    const declarations = await Promise.all(ours.map((each) => tree.declarationAt(each)))
    return declarations.filter((each) => each !== undefined)
  }

  /** Asks the language service once for each declaration. At another call the answer is the same. */
  async function implementationsOf(name: Node, [declaration, ...others]: readonly Node[]): Promise<readonly Place[]> {
    const known = declaration && others.length === 0 ? answers.get(declaration) : undefined
    const answer = known ?? tree.service.implementations(tree.placeOf(name))
    if (declaration) answers.set(declaration, answer)
    return (await answer).filter((each) => tree.isOurs(each))
  }

  /** The implementations of a name: one function, or the adapters of a port. */
  async function implementations(
    fn: NamedFunction,
    name: Node,
    declarations: readonly Node[],
    where: string,
  ): Promise<readonly NamedFunction[]> {
    const isInBase = fn.path.startsWith('lib/base/')
    const parameter = declarations.map(parameterOf).find((each) => each !== undefined)
    if (parameter) {
      if (!isInBase) needs.push({ where, ...parameter })
      return []
    }
    if (declarations.some(isPropertySignatureDeclaration)) {
      if (!isInBase) complain(where, 'is a member that holds a function: make it a method')
      return []
    }
    const places = await implementationsOf(name, declarations)
    const found = await Promise.all(places.map((each) => tree.functionAt(each)))
    const functions = found.filter((each) => each !== undefined)
    const port = declarations.map(interfaceOf).find((each) => each !== undefined && each in ports)
    const complaint = port === undefined ? whyNotOne(places, functions) : whyNotListed(port, functions)
    if (complaint && !isInBase) complain(where, complaint)
    return functions
  }

  function whyNotOne(places: readonly Place[], functions: readonly NamedFunction[]): string | undefined {
    if (functions.length === 1 && places.length === 1) return undefined
    if (functions.length > 1) return `has several implementations: ${adaptersOf(functions).join(', ')}`
    return `leads to ${places.map((each) => `${tree.pathOf(each)}:${each.line + 1}`).join(', ') || 'nothing'}`
  }

  function whyNotListed(port: string, functions: readonly NamedFunction[]): string | undefined {
    const adapters = adaptersOf(functions)
    const isListed = [...(ports[port] ?? [])].sort().join() === adapters.join()
    return isListed ? undefined : `of the port ${port} is implemented by ${adapters.join(', ')}`
  }

  /** Functions that are passed by name. Only packages, Node.js and lib/base may call them. */
  async function handedOver(fn: NamedFunction, call: Call, isCalledThere: boolean): Promise<readonly Found[]> {
    const handed = [...(call.arguments ?? [])].flatMap(valuesIn)
    const found = await Promise.all(handed.map((each) => followValue(fn, each, isCalledThere)))
    return found.flat()
  }

  async function followValue(fn: NamedFunction, value: Node, isCalledThere: boolean): Promise<readonly Found[]> {
    const name = nameCalled(value)
    if (!name || clockAndChance.includes(name.getText()) || (await tree.functionTypeOf(value)) !== 'ours') return []
    const where = describe(fn, value)
    const definitions = await tree.service.definitions(tree.placeOf(name))
    const declarations = await declarationsOf(definitions)
    if (declarations.length === 0) return []
    const parameter = declarations.map(parameterOf).find((each) => each !== undefined)
    if (parameter) {
      if (!fn.path.startsWith('lib/base/')) needs.push({ where, ...parameter })
      return []
    }
    if (!isCalledThere) return complain(where, 'is a function that is handed over as a value')
    // A shorthand property is the value. It is also a member of the expected type, which is not meant.
    const own = declarations.map((each) => tree.functionOf(each)).filter((each) => each !== undefined)
    if (own.length > 0) return own.map((each) => ({ fn: each }))
    return (await implementations(fn, name, declarations, where)).map((each) => ({ fn: each }))
  }

  function complain(where: string, what: string): readonly never[] {
    problems.push(`${where} ${what}`)
    return []
  }

  const first = beginnings.map((each) => add(each, undefined).step)
  await go(first)
  for (const need of needs) {
    const complaint = await unmet(tree, steps, need, new Set())
    if (complaint) problems.push(`${need.where} ${complaint}`)
  }
  return { beginnings: first, steps: [...steps.values()], problems: [...new Set(problems)].sort(), calls }
}

/**
 * Why a call of a parameter can't be followed. Undefined if each caller on the walk wrote the callback as an argument.
 */
async function unmet(
  tree: SourceTree,
  steps: ReadonlyMap<Node, Step>,
  { fn, index, member }: Omit<Need, 'where'>,
  seen: Set<Node>,
): Promise<string | undefined> {
  if (callThatGets(fn)) return 'is a function that a callback is handed'
  const calls = steps.get(fn)?.calls ?? []
  if (calls.length === 0) return 'is a function that was handed in as a dependency'
  if (seen.has(fn)) return undefined
  for (const call of calls) {
    const argument = call.arguments?.[index]
    const value = member === undefined ? argument : argument && memberOf(argument, member)
    if (!value || isFunctionLiteral(value) || isMethodDeclaration(value)) continue
    const name = nameCalled(value)
    const places = name ? await tree.service.definitions(tree.placeOf(name)) : []
    const declarations = await Promise.all(
      places.filter((each) => tree.isOurs(each)).map((each) => tree.declarationAt(each)),
    )
    const parameter = declarations.map((each) => each && parameterOf(each)).find((each) => each !== undefined)
    const complaint = parameter
      ? await unmet(tree, steps, parameter, new Set([...seen, fn]))
      : `is a function that is not written at the call: ${call.getText().slice(0, 80)}`
    if (complaint) return complaint
  }
  return undefined
}

function isFunctionLiteral(node: Node): boolean {
  return isArrowFunction(node) || isFunctionExpression(node)
}

/** The names in an argument: the argument itself, members of an object, or either side of a condition. */
function valuesIn(argument: Expression | Node): readonly Node[] {
  if (isIdentifier(argument) || isPropertyAccessExpression(argument)) return [argument]
  if (isConditionalExpression(argument)) return [argument.whenTrue, argument.whenFalse].flatMap(valuesIn)
  if (!isObjectLiteralExpression(argument)) return []
  return argument.properties.flatMap((each) => {
    if (isShorthandPropertyAssignment(each)) return [each.name]
    if (isSpreadAssignment(each) && isObjectLiteralExpression(each.expression)) return valuesIn(each.expression)
    return isPropertyAssignment(each) ? valuesIn(each.initializer) : []
  })
}

function memberOf(argument: Node, member: string): Node | undefined {
  if (!isObjectLiteralExpression(argument)) return argument
  const property = argument.properties.find((each) => nameOf(each) === member)
  if (!property || isMethodDeclaration(property)) return property
  return isPropertyAssignment(property) ? property.initializer : (property as { readonly name?: Node }).name
}

function adaptersOf(functions: readonly NamedFunction[]): readonly string[] {
  return [...new Set(functions.map(ownerOf))].sort()
}

function interfaceOf(declaration: Node): string | undefined {
  if (!isMethodSignatureDeclaration(declaration)) return undefined
  return isInterfaceDeclaration(declaration.parent) ? nameOf(declaration.parent) : undefined
}

function describe({ path, name }: NamedFunction, expression: Node): string {
  const file = expression.getSourceFile()
  const { line } = file.getLineAndCharacterOfPosition(expression.getStart(file))
  const text = expression.getText(file).replaceAll(/\s+/g, ' ').slice(0, 60)
  return `${path}:${line + 1} ${name}: ${isNewExpression(expression.parent) ? 'new ' : ''}${text}`
}

/** The functions from the starting point to this one. */
export function wayTo(step: Step): readonly NamedFunction[] {
  return [...(step.from ? wayTo(step.from) : []), step.fn]
}

/** The walk as lines. Each function is shown where the walk first reaches it. */
export function drawWalk({ beginnings }: Walk): string {
  const lines = (step: Step, depth: number): readonly string[] => [
    `${'  '.repeat(depth)}${step.fn.path}: ${step.fn.name}`,
    ...step.next.flatMap((each) => lines(each, depth + 1)),
  ]
  return beginnings.flatMap((each) => lines(each, 0)).join('\n')
}
