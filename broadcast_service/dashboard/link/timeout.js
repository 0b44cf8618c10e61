/** A signal that ends a request after so long, also in browsers without `AbortSignal.timeout`. @param {number} ms @returns {AbortSignal} */
export function timeoutSignal(ms) {
  if (typeof AbortSignal.timeout === 'function') return AbortSignal.timeout(ms);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), ms);
  return controller.signal;
}
