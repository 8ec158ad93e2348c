import { parameterStoreRows } from './rows.ts'
import { testRows } from './run-rows.ts'

testRows('callers get these answers while Parameter Store fails', parameterStoreRows)
