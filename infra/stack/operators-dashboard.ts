import { Aws } from 'aws-cdk-lib'
import { Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import { serviceName } from '../../lib/configuration/surroundings.ts'
import type { StackMetrics } from './stack-metrics.ts'

export interface OperatorsDashboardProps {
  readonly stage: string
  readonly metrics: StackMetrics
}

/** How a stage fares, on one page. */
export class OperatorsDashboard extends Dashboard {
  constructor(scope: Construct, id: string, { stage, metrics: { own, lambda, api } }: OperatorsDashboardProps) {
    super(scope, id, { dashboardName: `${serviceName(stage)}-${Aws.REGION}` })
    this.addWidgets(
      graph('Tokens handed out, by source', [own.tokensFromMemory, own.tokensFromCache, own.tokensFromServer]),
      graph('Seconds left of a token handed out, the least', [own.leastSecondsLeft]),
      graph('Token requests, milliseconds', [own.usualTokenRequest, own.slowTokenRequest]),
    )
    this.addWidgets(
      graph('Without a token', [own.tokenRequestsRefused, own.tokenRequestsFailed, own.requestsFailed]),
      graph('Going on without', [own.cacheBudgetExceeded, own.reloadsFailed]),
      graph('API', [api.requests, api.clientErrors, api.serverErrors], [api.slowLatency]),
    )
    this.addWidgets(graph('Function', [lambda.invocations, lambda.errors, lambda.throttles], [lambda.slowDuration]))
  }
}

function graph(title: string, left: IMetric[], right: IMetric[] = []): GraphWidget {
  return new GraphWidget({ title, left, right, width: 8 })
}
