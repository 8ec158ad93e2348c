import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import {
  type CallExpression,
  type Expression,
  isArrowFunction,
  isAsExpression,
  isBindingElement,
  isCallExpression,
  isClassDeclaration,
  isConditionalExpression,
  isConstructorDeclaration,
  isFunctionDeclaration,
  isFunctionExpression,
  isIdentifier,
  isMethodDeclaration,
  isNewExpression,
  isNonNullExpression,
  isObjectLiteralExpression,
  isParameterDeclaration,
  isParenthesizedExpression,
  isPrivateIdentifier,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isPropertyDeclaration,
  isSpreadElement,
  isTaggedTemplateExpression,
  isVariableDeclaration,
  type NewExpression,
  type Node,
  type SourceFile,
} from 'typescript/unstable/ast'
import { API, type Project, SignatureKind } from 'typescript/unstable/async'
import { LanguageService, type Place } from './language-service.ts'

const root = join(import.meta.dirname, '../..')

/** A function of Tokenwell, with its name: the place that "go to implementation" reaches. */
export interface NamedFunction {
  readonly path: string
  readonly name: string
  readonly node: Node
}

export type Call = CallExpression | NewExpression

/**
 * A copy of functions/ and lib/, and the compiler that reads it: as a language service, which says where a call leads,
 * and as syntax, where calls are found. The syntax comes from the service itself, by an interface that TypeScript calls
 * unstable, so the version is exact. The copy has no tests, so no test double counts as an implementation, and nothing
 * of the CDK has to be read.
 */
export class SourceTree {
  readonly #files = new Map<string, SourceFile>()
  readonly folder: string
  readonly service: LanguageService
  readonly #api: API<boolean>
  readonly #project: Project

  private constructor(folder: string, service: LanguageService, api: API<boolean>, project: Project) {
    this.folder = folder
    this.service = service
    this.#api = api
    this.#project = project
  }

  /** @param changes texts that replace files of the repository */
  static async open(changes: Readonly<Record<string, string>> = {}): Promise<SourceTree> {
    const folder = mkdtempSync(join(tmpdir(), 'tokenwell-walk-'))
    for (const each of ['functions', 'lib']) cpSync(join(root, each), join(folder, each), { recursive: true })
    for (const [path, text] of Object.entries(changes)) writeFileSync(join(folder, path), text)
    const settings = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as object
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...settings, include: ['functions', 'lib'] }))
    writeFileSync(join(folder, 'package.json'), readFileSync(join(root, 'package.json')))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))

    const service = await LanguageService.open(folder)
    const first = join(folder, 'functions/issue-token/handler.ts')
    service.openFile(first, readFileSync(first, 'utf8'))
    const api = await API.fromLSPConnection(await service.openApi())
    const [project] = (await api.updateSnapshot()).getProjects()
    if (!project) throw new Error('The compiler did not find the project.')
    return new SourceTree(folder, service, api, project)
  }

  async close(): Promise<void> {
    await this.#api.close()
    await this.service.close()
    rmSync(this.folder, { recursive: true })
  }

  /** @param path from the root of the repository, like all paths below */
  async file(path: string): Promise<SourceFile> {
    const file = this.#files.get(path) ?? (await this.#project.program.getSourceFile(join(this.folder, path)))
    if (!file) throw new Error(`${path} is not a file of the program.`)
    this.#files.set(path, file)
    return file
  }

  pathOf(place: Place): string {
    return relative(this.folder, place.path)
  }

  isOurs(place: Pick<Place, 'path'>): boolean {
    return /^(functions|lib)\//.test(relative(this.folder, place.path))
  }

  /** The place of a name in its file. */
  placeOf(name: Node): Place {
    const file = name.getSourceFile()
    return { path: file.fileName, ...file.getLineAndCharacterOfPosition(name.getStart(file)) }
  }

  /** The declaration at a place, by the name that begins there. */
  async declarationAt({ path, line, character }: Place): Promise<Node | undefined> {
    const file = await this.file(relative(this.folder, path))
    return namesIn(file).get(file.getPositionOfLineAndCharacter(line, character))?.parent
  }

  /** @throws {Error} if the file has no function of that name, or several */
  async functionsNamed(path: string, names: readonly string[]): Promise<readonly NamedFunction[]> {
    const functions = await this.functionsIn(path)
    return names.map((name) => {
      const [found, ...others] = functions.filter((each) => each.name === name)
      if (!found || others.length > 0) throw new Error(`${path} has ${others.length + 1} functions called ${name}.`)
      return found
    })
  }

  async functionsIn(path: string): Promise<readonly NamedFunction[]> {
    return nodesIn(await this.file(path)).flatMap((node) => this.functionOf(node) ?? [])
  }

  /** The function at a place, or the function that a member of an object is set to there. */
  async functionAt(place: Place): Promise<NamedFunction | undefined> {
    const declaration = await this.declarationAt(place)
    if (!declaration) return undefined
    const named = isPropertyAssignment(declaration) ? declaration.initializer : declaration
    if (!isIdentifier(named)) return this.functionOf(declaration)
    const [definition, ...others] = await this.service.definitions(this.placeOf(named))
    const target = definition && others.length === 0 ? await this.declarationAt(definition) : undefined
    return target && this.functionOf(target)
  }

  /** The function that a declaration names: itself, or the function literal that it is set to. */
  functionOf(declaration: Node): NamedFunction | undefined {
    const path = relative(this.folder, declaration.getSourceFile().fileName)
    if (isFunctionDeclaration(declaration) || isMethodDeclaration(declaration))
      return { path, name: nameOf(declaration), node: declaration }
    if (isClassDeclaration(declaration)) {
      const node = declaration.members.find(isConstructorDeclaration)
      return { path, name: `new ${nameOf(declaration)}`, node: node ?? declaration }
    }
    if (isVariableDeclaration(declaration) || isPropertyAssignment(declaration) || isPropertyDeclaration(declaration)) {
      const value = declaration.initializer
      if (value && (isArrowFunction(value) || isFunctionExpression(value)))
        return { path, name: nameOf(declaration), node: value }
    }
    return undefined
  }

  /**
   * The origin of an expression's function type: Tokenwell, or a package or Node.js. Undefined if the expression is not
   * a function.
   */
  async functionTypeOf(expression: Node): Promise<'ours' | 'foreign' | undefined> {
    const { checker } = this.#project
    const type = await checker.getTypeAtLocation(expression)
    const signatures = type ? await checker.getSignaturesOfType(type, SignatureKind.Call) : []
    if (signatures.length === 0) return undefined
    const isOurs = signatures.some(({ declaration }) => !declaration || this.isOurs({ path: declaration.path }))
    return isOurs ? 'ours' : 'foreign'
  }
}

