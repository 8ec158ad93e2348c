import { togetherRows } from './rows.ts'
import { testRows } from './run-rows.ts'

testRows('callers get these answers while all three services fail', togetherRows)
