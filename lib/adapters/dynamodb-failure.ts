import { RecordStoreError } from '../token-cache/record-store-error.ts'
import { classifyAwsFailure, reasonOfAwsFailure } from './aws-failure.ts'

/** DynamoDB's own, beside those that any service has: none of them has done anything. */
const contended = ['ReplicatedWriteConflictException', 'ThrottlingError', 'TransactionConflictException']

export interface FailedCall {
  readonly tableName: string
  readonly of: 'records' | 'index'
}

const keys = 'its key is name (S), those of its index due are dueShard (S) and dueAt (N)'
const rights = {
  records: 'dynamodb:GetItem, BatchGetItem and PutItem on it',
  index: 'dynamodb:Query on its index due',
}
const doubts = {
  records: 'is its key name (S), and no other',
  index: 'has it an index due with the keys dueShard (S) and dueAt (N), and is that filled',
}

/** What the SDK throws, as an error of ours. Of the original only its name is kept: it may hold the item. */
export function describeFailure(error: unknown, { tableName, of }: FailedCall): RecordStoreError {
  if (error instanceof RecordStoreError) return error
  const [failure, reason] = [classifyAwsFailure(error), reasonOfAwsFailure(error)]
  if (failure === 'throttled' || contended.includes(reason)) return throttledError(tableName)
  const table = `The DynamoDB table ${tableName}`
  switch (failure) {
    case 'missing':
      return new RecordStoreError(`${table} does not exist in this account and region: create it, ${keys}.`)
    case 'denied':
      return new RecordStoreError(`${table} is refused (${reason}): allow ${rights[of]}, and the use of its key.`)
    case 'unreachable':
      return new RecordStoreError(`${table} did not answer in time, or can't be reached (${reason}).`)
    case undefined:
      return new RecordStoreError(`${table} does not take the request (${reason}): ${doubts[of]}?`)
  }
}

export function throttledError(tableName: string): RecordStoreError {
  return new RecordStoreError(`The DynamoDB table ${tableName} asks to wait: is its capacity enough?`, {
    isThrottled: true,
  })
}