/** The named thing that contains a function, for example the adapter that has a method. */
export function ownerOf({ path, node }: NamedFunction): string {
  for (let outer = node.parent; outer; outer = outer.parent)
    if (isFunctionDeclaration(outer) || isClassDeclaration(outer) || isVariableDeclaration(outer))
      return `${path}: ${nameOf(outer)}`
  return path
}

export function nameOf(declaration: Node): string {
  const name = 'name' in declaration ? (declaration.name as Node | undefined) : undefined
  return name?.getText() ?? '<anonymous>'
}

export function isFunction(node: Node): boolean {
  return (
    isFunctionDeclaration(node) ||
    isMethodDeclaration(node) ||
    isArrowFunction(node) ||
    isFunctionExpression(node) ||
    isConstructorDeclaration(node)
  )
}

/** The call that gets a function as an argument, directly or in an object or a list. */
export function callThatGets(node: Node): Call | undefined {
  let child = node
  let parent = node.parent
  while (
    isParenthesizedExpression(parent) ||
    isConditionalExpression(parent) ||
    isPropertyAssignment(parent) ||
    isObjectLiteralExpression(parent) ||
    isSpreadElement(parent) ||
    isAsExpression(parent)
  ) {
    child = parent
    parent = parent.parent
  }
  if (!isCallExpression(parent) && !isNewExpression(parent)) return undefined
  return parent.expression === child || parent.arguments?.some((argument) => argument === child) ? parent : undefined
}

/** The calls that a function makes itself, in order. That includes calls in callbacks that are written as arguments. */
export function callsIn(fn: Node): readonly Call[] {
  const calls: Call[] = []
  function visit(node: Node): void {
    if ((isFunction(node) && !callThatGets(node)) || isClassDeclaration(node)) return
    node.forEachChild(visit)
    if (isCallExpression(node) || isNewExpression(node)) calls.push(node)
    if (isTaggedTemplateExpression(node))
      throw new Error(`A tagged template is a call that the walk does not follow: ${node.getText()}`)
  }
  if (!isClassDeclaration(fn)) fn.forEachChild(visit)
  return calls
}

/** The name at which a reader asks where a call leads. */
export function nameCalled(expression: Expression | Node): Node | undefined {
  if (isIdentifier(expression)) return expression
  if (isPropertyAccessExpression(expression)) return expression.name
  if (isParenthesizedExpression(expression) || isNonNullExpression(expression)) return nameCalled(expression.expression)
  return undefined
}

/** The parameter that a name is, or is destructured from: its function and its index. */
export function parameterOf(
  declaration: Node,
): { readonly fn: Node; readonly index: number; readonly member?: string | undefined } | undefined {
  if (isParameterDeclaration(declaration)) {
    const fn = declaration.parent
    const { parameters = [] } = fn as { readonly parameters?: readonly Node[] }
    return { fn, index: parameters.indexOf(declaration) }
  }
  if (!isBindingElement(declaration)) return undefined
  const outer = parameterOf(declaration.parent.parent)
  return outer && { ...outer, member: (declaration.propertyName ?? declaration.name)?.getText() }
}

function nodesIn(file: SourceFile): readonly Node[] {
  const known = nodes.get(file)
  if (known) return known
  const all: Node[] = []
  function visit(node: Node): void {
    all.push(node)
    node.forEachChild(visit)
  }
  visit(file)
  nodes.set(file, all)
  return all
}

function namesIn(file: SourceFile): ReadonlyMap<number, Node> {
  const known = names.get(file)
  if (known) return known
  const all = nodesIn(file).filter((node) => isIdentifier(node) || isPrivateIdentifier(node))
  const byPosition = new Map(all.map((node) => [node.getStart(file), node]))
  names.set(file, byPosition)
  return byPosition
}

const nodes = new WeakMap<SourceFile, readonly Node[]>()
const names = new WeakMap<SourceFile, ReadonlyMap<number, Node>>()
