// Only in development archives: the demo page of `make run`, so that anybody can try the extension without an account.
globalThis.studioPulseAdapters.push({
  platform: 'demo',
  label: 'Demo',
  hosts: ['127.0.0.1', 'localhost'],
  loopback: true,
  ownPage: { path: '^/demo/([^/]+)/?$', present: '[data-demo="name"]', evidence: 'extension/demo/page.html' },
  metrics: {
    tokens: [
      {
        id: 'demo-tokens',
        css: '[data-demo="tokens"]',
        pick: 'only',
        shape: '^N$',
        min: 0,
        max: 4_294_967_294,
        evidence: 'extension/demo/page.html',
        evidenceOn: '2026',
        verifiedOn: '2026-11-26',
      },
    ],
    viewers: [
      {
        id: 'demo-viewers',
        css: '[data-demo="viewers"]',
        pick: 'only',
        shape: '^N$',
        min: 0,
        max: 1_000_000,
        evidence: 'extension/demo/page.html',
        evidenceOn: '2026',
        verifiedOn: '2026-11-26',
      },
    ],
  },
});
