import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** A place in a file where a name begins, counted from 0 as in the language server protocol. */
export interface Place {
  readonly path: string
  readonly line: number
  readonly character: number
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly items?: readonly unknown[] }
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

interface Location {
  readonly uri: string
  readonly range: { readonly start: { readonly line: number; readonly character: number } }
}

/** The language service that an editor uses: `tsc --lsp --stdio`, for one folder with a tsconfig.json. */
export class LanguageService {
  readonly #process
  readonly #waiting = new Map<number, (answer: Message) => void>()
  #received = Buffer.alloc(0)
  #lastId = 0

  constructor(root: string) {
    this.#process = spawn(join(root, 'node_modules/.bin/tsc'), ['--lsp', '--stdio'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#process.stdout.on('data', (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data])
      for (let message = this.#next(); message; message = this.#next()) this.#read(message)
    })
  }

  static async open(root: string): Promise<LanguageService> {
    const service = new LanguageService(root)
    const folder = { uri: pathToFileURL(root).href, name: 'root' }
    await service.ask('initialize', {
      processId: process.pid,
      rootUri: folder.uri,
      capabilities: {},
      workspaceFolders: [folder],
    })
    service.#send({ method: 'initialized', params: {} })
    return service
  }

  openFile(path: string, text: string): void {
    const textDocument = { uri: pathToFileURL(path).href, languageId: 'typescript', version: 1, text }
    this.#send({ method: 'textDocument/didOpen', params: { textDocument } })
  }

  /** Opens the second interface: the pipe on which the same process offers syntax and types. */
  async openApi(): Promise<{ readonly pipe: string }> {
    return (await this.ask('custom/initializeAPISession', {})) as { readonly pipe: string }
  }

  /** "Go to implementation". */
  async implementations(place: Place): Promise<readonly Place[]> {
    return await this.#places('textDocument/implementation', place)
  }

  /** "Go to definition". */
  async definitions(place: Place): Promise<readonly Place[]> {
    return await this.#places('textDocument/definition', place)
  }

  async #places(method: string, { path, ...position }: Place): Promise<readonly Place[]> {
    const answer = await this.ask(method, { textDocument: { uri: pathToFileURL(path).href }, position })
    const locations = [answer ?? []].flat() as readonly unknown[] as readonly Location[]
    return locations.map(({ uri, range }) => ({ path: fileURLToPath(uri), ...range.start }))
  }

  async ask(method: string, params: object): Promise<unknown> {
    const id = ++this.#lastId
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve))
    this.#send({ id, method, params })
    const { result, error } = await answer
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }

  async close(): Promise<void> {
    this.#process.kill()
    await once(this.#process, 'exit')
  }

  #send(message: object): void {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message })
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
  }

  #next(): Message | undefined {
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd < 0) return undefined
    const length = Number(/Content-Length: (\d+)/i.exec(this.#received.toString('latin1', 0, headEnd))?.[1])
    const bodyEnd = headEnd + 4 + length
    if (this.#received.length < bodyEnd) return undefined
    const message = JSON.parse(this.#received.toString('utf8', headEnd + 4, bodyEnd)) as Message
    this.#received = this.#received.subarray(bodyEnd)
    return message
  }

  #read({ id, method, params, ...message }: Message): void {
    if (method !== undefined) {
      // The service asks for settings of the editor. There are no settings here.
      if (id !== undefined) this.#send({ id, result: params?.items?.map(() => null) ?? null })
      return
    }
    if (id === undefined) return
    this.#waiting.get(id)?.(message)
    this.#waiting.delete(id)
  }
}
