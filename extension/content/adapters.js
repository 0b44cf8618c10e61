'use strict';

/**
 * Where each platform shows its numbers: data, no code.
 *
 * Within a metric the hypotheses are ranked; the next is tried only when the one before shows nothing. None has been
 * checked against a live page yet (`verifiedOn: null`): they come from public user scripts and extensions.
 * Classes made by a build (`Name__part#XY`) are matched by their stable beginning, never by text, which is translated.
 */
globalThis.studioPulseAdapters = [
  {
    platform: 'chaturbate',
    label: 'Chaturbate',
    hosts: ['chaturbate.com', 'testbed.cb.dev'],
    ownPage: { path: '^/b/([^/]+)/?$', present: '.user_information_header_username' },
    metrics: {
      tokens: [
        { id: 'tokencountlink', css: 'a.tokencountlink span.tokencount', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'tokencount', css: 'span.tokencount', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'token-balance', css: '.token-balance, .js-token-balance', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'role', css: '[data-role="token-balance"]', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
      ],
      viewers: [
        { id: 'users-tab', css: '#users-tab-default', pick: 'only', min: 0, max: 1000000, verifiedOn: null },
        { id: 'users-testid', css: '[data-testid="users-tab-default"]', pick: 'only', min: 0, max: 1000000, verifiedOn: null },
        { id: 'users-paction', css: '[data-paction-name="USERS"]', pick: 'only', min: 0, max: 1000000, verifiedOn: null },
      ],
      goal: [
        { id: 'app-panel-row', css: '#AppPanelTable td', pick: 'only', part: 'total', min: 1, max: 4294967294, verifiedOn: null },
      ],
    },
  },
  {
    platform: 'stripchat',
    label: 'Stripchat',
    hosts: ['stripchat.com'],
    // Both are asked for: a viewer who wants to become a broadcaster also visits /start-broadcasting.
    ownPage: { path: '^/start-broadcasting(?:/|$)', present: '#broadcast-settings' },
    metrics: {
      tokens: [
        { id: 'header-amount', css: '.header-top .tokens-amount', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'header-amount-built', css: '[class*="header-top"] [class*="tokens-amount"]', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'credits-value', css: '.credits-value, .token-balance', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'role', css: '[data-role="token-balance"]', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
      ],
      viewers: [
        { id: 'player-count', css: '.player-viewers-count span', pick: 'only', min: 0, max: 1000000, verifiedOn: null },
        { id: 'player-count-built', css: '[class*="player-viewers-count"] span', pick: 'only', min: 0, max: 1000000, verifiedOn: null },
      ],
      goal: [
        { id: 'epic-goal', css: '.epic-goal-progress__tokens', pick: 'only', min: 1, max: 4294967294, verifiedOn: null },
        { id: 'epic-goal-built', css: '[class*="epic-goal-progress__tokens"]', pick: 'only', min: 1, max: 4294967294, verifiedOn: null },
      ],
    },
  },
  {
    platform: 'camsoda',
    label: 'CamSoda',
    hosts: ['camsoda.com'],
    // Nothing public tells what a CamSoda broadcaster's page looks like: the weakest guess in this file.
    ownPage: { path: '^/broadcast(?:er)?(?:/|$)', present: 'video' },
    metrics: {
      tokens: [
        { id: 'token-balance', css: '.token-balance', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'token-balance-built', css: '[class^="token-balance"]', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'credits-balance', css: '.credits-balance, [class^="credits-balance"]', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
        { id: 'role', css: '[data-role="token-balance"]', pick: 'only', min: 0, max: 4294967294, verifiedOn: null },
      ],
      viewers: [
        { id: 'person-glyph', css: 'svg:has(> path[d^="M15 12a3"]) + *', pick: 'only', min: 0, max: 1000000, verifiedOn: null },
      ],
    },
  },
];
