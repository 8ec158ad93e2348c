import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Node, parseSync } from 'oxc-parser'

/** A text of the source that a person can meet, with its values as `<name>`. */
export interface SourceText {
  /** Relative to the repository's root. */
  readonly path: string
  /** The nearest function, method, class or member around it. Empty at the top of a file. */
  readonly within: string
  /** The code or kind that tells it apart: an error's `code`, a log event, `mistake` or `warning`. Empty for other texts. */
  readonly code: string
  readonly text: string
}

/** A source file as its syntax, read once. */
export interface SourceFile {
  /** Relative to the repository's root. */
  readonly path: string
  readonly program: Node
  readonly comments: readonly { readonly value: string; readonly start: number }[]
  readonly source: string
}

export function readSources(root: string, folders: readonly string[]): SourceFile[] {
  const paths = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root }))
  return paths
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => readSource(root, path))
}

function readSource(root: string, path: string): SourceFile {
  const source = readFileSync(join(root, path), 'utf8')
  const { program, comments, errors } = parseSync(path, source)
  const [error] = errors
  if (error) throw new Error(`${path} cannot be parsed: ${error.message}`)
  return { path, program, comments, source }
}

/** What an error's class says of the texts that it is made with. */
interface ErrorClass {
  /** Its literal `code`. */
  readonly code?: string
  /** How its constructor puts its parameters into one message. */
  readonly frame?: { readonly parameters: readonly string[]; readonly message: string }
}

export type ErrorClasses = ReadonlyMap<string, ErrorClass>

export function readErrorClasses(files: readonly SourceFile[]): ErrorClasses {
  const classes = new Map<string, ErrorClass>()
  for (const { program } of files)
    walk(program, [], (node) => {
      if (node.type !== 'ClassDeclaration' || node.id === null) return
      const members = node.body.body
      const code = members.flatMap((member) =>
        member.type === 'PropertyDefinition' && nameOf(member.key) === 'code' && member.value
          ? (textOf(member.value) ?? [])
          : [],
      )[0]
      const frame = members.flatMap((member) => frameOf(member) ?? [])[0]
      classes.set(node.id.name, { ...(code !== undefined && { code }), ...(frame && { frame }) })
    })
  return classes
}

function frameOf(member: Node): ErrorClass['frame'] {
  if (member.type !== 'MethodDefinition' || member.kind !== 'constructor') return undefined
  const parameters = member.value.params.map((parameter) => nameOf(parameter as Node))
  const messages: string[] = []
  walk(member, [], (node) => {
    if (node.type !== 'CallExpression' || node.callee.type !== 'Super') return
    const message = node.arguments[0] && textOf(node.arguments[0])
    if (message !== undefined) messages.push(message)
  })
  return messages[0] === undefined ? undefined : { parameters, message: messages[0] }
}

/** What a text of each kind of call is, where the call is no error's constructor. */
const codesOfCalls: Readonly<Record<string, string>> = { addMistake: 'mistake', addWarning: 'warning' }
const types = new Set(['TSLiteralType', 'TSTemplateLiteralType'])
/** Three words are a text; two are one only within an error or a finding. */
const reads = /\p{L}{2,}\S* \S*\p{L}\S* \S*[\p{L}<]/u
const readsShort = /\p{L}{2,}\S* \S*[\p{L}<]/u

/** The titles of a file's tests, in its order. */
export function titlesOf({ program }: SourceFile): { readonly text: string; readonly start: number }[] {
  const titles: { text: string; start: number }[] = []
  walk(program, [], (node) => {
    if (node.type !== 'CallExpression' || !/(?:test|describe|suite|it)$/i.test(nameOf(node.callee))) return
    const [first] = node.arguments
    const text = first && textOf(first)
    if (first && text) titles.push({ text, start: first.start })
  })
  return titles
}

/** The texts of a file, in its order. */
export function textsOf({ path, program }: SourceFile, classes: ErrorClasses): SourceText[] {
  const texts: SourceText[] = []
  walk(program, [], (node, ancestors) => {
    if (ancestors.some(({ type }) => types.has(type))) return
    const text = textOf(node)
    if (text === undefined || forPrograms.test(text)) return
    const code = codeOf(ancestors, classes)
    if ((code === '' ? reads : readsShort).test(text))
      texts.push({ path, within: nameAround(ancestors), code, text: framed(text, node, ancestors, classes) })
  })
  return texts
}

