import { createPublications, type PublicationsParts } from '../publication/publications.ts'
import { withMemory } from '../publication/remembered-publication.ts'
import { type BudgetParts, createBudget } from '../token-cache/budget.ts'

/** No token waits for it. */
const budgetMilliseconds = 2_000

/** The published keys: for who changes them, and for who shows them to anybody. */
export function createPublicationParts(
  ports: Omit<BudgetParts, 'budgetMilliseconds'> & Omit<PublicationsParts, 'budget'>,
) {
  const { store, now, random, randomId, pause, log } = ports
  const budget = createBudget({ budgetMilliseconds, now, random, pause, log })
  const publications = createPublications({ store, budget, now, randomId })
  return { publications, readPublication: withMemory(publications.read, now) }
}
