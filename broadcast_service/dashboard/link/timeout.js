/** A signal that ends a request after so long, also in browsers without `AbortSignal.timeout`. @param {number} ms @returns {AbortSignal} */
export function timeoutSignal(ms) {
  if (typeof AbortSignal.timeout === 'function') return AbortSignal.timeout(ms);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}

/**
 * Ends a request whose body is not read. Without it the browser keeps the request open until its time limit, and a body that is larger than
 * the browser's buffer keeps its connection. @param {Response} response
 */
export function discard(response) {
  response.body?.cancel().catch(() => {}); // the connection may be gone already
}
