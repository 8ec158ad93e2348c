import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { handler } from '../../../functions/issue-token/index.ts'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'

/* One event, as Lambda delivers it. */

const [event = ''] = process.argv.slice(2)
const context = createLocalContext(Date.now())
const answer = (await handler(JSON.parse(event), context)) as APIGatewayProxyStructuredResultV2
const { access_token: token, source } = JSON.parse(answer.body ?? '')
if (answer.statusCode !== 200) throw new Error(`issue-token answers ${answer.body}`)
process.stdout.write(`${source} ${token}`)
process.exit()
