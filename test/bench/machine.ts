import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { peerNames } from './peers.ts'

/** Writes to the README on which machine and with which versions its figures were measured. */
export function keepMachine(): void {
  const path = join(import.meta.dirname, 'README.md')
  const line = /^Measured on .*$/m
  writeFileSync(path, readFileSync(path, 'utf8').replace(line, machine()))
}

function machine(): string {
  const [cpu] = cpus()
  const versions = ['undici', 'jose', ...peerNames].map((name) => `${name} ${versionOf(name)}`)
  const day = new Date().toISOString().slice(0, 10)
  return `Measured on ${day}, ${cpus().length} cores of ${cpu?.model.trim()}, Node.js ${process.version}, ${versions.join(', ')}.`
}

function versionOf(name: string): string {
  const root = join(import.meta.dirname, '..', '..')
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return { ...dependencies, ...devDependencies }[name]
}
