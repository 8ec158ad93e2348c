import { dynamodbRows } from './rows.ts'
import { testRows } from './run-rows.ts'

testRows('callers get these answers while DynamoDB fails', dynamodbRows)
