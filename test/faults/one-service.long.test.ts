import { longRows } from './rows.ts'
import { testRows } from './run-rows.ts'

testRows('callers with the full function time get these answers while one service fails', longRows)
