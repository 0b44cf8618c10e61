/** The tabs with broadcast pages: kept awake while they report, read again after an update, and named when Chrome keeps us out. */
import { withTimeout } from './timeouts.js';

const ANSWER_MS = 3000;
/** @returns {string[]} */
const sites = () => chrome.runtime.getManifest().content_scripts?.[0]?.matches ?? [];

/** Chrome's Memory Saver takes a hidden tab's page away; a tab that reports must not be hidden away. @param {number} tabId */
export const preventDiscarding = (tabId) => chrome.tabs.update(tabId, { autoDiscardable: false }).catch(() => {});

/** Tabs that no longer report are Chrome's to put to sleep again. @param {number[]} tabIds */
export const allowDiscarding = (tabIds) =>
  Promise.all(tabIds.map((tabId) => chrome.tabs.update(tabId, { autoDiscardable: true }).catch(() => {})));

/**
 * Which of the pages that were read Chrome has put to sleep.
 *
 * @param {Record<string, PlatformStatus>} platforms
 * @returns {Promise<Record<string, PlatformStatus>>}
 */
export async function withSleepState(platforms) {
  const looked = await Promise.all(
    Object.entries(platforms).map(async ([name, { asleep: _before, ...status }]) => {
      const tab = await withTimeout(ANSWER_MS, chrome.tabs.get(status.tabId)).catch(() => null);
      const asleep = tab?.discarded ? 'discarded' : tab && 'frozen' in tab && tab.frozen ? 'frozen' : null;
      return /** @type {[string, PlatformStatus]} */ ([name, asleep ? { ...status, asleep } : status]);
    }),
  );
  return Object.fromEntries(looked);
}

/**
 * Sites that a person or a policy keeps the extension away from. `permissions.contains` is no help: it returns false for a site
 * that content scripts may read.
 *
 * @returns {Promise<string[]>} patterns of the manifest
 */
export async function withheldSites() {
  const granted = await withTimeout(ANSWER_MS, chrome.permissions.getAll()).catch(() => null);
  if (!granted?.origins) return [];
  return sites().filter((pattern) => !granted.origins?.includes(pattern));
}

/**
 * After an installation or an update the pages that are open have no script of this version: Chrome starts one only in pages
 * that load afterwards, and reloading a broadcast page ends the show. A page that answers has one already.
 */
export async function reinjectScripts() {
  const script = chrome.runtime.getManifest().content_scripts?.[0];
  const tabs = await chrome.tabs.query({ url: sites() }).catch(() => []);
  await Promise.all(
    tabs.map(async ({ id, discarded }) => {
      if (id === undefined || discarded || !script?.js) return;
      const isThere = await withTimeout(ANSWER_MS, chrome.tabs.sendMessage(id, { type: 'read' }, { frameId: 0 })).then(
        () => true,
        isAnswered,
      );
      if (!isThere) await chrome.scripting.executeScript({ target: { tabId: id }, files: script.js }).catch(() => {});
    }),
  );
}

/** A script that listens and does not reply closes the port; only a page without one has no receiving end. @param {unknown} error */
const isAnswered = (error) => !/Receiving end does not exist/u.test(String(error));
