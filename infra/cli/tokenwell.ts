#!/usr/bin/env node
import { Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { addPut } from './put.ts'
import { addValidate } from './validate.ts'

/*
 * The command `tokenwell`. The npm package has it as `npx tokenwell <command>`, this repository as `npm run tokenwell -- <command>`.
 * Each command is a file beside this one, and one line here.
 */
const program = new Command('tokenwell')
  .description('Checks and manages the elements of a Tokenwell stage.')
  .version(packageJson.version)
  .helpCommand(false)
  .showSuggestionAfterError()
addValidate(program)
addPut(program)
await program.parseAsync()
