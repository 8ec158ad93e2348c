import { spawnSync } from 'node:child_process'

/* npm run check [-- --without-tests]: all checks that a change must pass before it lands. */
const commands = [
  ['types', 'tsc -p .'],
  ['lint and format', 'biome check --error-on-warnings .'],
  ['promises and unsafe types', 'oxlint --type-aware functions lib infra test'],
  ['unused code', 'knip'],
  ['English', 'node infra/check-english.ts'],
  ...(process.argv.includes('--without-tests') ? [] : [['layout and everything else', 'node test/run.ts'] as const]),
] as const

for (const [what, command] of commands) {
  console.log(`\n== ${what}: ${command.split(' ')[0]}`)
  const { status } = spawnSync(command, { shell: true, stdio: 'inherit' })
  if (status !== 0) {
    console.error(`\nThe check "${what}" failed. See its output above.`)
    process.exit(1)
  }
}
