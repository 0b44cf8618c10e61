/*
 * The first script of the page: classic, without imports and in old syntax, so that it also runs in browsers that cannot run the rest.
 *
 * 1. It takes a link's token or code out of the address before anything can fail.
 * 2. It checks that the browser has what the modules need.
 * 3. Until app.js has started, a script that fails (files of two versions, an interrupted load) causes one reload; if that does not help,
 *    the line in #boot stays in view.
 */
(function () {
  /** @type {any} */
  var page = window;
  var pulse = { link: '', fit: true, started: start };
  var begun = false;
  var failed = false;
  page.studioPulse = pulse;

  try {
    takeLink();
  } catch {
    location.hash = '';
  }

  function takeLink() {
    if (!/[#&](token|code|pair)=/u.test(location.hash)) return;
    pulse.link = location.hash;
    history.replaceState(history.state, '', location.pathname + location.search);
    sessionStorage.setItem('studio-pulse.link', pulse.link); // so that the reload below finds it
  }

  /** @type {[any, string][]} */
  var needs = [
    [Array.prototype, 'at'],
    [Array.prototype, 'flatMap'],
    [Array.prototype, 'flat'],
    [Array.prototype, 'includes'],
    [Object, 'fromEntries'],
    [Object, 'entries'],
    [Object, 'values'],
    [String.prototype, 'padStart'],
    [String.prototype, 'replaceAll'],
    [Element.prototype, 'replaceChildren'],
    [Element.prototype, 'replaceWith'],
    [Element.prototype, 'append'],
    [Element.prototype, 'closest'],
    [Element.prototype, 'animate'],
    [Element.prototype, 'getAnimations'],
    [Element.prototype, 'toggleAttribute'],
    [page, 'ResizeObserver'],
    [page, 'IntersectionObserver'],
    [page, 'WebSocket'],
    [page, 'fetch'],
    [page, 'AbortController'],
    [page, 'URL'],
    [page, 'URLSearchParams'],
    [page, 'FormData'],
    [page, 'matchMedia'],
    [page, 'requestAnimationFrame'],
    [page, 'HTMLDialogElement'],
    [page, 'HTMLTemplateElement'],
    [page, 'WeakMap'],
    [page, 'Promise'],
    [page, 'Intl'],
    [page.Intl, 'PluralRules'],
    [page.Intl, 'NumberFormat'],
    [page.Intl, 'DateTimeFormat'],
    [page.Intl, 'Collator'],
    [page.HTMLScriptElement && page.HTMLScriptElement.prototype, 'noModule'],
    [page.HTMLDialogElement && page.HTMLDialogElement.prototype, 'showModal'],
  ];
  for (var i = 0; i < needs.length; i++) {
    var owner = (needs[i] || [])[0];
    var name = (needs[i] || [])[1];
    if (!owner || !(name in owner) || (owner === page && !page[name])) pulse.fit = false;
  }

  addEventListener(
    'error',
    function (event) {
      var script = event.target instanceof HTMLScriptElement;
      if (begun || !(script || event instanceof ErrorEvent)) return;
      if (failed) return;
      failed = true;
      if (pulse.fit && !(history.state && history.state.retried)) setTimeout(reload, 1000);
      else show();
    },
    true,
  );

  if (!pulse.fit) {
    if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', show);
    else show();
  }

  /** One reload, as soon as the server answers: a reload without one would leave the browser's own error page. */
  function reload() {
    fetch(location.pathname, { cache: 'no-store' })
      .then(function (answer) {
        if (!answer.ok) throw new Error('not ready');
        history.replaceState({ retried: true }, '', location.href);
        location.reload();
      })
      .catch(function () {
        show();
        setTimeout(reload, 5000);
      });
  }

  function show() {
    var line = document.getElementById('boot');
    if (line) line.className = 'boot boot-shown';
  }

  /** app.js has started. */
  function start() {
    begun = true;
    var line = document.getElementById('boot');
    if (line) line.hidden = true;
    if (history.state && history.state.retried) history.replaceState(null, '', location.href);
  }
})();
