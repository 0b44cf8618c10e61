/** Lets the browser keep the page for an outage: registers `sw.js`, where the browser has service workers (over HTTPS, and on this machine). */

/** The address as the page's policy wants it; the policy allows no other one, and may be made once. */
let address = '';

/** Keeps the current version. A browser that refuses has the page only while the server can be reached. */
export async function keepPage() {
  if (!navigator.serviceWorker) return;
  try {
    address ||= workerAddress();
    const registration = await navigator.serviceWorker.register(address, { updateViaCache: 'none' });
    await registration.update(); // browsers look for a new version by themselves, but some minutes later
  } catch {
    // blocked by a setting of the browser, a certificate that it does not trust, or a lost connection: tried again with the next one
  }
}

/** @returns {string} */
function workerAddress() {
  const name = 'sw.js';
  const { trustedTypes } = /** @type {any} */ (window);
  if (!trustedTypes) return name;
  return trustedTypes.createPolicy('studio-pulse', { createScriptURL: () => name }).createScriptURL('');
}
