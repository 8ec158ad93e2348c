/** A price that falls with the quantity of a month: the price of a unit up to each quantity. */
export type Tiers = readonly (readonly [upTo: number, dollars: number])[]

export interface Price {
  readonly what: string
  /** How many of them the price on the page is for, and what they are. */
  readonly unit: readonly [count: number, name: string]
  /** For a single one of them. */
  readonly tiers: Tiers
  /** AWS's own address of the price. */
  readonly address: string
  /** Where the figure was read: a stored copy of that page, or a text that quotes it. */
  readonly readIn: string
}

const million = 1e6
const billion = 1e9
const terabyte = 1_024
const priceList = 'https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws'

/** One price for any quantity. */
function flat(dollars: number, count = 1): Tiers {
  return [[Infinity, dollars / count]]
}

/** The list prices of us-east-1 in US dollars, without free tiers, taxes and savings plans. */
export const prices = {
  httpApiRequest: {
    what: 'HTTP API',
    unit: [million, 'requests, for each 512 KB'],
    tiers: [
      [300 * million, 1 / million],
      [Infinity, 0.9 / million],
    ],
    address:
      'https://docs.aws.amazon.com/whitepapers/latest/best-practices-api-gateway-private-apis-integration/cost-optimization.html',
    readIn: 'the page',
  },
  lambdaRequest: {
    what: 'Lambda requests',
    unit: [million, 'requests'],
    tiers: flat(0.2, million),
    address: `${priceList}/AWSLambda/current/us-east-1/index.json`,
    readIn: 'a quotation, 2026-09',
  },
  lambdaGigabyteSecond: {
    what: 'Lambda on arm64',
    unit: [1, 'GB-second'],
    tiers: [
      [7.5 * billion, 0.0000133334],
      [18.75 * billion, 0.0000120001],
      [Infinity, 0.0000106667],
    ],
    address: `${priceList}/AWSLambda/current/us-east-1/index.json`,
    readIn: 'a quotation, 2026-09',
  },
  readUnit: {
    what: 'DynamoDB on demand, reads',
    unit: [million, 'read units of 4 KB'],
    tiers: flat(0.125, million),
    address: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
    readIn: 'a quotation, 2025-07',
  },
  writeUnit: {
    what: 'DynamoDB on demand, writes',
    unit: [million, 'write units of 1 KB'],
    tiers: flat(0.625, million),
    address: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
    readIn: 'a quotation, 2025-07',
  },
  tableGigabyte: {
    what: 'DynamoDB storage',
    unit: [1, 'GB in a month'],
    tiers: flat(0.25),
    address: 'https://aws.amazon.com/dynamodb/pricing/on-demand/',
    readIn: 'a quotation, 2019-12: nothing newer found',
  },
  secret: {
    what: 'Secrets Manager, secrets and replicas',
    unit: [1, 'secret in a month'],
    tiers: flat(0.4),
    address: 'https://aws.amazon.com/secrets-manager/pricing/',
    readIn: 'a quotation, 2026-09',
  },
  secretCall: {
    what: 'Secrets Manager, calls',
    unit: [10_000, 'calls'],
    tiers: flat(0.05, 10_000),
    address: 'https://aws.amazon.com/secrets-manager/pricing/',
    readIn: 'a quotation, 2026-09',
  },
  advancedParameter: {
    what: 'Parameter Store, advanced parameters',
    unit: [1, 'parameter in a month; standard parameters cost nothing'],
    tiers: flat(0.05),
    address: 'https://aws.amazon.com/systems-manager/pricing/',
    readIn: 'a quotation, 2025-10',
  },
  parameterInteraction: {
    what: 'Parameter Store, reads of advanced parameters, or of all with the higher throughput',
    unit: [10_000, 'parameters read'],
    tiers: flat(0.05, 10_000),
    address: 'https://aws.amazon.com/systems-manager/pricing/',
    readIn: 'a quotation without a date',
  },
  customEvent: {
    what: 'EventBridge, events of Tokenwell and of operators; events of AWS services cost nothing',
    unit: [million, 'events'],
    tiers: flat(1, million),
    address: 'https://aws.amazon.com/eventbridge/pricing/',
    readIn: 'a quotation, 2026-03',
  },
  scheduledCall: {
    what: 'EventBridge Scheduler',
    unit: [million, 'calls'],
    tiers: flat(1, million),
    address: 'https://aws.amazon.com/eventbridge/pricing/',
    readIn: 'a quotation, 2026-03',
  },
  queueRequest: {
    what: 'SQS, standard queues',
    unit: [million, 'requests'],
    tiers: flat(0.4, million),
    address: 'https://aws.amazon.com/sqs/pricing/',
    readIn: 'a quotation, 2026-03',
  },
  kmsKey: {
    what: 'KMS, keys',
    unit: [1, 'key in a month'],
    tiers: flat(1),
    address: 'https://aws.amazon.com/kms/pricing/',
    readIn: 'the page',
  },
  kmsRequest: {
    what: 'KMS, `Sign` and `GetPublicKey` of an elliptic curve; a price for RSA keys was not found',
    unit: [10_000, 'requests'],
    tiers: flat(0.15, 10_000),
    address: 'https://aws.amazon.com/kms/pricing/',
    readIn: 'a quotation, 2026-10',
  },
  functionLogGigabyte: {
    what: 'CloudWatch, logs of Lambda functions',
    unit: [1, 'GB'],
    tiers: [
      [10 * terabyte, 0.5],
      [30 * terabyte, 0.25],
      [50 * terabyte, 0.1],
      [Infinity, 0.05],
    ],
    address:
      'https://aws.amazon.com/blogs/compute/aws-lambda-introduces-tiered-pricing-for-amazon-cloudwatch-logs-and-additional-logging-destinations/',
    readIn: 'a quotation, 2026',
  },
  accessLogGigabyte: {
    what: 'CloudWatch, the access log; lower prices for large quantities were not found',
    unit: [1, 'GB'],
    tiers: flat(0.5),
    address: 'https://aws.amazon.com/cloudwatch/pricing/',
    readIn: 'a quotation, 2026-06',
  },
  storedLogGigabyte: {
    what: 'CloudWatch, stored logs; AWS compresses them, by how much was not found',
    unit: [1, 'GB in a month'],
    tiers: flat(0.03),
    address: 'https://aws.amazon.com/cloudwatch/pricing/',
    readIn: 'a quotation without a date',
  },
  customMetric: {
    what: 'CloudWatch, custom metrics',
    unit: [1, 'metric in a month'],
    tiers: [
      [10_000, 0.3],
      [250_000, 0.1],
      [million, 0.05],
      [Infinity, 0.02],
    ],
    address: 'https://aws.amazon.com/cloudwatch/pricing/',
    readIn: 'a quotation, 2022-04; the first tier also 2026',
  },
  alarm: {
    what: 'CloudWatch, alarms',
    unit: [1, 'metric that an alarm watches, in a month'],
    tiers: flat(0.1),
    address: 'https://aws.amazon.com/cloudwatch/pricing/',
    readIn: 'a quotation without a date',
  },
  dashboard: {
    what: 'CloudWatch, dashboards',
    unit: [1, 'dashboard in a month'],
    tiers: flat(3),
    address: 'https://aws.amazon.com/cloudwatch/pricing/',
    readIn: 'a quotation, 2026-06',
  },
  trace: {
    what: 'X-Ray',
    unit: [million, 'traces recorded'],
    tiers: flat(5, million),
    address: 'https://aws.amazon.com/xray/pricing/',
    readIn: 'the page',
  },
  transferGigabyte: {
    what: 'Data to callers on the internet',
    unit: [1, 'GB'],
    tiers: [
      [10 * terabyte, 0.09],
      [50 * terabyte, 0.085],
      [150 * terabyte, 0.07],
      [Infinity, 0.05],
    ],
    address: `${priceList}/AWSDataTransfer/current/index.json`,
    readIn: 'a quotation, 2026-09',
  },
  smallValkeyNode: {
    what: 'ElastiCache for Valkey, `cache.t4g.micro`',
    unit: [1, 'node in an hour'],
    tiers: flat(0.0128),
    address: `${priceList}/AmazonElastiCache/current/us-east-1/index.json`,
    readIn: 'a quotation, 2026-09',
  },
  largeValkeyNode: {
    what: 'ElastiCache for Valkey, `cache.m7g.large`',
    unit: [1, 'node in an hour'],
    tiers: flat(0.1264),
    address: `${priceList}/AmazonElastiCache/current/us-east-1/index.json`,
    readIn: 'a quotation, 2026-09',
  },
  natGateway: {
    what: 'NAT gateway of a VPC; each GB through it costs 0.045 dollars more',
    unit: [1, 'gateway in an hour'],
    tiers: flat(0.045),
    address: 'https://aws.amazon.com/vpc/pricing/',
    readIn: 'a quotation without a date',
  },
} as const satisfies Readonly<Record<string, Price>>

export type PriceName = keyof typeof prices

/** What a quantity of one month costs. */
export function costOf(name: PriceName, quantity: number): number {
  const tiers: Tiers = prices[name].tiers
  let below = 0
  let dollars = 0
  for (const [upTo, price] of tiers) {
    dollars += Math.max(0, Math.min(quantity, upTo) - below) * price
    below = upTo
  }
  return dollars
}
