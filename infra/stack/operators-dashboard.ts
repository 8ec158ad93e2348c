import { Aws } from 'aws-cdk-lib'
import { Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { type FunctionRow, functionIds, functionTable } from './function-table.ts'
import type { StackMetrics } from './stack-metrics.ts'

export interface OperatorsDashboardProps {
  readonly stage: string
  readonly metrics: StackMetrics
}

/** All metrics of a stage on one page. */
export class OperatorsDashboard extends Dashboard {
  constructor(scope: Construct, id: string, { stage, metrics }: OperatorsDashboardProps) {
    const { own, lambda, queue, api } = metrics
    super(scope, id, { dashboardName: `${serviceName(stage)}-${Aws.REGION}` })
    this.addWidgets(
      graph('Tokens handed out, by source', [own.tokensFromMemory, own.tokensFromCache, own.tokensFromServer]),
      graph('Tokens handed out: fewest seconds until expiry', [own.leastSecondsLeft]),
      graph('Token requests, milliseconds', [own.usualTokenRequest, own.slowTokenRequest]),
    )
    this.addWidgets(
      graph('Requests without a token', [
        own.tokenRequestsRefused,
        own.tokenRequestsFailed,
        own.tokenEndpointsRefused,
        own.requestsFailed,
      ]),
      graph('Degraded: cache, records, elements', [
        own.cacheBudgetExceeded,
        own.recordsNotTaken,
        own.recordsNotAuthentic,
        own.reloadsFailed,
      ]),
      graph('HTTP API of Tokenwell', [api.requests, api.clientErrors, api.serverErrors], [api.slowLatency]),
    )
    this.addWidgets(
      graph('API calls', [own.apiCalls, own.apiCallsFailed, own.apiHostsRefused, own.apiTokensRejected]),
      graph('API calls, milliseconds', [own.usualApiCall, own.slowApiCall]),
      ...functionGraphs('api calls', lambda),
    )
    this.addWidgets(
      graph('Warm runs: tokens', [own.warmRenewed, own.warmFailed, own.warmLeft], [own.warmRuns]),
      graph('Warm runs, milliseconds', [own.slowWarmRun]),
      graph('Events', [queue.waiting, queue.deadLetters, own.eventsFailed], [queue.oldestSeconds]),
    )
    this.addWidgets(
      graph('Signing keys: age of the oldest in use, seconds', [own.oldestSigningKey]),
      graph('Signing keys', [own.signingKeysOverdue, own.rotationsFailed, own.publicationsRefused]),
      graph('Published keys: age of the oldest signature, seconds', [own.oldestPublication], [own.reconciliations]),
      ...functionGraphs('signing keys', lambda),
    )
    this.addWidgets(graph('Secrets: fewest days until one expires', [own.fewestDaysOfSecret]))
    this.addWidgets(...functionGraphs('functions', lambda))
  }
}

function graph(title: string, left: IMetric[], right: IMetric[] = []): GraphWidget {
  return new GraphWidget({ title, left, right, width: 8 })
}

function functionGraphs(line: FunctionRow['dashboardLine'], lambda: StackMetrics['lambda']): GraphWidget[] {
  const shown = functionIds.filter((id) => functionTable[id].dashboardLine === line)
  return shown.map((id) => {
    const { invocations, errors, throttles, slowDuration } = lambda[id]
    return graph(functionTable[id].name, [invocations, errors, throttles], [slowDuration])
  })
}
