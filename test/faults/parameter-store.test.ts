import { parameterStoreRows } from './rows.ts'
import { testRows } from './run-rows.ts'

testRows('callers, while something is wrong with Parameter Store', parameterStoreRows)
