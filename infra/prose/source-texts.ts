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
  if (error) throw new Error(`${path} can't be parsed: ${error.message}`)
  return { path, program, comments, source }
}

/** The literal `code` of each class, by the name of the class. */
export function errorCodes(files: readonly SourceFile[]): ReadonlyMap<string, string> {
  const codes = new Map<string, string>()
  for (const { program } of files)
    walk(program, [], (node) => {
      if (node.type !== 'ClassDeclaration' || node.id === null) return
      for (const member of node.body.body)
        if (member.type === 'PropertyDefinition' && nameOf(member.key) === 'code') {
          const { value } = member
          if (value?.type === 'Literal' && typeof value.value === 'string') codes.set(node.id.name, value.value)
        }
    })
  return codes
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
export function textsOf({ path, program }: SourceFile, codes: ReadonlyMap<string, string>): SourceText[] {
  const texts: SourceText[] = []
  walk(program, [], (node, ancestors) => {
    if (ancestors.some(({ type }) => types.has(type))) return
    const text = textOf(node)
    if (text === undefined || forPrograms.test(text)) return
    const code = codeOf(ancestors, codes)
    if ((code === '' ? reads : readsShort).test(text)) texts.push({ path, within: nameAround(ancestors), code, text })
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

function codeOf(ancestors: readonly Node[], codes: ReadonlyMap<string, string>): string {
  for (const node of ancestors.toReversed()) {
    if (node.type === 'NewExpression') {
      const [first] = node.arguments
      const code = codes.get(nameOf(node.callee))
      if (code !== undefined) return code
      if (/Error$/.test(nameOf(node.callee)))
        return first?.type === 'Literal' && /^[a-z]+(_[a-z]+)+$/.test(String(first.value))
          ? String(first.value)
          : 'error'
    }
    if (node.type === 'CallExpression') {
      const code = codesOfCalls[nameOf(node.callee)]
      if (code !== undefined) return code
    }
    if (node.type === 'ClassDeclaration' && node.id !== null && codes.has(node.id.name))
      return codes.get(node.id.name) ?? ''
    if (node.type === 'Property' && /^[a-z]+(_[a-z]+)+$/.test(nameOf(node.key))) return nameOf(node.key)
  }
  return ''
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
