'use strict';

/**
 * When to check the page, and when to send. The page is checked every second, a reading is sent every five seconds. Chrome slows the
 * timers of a hidden page to one a minute, so the page's own changes (which are not slowed) and the worker's alarm also
 * trigger checks.
 */
{
  const CHECK_MS = 1000;
  const INTERVAL_MS = 5000;
  /** A timer that fires a little early must not lose its turn. */
  const EARLY_MS = 250;
  /** A page that never finishes loading is read after this time. */
  const MAX_LOADING_MS = 15_000;
  /** A broadcast page shows whose it is a while after it has loaded. */
  const UNPROVEN_MS = 10_000;
  /** How long a reading waits for a number that is about to settle or to be drawn; then it is sent without. */
  const WAIT_MS = /** @type {const} */ ({
    tokens: { unsettled: 11_500, absent: 6000 },
    viewers: { unsettled: 2000, absent: 0 },
  });
  const START_EVERY_MS = 60_000;
  const ANSWER_WITHIN_MS = 5000;
  /** Used where the worker does not answer. @type {StartAnswer} */
  const DEFAULTS = { accountKey: '', camsodaEnabled: false, last: null };

  /** An update or removal of the extension leaves this script behind, cut off. */
  const isOrphaned = () => !chrome.runtime?.id;

  /**
   * The worker may die between waking and writing, so one more try; it recognises a reading it already has.
   *
   * @param {ReadingMessage | PageMessage | StartMessage} message
   * @returns {Promise<any>}
   */
  const send = async (message) => {
    try {
      return await chrome.runtime.sendMessage(message);
    } catch {
      return isOrphaned() ? null : chrome.runtime.sendMessage(message).catch(() => null);
    }
  };

  /** @param {Adapter} adapter */
  const watch = (adapter) => {
    const { platform } = adapter;
    const startedAt = performance.now();
    let lastCheckAt = -Infinity;
    let lastSentAt = -Infinity;
    let path = location.pathname;
    let pathSince = -Infinity;
    /** @type {Ownership} */
    let owned = 'none';
    let ownedSince = startedAt;
    let stability = newStability();
    /** @type {Partial<Record<MetricName, number>>} since when a number is not read */
    let absentSince = {};
    /** @type {StartAnswer | null} null until the worker has answered */
    let answer = null;
    let askedAt = -Infinity;
    /** @type {{ name: string, key: string | null, mark?: string, isReady: boolean }} */
    let account = { name: '', key: null, isReady: false };

    /** Another account: earlier numbers do not apply to it. */
    const resetStability = () => {
      stability = newStability();
      absentSince = {};
    };

    /** @param {number} now */
    const start = (now) => {
      askedAt = now;
      const asked = now;
      const take = (/** @type {StartAnswer | null | undefined} */ given) => {
        if (asked !== askedAt || (answer && !given)) return;
        const isFirst = !answer;
        answer = { ...DEFAULTS, ...given };
        if (isFirst) checkNow();
      };
      setTimeout(() => {
        if (!answer) take(null);
      }, ANSWER_WITHIN_MS);
      void send({ type: 'start', platform }).then(take, () => take(null));
    };

    /** Starts to find the mark of the account on the page; false until it is known. */
    const isAccountKnown = () => {
      const name = accountName(adapter, path) ?? '';
      if (account.name !== name) {
        account = { name, key: null, isReady: false };
        resetStability();
      }
      if (answer && account.key !== answer.accountKey) {
        const { accountKey, last } = answer;
        const begun = { name, key: accountKey, isReady: false };
        account = begun;
        const known = (/** @type {string | undefined} */ mark) => {
          if (account !== begun) return;
          account = { ...begun, isReady: true, ...(mark !== undefined && { mark }) };
          if (last && last.account === mark) stability.confirmed.tokens ??= last.tokens;
          checkNow();
        };
        if (name === '') void Promise.resolve(undefined).then(known);
        else void accountMark(accountKey, platform, name).then(known, () => known(undefined));
      }
      return account.isReady;
    };

    /** @param {Ownership} state @param {number} now */
    const setOwnership = (state, now) => {
      if (state === owned) return;
      owned = state;
      ownedSince = now;
      stability.seen = {};
      absentSince = {};
    };

    /** Whether a number that is not read is worth waiting for. @param {Metrics} settled @param {number} now */
    const isWaiting = (settled, now) => {
      let waits = false;
      for (const name of /** @type {const} */ (['tokens', 'viewers'])) {
        const { status } = settled[name] ?? { status: 'ok' };
        if (status === 'ok') delete absentSince[name];
        else {
          absentSince[name] ??= now;
          if (now - absentSince[name] < WAIT_MS[name][status === 'unsettled' ? 'unsettled' : 'absent']) waits = true;
        }
      }
      return waits;
    };

    /** @param {number} now */
    const isDue = (now) => now - lastSentAt >= INTERVAL_MS - EARLY_MS;

    /** @param {PageState} page @param {number} now */
    const reportPage = (page, now) => {
      if (now - ownedSince < UNPROVEN_MS || !isDue(now)) return;
      lastSentAt = now;
      void send({ type: 'page', platform, seenAt: Date.now(), page });
    };

    const checkPage = () => {
      if (isOrphaned()) return stop();
      const now = performance.now();
      if (now - lastCheckAt < CHECK_MS - EARLY_MS) return;
      lastCheckAt = now;
      if (document.readyState === 'loading' && now - startedAt < MAX_LOADING_MS) return;
      if (path !== location.pathname) {
        path = location.pathname;
        pathSince = now;
        owned = 'none';
      }
      // A single-page app changes its address before it has replaced the content of the page.
      if (now - pathSince < INTERVAL_MS) return;
      const state = ownership(adapter, document, path, now);
      setOwnership(state, now);
      if (state === 'none') return;
      if (now - askedAt >= START_EVERY_MS) start(now);
      if (adapter.enabledBy && !answer?.[adapter.enabledBy])
        return answer ? reportPage('switched_off', now) : undefined;
      if (state === 'unproven') return reportPage('unproven', now);
      if (!isAccountKnown()) return;
      const settled = settle(stability, readMetrics(adapter, document, now), now);
      const waits = isWaiting(settled, now);
      const isUnsettled = Object.values(settled).some(({ status }) => status === 'unsettled');
      if (isUnsettled) checkSoon();
      if (waits || !isDue(now)) return;
      lastSentAt = now;
      const { mark } = account;
      void send({
        type: 'reading',
        platform,
        readAt: Date.now(),
        metrics: settled,
        ...(mark !== undefined && { account: mark }),
      });
    };

    /** A check need not wait any longer. */
    const checkNow = () => {
      lastCheckAt = -Infinity;
      checkPage();
    };

    /** The interval of a hidden page is a minute; a timer that a change of the page has set is not. */
    const checkSoon = () => {
      clearTimeout(again);
      again = setTimeout(checkPage, CHECK_MS);
    };

    /** @param {{ type?: unknown } | undefined} message */
    const onMessage = (message) => {
      if (message?.type === 'read') checkPage();
    };
    /** A page restored from the browser's cache still shows the numbers from when it was left. @param {PageTransitionEvent} event */
    const onShow = ({ persisted }) => {
      if (persisted) stability.seen = {};
    };

    const stop = () => {
      clearInterval(timer);
      clearTimeout(again);
      observer.disconnect();
      document.removeEventListener('readystatechange', checkPage);
      removeEventListener('pageshow', onShow);
      if (!isOrphaned()) chrome.runtime.onMessage.removeListener(onMessage);
    };

    const timer = setInterval(checkPage, CHECK_MS);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let again;
    const observer = new MutationObserver(checkPage);
    observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: false });
    document.addEventListener('readystatechange', checkPage);
    addEventListener('pageshow', onShow);
    chrome.runtime.onMessage.addListener(onMessage);
    checkPage();
    return stop;
  };

  // A second injection, as after an installation or an update, takes over from the first.
  globalThis.studioPulseStop?.();
  const own = adapterForHost(location.hostname);
  globalThis.studioPulseStop = own ? watch(own) : undefined;
}
