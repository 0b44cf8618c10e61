'use strict';

/**
 * When to read. Three triggers, because Chrome slows the timers of a hidden page to one a minute: an interval, the
 * page's own changes (which are not slowed), and the worker's alarm. Whatever triggers, readings are 5 s apart, no less
 * and no more: each one starts the interval anew.
 */
{
  const INTERVAL_MS = 5000;
  /** A timer that fires a little early must not lose its turn. */
  const EARLY_MS = 250;

  /** An update or removal of the extension leaves this script behind, cut off. */
  const isOrphaned = () => !chrome.runtime?.id;

  /**
   * The worker may die between waking and writing, so one more try; it recognises a reading it already has.
   *
   * @param {ReadingMessage} message
   */
  const tell = async (message) => {
    try {
      await chrome.runtime.sendMessage(message);
    } catch {
      if (!isOrphaned()) await chrome.runtime.sendMessage(message).catch(() => {});
    }
  };

  /** @param {Adapter} adapter */
  const watch = (adapter) => {
    let lastReadAt = 0;

    const read = () => {
      if (isOrphaned()) return stop();
      const readAt = Date.now();
      if (Math.abs(readAt - lastReadAt) < INTERVAL_MS - EARLY_MS) return;
      if (!isOwnPage(adapter, document, location.pathname)) return;
      lastReadAt = readAt;
      clearInterval(timer);
      timer = setInterval(read, INTERVAL_MS);
      void tell({ type: 'reading', platform: adapter.platform, readAt, metrics: readMetrics(adapter, document) });
    };

    const stop = () => {
      clearInterval(timer);
      observer.disconnect();
    };

    let timer = setInterval(read, INTERVAL_MS);
    const observer = new MutationObserver(read);
    observer.observe(document, { subtree: true, childList: true, characterData: true });
    chrome.runtime.onMessage.addListener((message) => { if (message?.type === 'read') read(); });
    read();
  };

  const adapter = adapterForHost(location.hostname);
  if (adapter) watch(adapter);
}
