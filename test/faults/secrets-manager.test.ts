import { secretsManagerRows } from './rows.ts'
import { testRows } from './run-rows.ts'

testRows('callers get these answers while Secrets Manager fails', secretsManagerRows)
