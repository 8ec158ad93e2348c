import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TextlintKernel } from '@textlint/kernel'
import markdown from '@textlint/textlint-plugin-markdown'
import { rejectTranslatedPhrases, warnOfLongSentences } from './page-rules.ts'
import { readSources, type SourceFile, titlesOf } from './source-texts.ts'
import { findTranslatedPhrases, withoutCode } from './translated-phrases.ts'

/** What is wrong with a sentence, and where it is. */
export interface Complaint {
  /** Relative to the repository's root. */
  readonly path: string
  /** From 1. */
  readonly line: number
  readonly message: string
  /** A warning doesn't fail the check. */
  readonly severity: 'error' | 'warning'
}

/** Checks every page in version control, the message table among them. */
export async function checkPages(root: string): Promise<Complaint[]> {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
  })
  const paths = listed.toString().split('\0').filter(Boolean).sort()
  const pages = await Promise.all(paths.map((path) => checkPage(path, readFileSync(join(root, path), 'utf8'))))
  return pages.flat()
}

/** @param text in Markdown */
export async function checkPage(path: string, text: string): Promise<Complaint[]> {
  const { messages } = await new TextlintKernel().lintText(text, {
    ext: '.md',
    plugins: [{ pluginId: 'markdown', plugin: markdown.default }],
    rules: [
      { ruleId: 'translated-phrases', rule: rejectTranslatedPhrases, options: { severity: 'error' } },
      { ruleId: 'long-sentences', rule: warnOfLongSentences, options: { severity: 'warning' } },
    ],
  })
  return messages.map(({ loc, message, severity }) => ({
    path,
    line: loc.start.line,
    message,
    severity: severity === 2 ? 'error' : 'warning',
  }))
}

/** Checks every comment and every title of a test. */
export function checkSources(root: string): Complaint[] {
  return readSources(root, ['functions', 'lib', 'infra', 'test']).flatMap(checkSource)
}

export function checkSource(file: SourceFile): Complaint[] {
  const comments = file.comments.map(({ value, start }) => ({ text: value.replace(/^ *\*/gm, ''), start }))
  return [...comments, ...titlesOf(file)].flatMap(({ text, start }) =>
    findTranslatedPhrases(withoutCode(text)).map(({ message }) => ({
      path: file.path,
      line: file.source.slice(0, start).split('\n').length,
      message,
      severity: 'error' as const,
    })),
  )
}
