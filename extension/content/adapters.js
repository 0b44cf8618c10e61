'use strict';

/**
 * Where each platform shows its numbers: data, no code.
 *
 * Within a metric the hypotheses are ranked; the next is tried only when the one before shows nothing. Each names the
 * public source that shows it (`evidence`) and the date of that source. None has been checked on a live page yet
 * (`verifiedOn: null`). `shape` is the form of the whole text, N being the number; it holds no words that a site
 * translates, except for units. Classes made by a build (`Name__part#XY`) are matched by their stable part.
 * No public source shows a count of tips that does not start again with each show, so tips are not read.
 */
{
  /** What the hypotheses of a metric share. */
  const TOKENS = { shape: '^N(?: ?(?:tks?|tokens?))?$', min: 0, max: 4_294_967_294 };
  const VIEWERS = { compact: true, min: 0, max: 1_000_000 };
  const IN_BRACKETS = '^[^N]*[(（]N[)）]$';

  globalThis.studioPulseAdapters = [
    {
      platform: 'chaturbate',
      label: 'Chaturbate',
      hosts: ['chaturbate.com', 'testbed.cb.dev'],
      ownPage: {
        path: '^/b/([^/]+)/?$',
        present: ['.user_information_header_username', '[data-testid="user-information-username"]'],
        evidence:
          "the same rule in a studio's extension (apps.phoenixstd.com, 2025); the data-testid in user scripts (2025)",
      },
      metrics: {
        tokens: [
          {
            ...TOKENS,
            id: 'header-balance',
            css: '[data-testid="header-token-balance"]',
            pick: 'only',
            evidence: 'content script of a tip bot: "the class is a hashed name, older layouts used .tokencount"',
            evidenceOn: '2026',
            verifiedOn: null,
          },
          {
            ...TOKENS,
            id: 'tokencountlink',
            css: 'a.tokencountlink span.tokencount',
            pick: 'only',
            evidence: 'saved pages of the older header',
            evidenceOn: '2021',
            verifiedOn: null,
          },
          {
            ...TOKENS,
            id: 'tokencount',
            css: 'span.tokencount',
            pick: 'only',
            evidence: 'user scripts and a tip bot, as their fallback',
            evidenceOn: '2026',
            verifiedOn: null,
          },
        ],
        viewers: [
          {
            ...VIEWERS,
            id: 'users-tab',
            css: '#users-tab-default',
            pick: 'only',
            shape: IN_BRACKETS,
            evidence: 'user scripts; "Secret Show Buttons" clones the tab with its id',
            evidenceOn: '2026',
            verifiedOn: null,
          },
          {
            ...VIEWERS,
            id: 'users-testid',
            css: '[data-testid="users-tab-default"]',
            pick: 'only',
            shape: IN_BRACKETS,
            evidence: 'user scripts',
            evidenceOn: '2026',
            verifiedOn: null,
          },
          {
            ...VIEWERS,
            id: 'users-paction',
            css: '[data-paction-name="USERS"]',
            pick: 'only',
            shape: IN_BRACKETS,
            evidence: 'user scripts',
            evidenceOn: '2026',
            verifiedOn: null,
          },
        ],
        goal: [
          {
            id: 'app-panel-row',
            css: '#AppPanelTable td',
            pick: 'only',
            part: 'total',
            min: 1,
            max: 4_294_967_294,
            evidence: 'saved pages',
            evidenceOn: '2021',
            verifiedOn: null,
          },
        ],
      },
    },
    {
      platform: 'stripchat',
      label: 'Stripchat',
      hosts: ['stripchat.com', 'mywebcamroom.com'],
      // Both are asked for: a viewer who wants to become a broadcaster also visits /start-broadcasting.
      ownPage: {
        path: '^/start-broadcasting(?:/|$)',
        present: '#broadcast-settings',
        evidence:
          'the path as a link in user scripts; the element has no public source: a wrong guess shows as "not known to be yours"',
      },
      metrics: {
        tokens: [
          {
            ...TOKENS,
            id: 'header-amount',
            css: '.header-top .tokens-amount',
            built: { part: 'tokens-amount', withTimeout: 'header-top' },
            pick: 'first',
            evidence: 'extension Stripchat-Enhanced, which takes the first of several',
            evidenceOn: '2025-11',
            verifiedOn: null,
          },
        ],
        viewers: [
          {
            ...VIEWERS,
            id: 'player-count',
            css: '.player-viewers-count span',
            built: { part: 'player-viewers-count', tag: 'span' },
            pick: 'only',
            evidence: "a saved viewer's page, two copies",
            evidenceOn: '2023',
            verifiedOn: null,
          },
          {
            ...VIEWERS,
            id: 'watching-now',
            css: '.model-chat-users-info-watching-now',
            built: { part: 'model-chat-users-info-watching-now' },
            pick: 'only',
            evidence: 'extension of an agency ("N が見ています"), once the panel was opened',
            evidenceOn: '2026',
            verifiedOn: null,
          },
        ],
        goal: [
          {
            id: 'epic-goal',
            css: '.epic-goal-progress__tokens',
            built: { part: 'epic-goal-progress__tokens' },
            pick: 'only',
            shape: '^N ?(?:tks?|tokens?)$',
            compact: true,
            min: 1,
            max: 4_294_967_294,
            evidence: 'user scripts',
            evidenceOn: '2023',
            verifiedOn: null,
          },
        ],
      },
    },
    {
      platform: 'camsoda',
      label: 'CamSoda',
      hosts: ['camsoda.com'],
      // Off by default: no public source shows a broadcaster's page, so every hypothesis below may be wrong.
      enabledBy: 'camsodaEnabled',
      ownPage: { path: '^/broadcast(?:er)?/?$', present: 'video', evidence: 'none' },
      metrics: {
        tokens: [
          {
            ...TOKENS,
            id: 'token-balance',
            css: '.token-balance',
            built: { part: 'token-balance' },
            pick: 'only',
            evidence: 'none: the scraper that this system replaces',
            evidenceOn: '2026',
            verifiedOn: null,
          },
        ],
        viewers: [
          {
            ...VIEWERS,
            id: 'person-glyph',
            css: 'path[d^="M15 12a3"]',
            beside: 'svg',
            pick: 'only',
            evidence: 'none: the glyph is known from other sites',
            evidenceOn: '2024',
            verifiedOn: null,
          },
        ],
      },
    },
  ];
}
