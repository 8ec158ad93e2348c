import { isJsonArray, isJsonObject, parseJson } from '../base/decoding.ts'
import type { Secret } from '../secret/secret.ts'
import { printableDescription } from './printable-description.ts'
import { membersIn } from './token-answer.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'

/** One thing that a server says: a member of its answer with its full name, or a text without a name. */
export interface Saying {
  readonly name: string
  readonly value: string
}

const deepest = 4
const mostSayings = 24
const mostCharacters = 1_000
/** Only this much of an error page is read: its message is at the top. */
const longestPage = 16 * 1024
/** A refusal needs no such member, and its value would get into a log. */
const secretNames = /(^|[_.-]|[a-z](?=[A-Z]))(tokens?|jwt|secret|password|passphrase|assertion|authorization|cookie)$/i

/** All that an answer says: JSON of any shape, a form, XML, an HTML page, plain text, or else the challenge in its header. */
export function sayingsIn({ body, challenge }: TokenEndpointAnswer): readonly Saying[] {
  const found = body.trim() === '' ? [] : sayingsInBody(body)
  const sayings = found.length > 0 || challenge === undefined ? found : [{ name: 'WWW-Authenticate', value: challenge }]
  return sayings.slice(0, mostSayings)
}

function sayingsInBody(body: string): readonly Saying[] {
  const value = membersIn(body) ?? parseJson(body)
  if (value !== undefined) return leavesOf(value, '', 0)
  const page = body.slice(0, longestPage)
  if (isHtml(page)) return sayingsInHtml(page)
  const elements = /^\s*</.test(page) ? leavesOfXml(page) : []
  return elements.length > 0 ? elements : [{ name: '', value: page }]
}

function leavesOf(value: unknown, name: string, depth: number): readonly Saying[] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value === '' || secretNames.test(name) ? [] : [{ name, value: String(value) }]
  if (depth >= deepest) return []
  if (isJsonArray(value)) return value.slice(0, mostSayings).flatMap((each) => leavesOf(each, name, depth + 1))
  if (!isJsonObject(value)) return []
  const members = Object.entries(value).slice(0, mostSayings)
  return members.flatMap(([member, each]) => leavesOf(each, name === '' ? member : `${name}.${member}`, depth + 1))
}

export function isHtml(page: string): boolean {
  return /<(!doctype html|html|head|title|body)\b/i.test(page.slice(0, 1_000))
}

/** The title of a page and its text. On many pages the text begins with the words of the title. */
function sayingsInHtml(page: string): readonly Saying[] {
  const title = titleOf(page)
  const body = page.replace(/^[\s\S]*?<\/(head|title)\s{0,9}>/i, ' ')
  const text = asText(
    body.replace(/<(style|script)\b[\s\S]{0,4000}?<\/\1\s{0,9}>/gi, ' ').replace(/<[^<>]{0,1000}>/g, ' '),
  )
  return [
    { name: 'title', value: title },
    { name: 'text', value: text },
  ].filter(({ value }) => value !== '')
}

export function titleOf(page: string): string {
  return asText(/<title[^<>]{0,200}>([^<]{0,500})/i.exec(page)?.[1] ?? '')
}

function leavesOfXml(page: string): readonly Saying[] {
  const leaves = page.matchAll(/<([A-Za-z_][\w.:-]{0,60})(?:\s[^<>]{0,500})?>([^<]{1,2000})<\//g)
  return [...leaves]
    .map(([, name = '', value = '']) => ({ name: name.replace(/^.*:/, ''), value: asText(value) }))
    .filter(({ name, value }) => value !== '' && !secretNames.test(name))
}

const entities: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  '#39': "'",
  nbsp: ' ',
  amp: '&',
}

function asText(markup: string): string {
  const text = markup.replace(/&(lt|gt|quot|apos|#39|nbsp|amp);/g, (_, name: string) => entities[name] ?? ' ')
  return text.replace(/\s+/g, ' ').trim()
}

/**
 * A server's words for the operator: with the server's names, bounded, and without control characters. A saying that repeats a sent
 * secret is left out. Undefined where nothing is left.
 */
export function printableWords(sayings: readonly Saying[], sent: readonly Secret[]): string | undefined {
  const printable = sayings.map((saying) => printableSaying(saying, sent)).filter((each) => each !== '')
  const words = printable.join('; ')
  if (words === '') return undefined
  return words.length <= mostCharacters ? words : `${words.slice(0, mostCharacters - 3)}...`
}

function printableSaying({ name, value }: Saying, sent: readonly Secret[]): string {
  const printable = printableDescription(value.slice(0, mostCharacters), sent)?.trim() ?? ''
  // A name may be as long as a token: a name that looks like one is masked as a whole.
  const isWord = printableDescription(name, sent) !== undefined && /^[\w.:@$-]{1,60}$/.test(name)
  return printable === '' || name === '' ? printable : `${isWord ? name : '[...]'}: ${printable}`
}