function textOf(node: Node): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined
  if (node.type !== 'TemplateLiteral') return undefined
  return node.quasis
    .map(({ value }, index) => {
      const expression = node.expressions[index]
      return `${value.cooked ?? ''}${expression ? `<${placeholder(expression)}>` : ''}`
    })
    .join('')
}

/** The whole message of an error that is made with this text, where its class puts it into a sentence. */
function framed(text: string, node: Node, ancestors: readonly Node[], classes: ErrorClasses): string {
  const made = ancestors.findLast(({ type }) => type === 'NewExpression')
  if (made?.type !== 'NewExpression') return text
  const frame = classes.get(nameOf(made.callee))?.frame
  if (!frame) return text
  return frame.parameters.reduce((message, parameter, index) => {
    const argument = made.arguments[index]
    if (!argument) return message
    const isHere = argument.start <= node.start && node.end <= argument.end
    const value = isHere ? text : (textOf(argument) ?? `<${placeholder(argument)}>`)
    return message.replace(`<${parameter}>`, () => value)
  }, frame.message)
}

/** A script for Valkey, an expression for DynamoDB, a comment in Markdown: not for people. */
const forPrograms = /redis\.call|\B#\w+ <?= :|attribute_not_exists|^<!--/

/** The name of a value, as a reader of the message would call it. */
function placeholder(node: Node): string {
  switch (node.type) {
    case 'Identifier':
      return node.name
    case 'MemberExpression':
      return node.property.type === 'Identifier' ? node.property.name : placeholder(node.object)
    case 'CallExpression': {
      const [first] = node.arguments
      const callee = placeholder(node.callee)
      if (callee === 'join' && node.callee.type === 'MemberExpression') return placeholder(node.callee.object)
      return first === undefined || first.type === 'ArrowFunctionExpression' ? callee : placeholder(first)
    }
    case 'ConditionalExpression':
      return `${placeholder(node.consequent)} | ${placeholder(node.alternate)}`
    case 'LogicalExpression':
    case 'BinaryExpression':
      return placeholder(node.left)
    case 'Literal':
    case 'TemplateLiteral':
      return textOf(node) ?? String(node.type === 'Literal' ? node.value : '')
    case 'TSNonNullExpression':
    case 'TSAsExpression':
    case 'AwaitExpression':
    case 'ParenthesizedExpression':
    case 'ChainExpression':
      return placeholder('expression' in node ? node.expression : node.argument)
    default:
      return '...'
  }
}

function codeOf(ancestors: readonly Node[], classes: ErrorClasses): string {
  for (const node of ancestors.toReversed()) {
    if (node.type === 'NewExpression') {
      const [first] = node.arguments
      const code = classes.get(nameOf(node.callee))?.code
      if (code !== undefined) return code
      if (/Error$/.test(nameOf(node.callee)))
        return first?.type === 'Literal' && isCode(String(first.value)) ? String(first.value) : 'error'
    }
    if (node.type === 'CallExpression') {
      const code = codesOfCalls[nameOf(node.callee)]
      if (code !== undefined) return code
    }
    if (node.type === 'ClassDeclaration' && node.id !== null) return classes.get(node.id.name)?.code ?? ''
    if (node.type === 'Property' && isCode(nameOf(node.key))) return nameOf(node.key)
  }
  return ''
}

function isCode(text: string): boolean {
  return /^[a-z]+(_[a-z]+)+$/.test(text)
}

function nameAround(ancestors: readonly Node[]): string {
  for (const node of ancestors.toReversed()) {
    if (node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression') if (node.id) return node.id.name
    if (node.type === 'ClassDeclaration' && node.id) return node.id.name
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier') return node.id.name
  }
  return ''
}

function nameOf(node: Node): string {
  if (node.type === 'Identifier') return node.name
  return node.type === 'MemberExpression' ? nameOf(node.property) : ''
}

/** Depth first, in the order of the text. */
function walk(node: Node, ancestors: readonly Node[], visit: (node: Node, ancestors: readonly Node[]) => void): void {
  visit(node, ancestors)
  const within = [...ancestors, node]
  for (const child of childrenOf(node)) walk(child, within, visit)
}

function childrenOf(node: Node): Node[] {
  return Object.values(node).flat().filter(isNode)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}
