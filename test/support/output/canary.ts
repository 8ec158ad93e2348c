import assert from 'node:assert/strict'
import { subscribe } from 'node:diagnostics_channel'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { logChannel } from '../../../lib/adapters/log/powertools.ts'

/*
 * Each test file plants all its keys, passwords, assertions and tokens, and overhears everything that the function logs
 * or answers. After the file's tests, nothing planted may appear in anything overheard.
 */

const planted = new Set<string>()
const overheard: string[] = []
/** Shorter secrets appear in any text by chance. */
const shortestCanary = 12

export function plant(secret: string | null | undefined): void {
  if (secret && secret.length >= shortestCanary) planted.add(secret)
}

/** Plants each private part of each secret in a folder. */
export function plantSecrets(folder: string): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('-ca')) continue
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8')
    const privateMembers = [...text.matchAll(/"(?:d|p|q|dp|dq|qi|k|passphrase)":\s*"([^"]+)"/g)].map(
      ([, member]) => member,
    )
    const pemLines = [...text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END /gs)].flatMap(
      ([, lines]) => lines?.split(/\s|\\n/) ?? [],
    )
    for (const each of [...privateMembers, ...pemLines]) plant(each)
    if (privateMembers.length === 0) plant(text.trim())
  }
}

export function overhear(text: string): void {
  overheard.push(text)
}

/**
 * Overhears an answer to a caller. It removes the token from the one member that may hold it, and plants that token as
 * a secret.
 */
export function overhearAnswer(answer: unknown): void {
  overhear(
    JSON.stringify(answer, (name, value) => {
      if (name === 'body' && typeof value === 'string' && value.startsWith('{')) return JSON.parse(value)
      if (name !== 'access_token') return value
      plant(String(value))
      return undefined
    }),
  )
}

/** The planted secrets that were overheard, in any form that a request or an answer gives them, by their first letters. */
export function leaks(secrets: Iterable<string>, texts: readonly string[]): string[] {
  const all = texts.join('\n')
  return [...secrets].flatMap((secret) => {
    const form = formsOf(secret).find((each) => all.includes(each))
    if (form === undefined) return []
    const text = texts.find((each) => each.includes(form)) ?? ''
    return [`${secret.slice(0, 6)}... in ${text.slice(0, 200)}`]
  })
}

/** As it is, escaped in JSON once and twice, encoded for a URL and a form, and in hex and Base64 at each place in the encoded text. */
export function formsOf(secret: string): readonly string[] {
  const escaped = JSON.stringify(secret).slice(1, -1)
  const encoded = encodeURIComponent(secret)
  return [
    ...new Set([
      ...[secret, escaped, JSON.stringify(escaped).slice(1, -1)],
      ...[encoded, encoded.replaceAll('%20', '+'), Buffer.from(secret).toString('hex')],
      ...(['base64', 'base64url'] as const).flatMap((alphabet) =>
        [0, 1, 2].map((before) => inBase64(secret, before, alphabet)),
      ),
    ]),
  ]
}

/** The part that every Base64 text with the secret after so many bytes has. */
function inBase64(secret: string, before: number, alphabet: 'base64' | 'base64url'): string {
  const text = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]).toString(alphabet)
  return text.replace(/=+$/, '').slice(before === 0 ? 0 : before + 1, -1)
}

subscribe(logChannel, (event) => overhear(JSON.stringify(event)))
after(() => assert.deepEqual(leaks(planted, overheard), [], 'a secret was logged or answered'))
