/** What popup and options page may ask of the worker. A message that is not on the list is refused and changes nothing. */

/** @typedef {'test' | 'dead-letters' | 'totals' | 'requeue' | 'discard' | 'drain' | 'retry-now' | 'reinject'} UiMessageType */
/** @typedef {Record<UiMessageType, () => Promise<unknown>>} UiMessageHandlers */

/** The answer to a message that is refused. */
export const REFUSED = { error: 'unknown_message' };

/**
 * Runs the handler that a message names.
 *
 * @param {UiMessageHandlers} handlers
 * @param {unknown} message
 * @returns {Promise<unknown>} the handler's answer, or `REFUSED`
 */
export async function handleUiMessage(handlers, message) {
  const type = typeof message === 'object' && message !== null && 'type' in message ? message.type : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(handlers, type)) return REFUSED;
  return await handlers[/** @type {UiMessageType} */ (type)]();
}
