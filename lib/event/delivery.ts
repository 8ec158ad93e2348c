/**
 * How often a message is delivered before the function itself moves it to the dead letters, with the reason. Its queue must
 * allow more: what the queue moves has none.
 */
export const maximumDeliveries = 3
