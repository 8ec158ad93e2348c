import { longRows } from './rows.ts'
import { testRows } from './run-rows.ts'

testRows('callers who have all the time there is, while something is wrong with one service', longRows)
