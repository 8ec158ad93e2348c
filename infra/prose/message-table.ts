import { readErrorClasses, readSources, type SourceText, textsOf } from './source-texts.ts'

const introduction = `# Messages

Every text that Tokenwell can show to a caller, an operator or a developer, with its code and its place in the source.
\`npm run messages\` writes this page. \`<name>\` is a value.

| code | where | text |
| --- | --- | --- |
`

/** The page \`lib/log/messages.md\`, made from the source. */
export function messageTable(root: string): string {
  return `${introduction}${messagesOf(root).map(rowOf).join('')}`
}

/** All texts of what runs, and of the tests only what asks for an install. */
function messagesOf(root: string): SourceText[] {
  const sources = readSources(root, ['functions', 'lib', 'infra']).filter(
    ({ path }) => !path.startsWith('infra/prose/'),
  )
  const tests = readSources(root, ['test/support'])
  const classes = readErrorClasses([...sources, ...tests])
  const installs = tests
    .flatMap((file) => textsOf(file, classes))
    .filter(({ code, text }) => code === 'error' && /\binstall\b/i.test(text))
  return [...sources.flatMap((file) => textsOf(file, classes)), ...installs]
}

function rowOf({ code, path, within, text }: SourceText): string {
  const place = within === '' ? `\`${path}\`` : `\`${path}\` \`${within}\``
  return `| ${code === '' ? '' : `\`${code}\``} | ${place} | ${escaped(text)} |\n`
}

/** In Markdown, in one line. */
function escaped(text: string): string {
  return text
    .trim()
    .replace(/[\\`*_<>|[\]~#]/g, '\\$&')
    .replace(/\s+/g, ' ')
}
