/** The shapes that travel between the page, the worker and the popup. */

type MetricName = 'tokens' | 'tips' | 'viewers' | 'goal';
type Status = 'ok' | 'missing' | 'unparsed' | 'hidden' | 'ambiguous' | 'out_of_range';

/** One ranked guess at where a page shows a number. */
interface Hypothesis {
  id: string;
  css: string;
  /** `only`: several visible matches must agree. `first`: the first visible match counts. */
  pick: 'first' | 'only';
  /** `total`: the text is "12 / 500" and the 500 is wanted. */
  part?: 'total';
  min: number;
  max: number;
  /** The day on which somebody saw it right on a live page, or null. */
  verifiedOn: string | null;
}

interface Adapter {
  platform: string;
  label: string;
  /** Domains; each stands for itself and all below it. */
  hosts: string[];
  /** A page is the broadcaster's own when the path matches and `present` is there. If the path
   * captures a name, `present` must show that very name. */
  ownPage: { path: string; present: string };
  metrics: Partial<Record<MetricName, Hypothesis[]>>;
}

interface MetricReading {
  status: Status;
  value?: number;
  /** The hypothesis that decided. */
  via?: string;
}

type Metrics = Partial<Record<MetricName, MetricReading>>;

/** What a content script tells the worker. */
interface ReadingMessage {
  type: 'reading';
  platform: string;
  readAt: number;
  metrics: Metrics;
}

/** The body of POST /api/tracking/telemetry, as docs/protocol.md has it. */
interface Telemetry {
  room_id: string;
  platform: string;
  tokens_count: number;
  tips_count?: number;
  viewers_count?: number;
  goal_tokens?: number;
  timestamp: number;
  sequence: number;
}

interface Settings {
  roomId: string;
  /** Origin, and path if the services live under one; no trailing slash. */
  endpoint: string;
  token: string;
  goal: number | null;
}

type SettingName = keyof Settings;

/** A reading on its way: what the outbox keeps. */
interface Entry {
  readAt: number;
  platform: string;
  /** Not to be sent before; 0 as a rule, Infinity when only a new configuration can help. */
  dueAt: number;
  attempts: number;
  body: Telemetry;
}

/** A reading the server will never take. */
interface DeadLetter {
  id?: number;
  at: number;
  status: number;
  detail: string;
  body: Telemetry;
}

/** What the sender must remember when the worker dies. */
interface SenderState {
  attempt: number;
  nextAttemptAt: number;
  refused: boolean;
  batchLimit: number;
  /** Status of the last failed answer; 0 when there was none. */
  failure: number | null;
}

interface Problem {
  status: number;
  title?: string;
  detail?: string;
  retry_after_seconds?: number;
}

interface Answer {
  /** HTTP status; 0 when no answer came. */
  status: number;
  retryAfterMs: number | null;
  results: { index: number; result: string; problem?: Problem }[] | null;
  detail: string;
}

interface MetricHealth {
  failures: number;
  successes: number;
  broken: boolean;
}

interface PlatformStatus {
  tabId: number;
  readAt: number;
  metrics: Metrics;
  health: Partial<Record<MetricName, MetricHealth>>;
}

/** What badge, popup and options page show; kept in session storage. */
interface StatusBoard {
  configured: boolean;
  access: boolean;
  refused: boolean;
  storageFailed: boolean;
  attempt: number;
  nextAttemptAt: number;
  failure: number | null;
  buffered: number;
  dropped: number;
  dead: number;
  lastOkAt: number;
  platforms: Record<string, PlatformStatus>;
}

type Connection = 'setup' | 'access' | 'refused' | 'buffering' | 'connected' | 'unreadable' | 'idle';

declare var studioPulseAdapters: Adapter[];
