/** The shapes that travel between the page, the worker and the popup. */

type MetricName = 'tokens' | 'tips' | 'viewers' | 'goal';
/** `unsettled`: a number is there, but has not been unchanged long enough to be confirmed. */
type Status = 'ok' | 'missing' | 'unparsed' | 'hidden' | 'ambiguous' | 'out_of_range' | 'unsettled';

/** One ranked guess at where a page shows a number. */
interface Hypothesis {
  id: string;
  css: string;
  /** A class whose name goes on differently in each build, looked for where `css` matches nothing: its stable part, the part of
   * a class around it, and the tag of the elements below it that are meant. */
  built?: { part: string; withTimeout?: string; tag?: string };
  /** The number is in the element after the closest ancestor with this name (`svg`) of what `css` matches. */
  beside?: string;
  /** `only`: several visible matches must agree. `first`: the first visible match counts. */
  pick: 'first' | 'only';
  /** `total`: the text is "12 / 500" and the 500 is wanted. */
  part?: 'total';
  /** Form of the whole text, as a regular expression in which N is the number; absent: the known forms of parse.js. */
  shape?: string;
  /** Whether a rounded number (1.2k) may be read; never for a balance. */
  compact?: boolean;
  min: number;
  max: number;
  /** The public source that shows it, and when that was written. */
  evidence?: string;
  evidenceOn?: string;
  /** The day on which it was seen to be right on a live page, or null. */
  verifiedOn: string | null;
}

interface Adapter {
  platform: string;
  label: string;
  /** Domains; each includes its subdomains. */
  hosts: string[];
  /** The setting that switches the platform on; absent: it is on. */
  enabledBy?: 'camsodaEnabled';
  /** The page is served over plain HTTP by this computer itself: the demo page, in development builds alone. */
  loopback?: true;
  /** A page is the broadcaster's own when the path matches and something that one of `present` selects is visible on it.
   * If the path captures a name, it must show that very name. */
  ownPage: { path: string; present: string | string[]; evidence?: string };
  metrics: Partial<Record<MetricName, Hypothesis[]>>;
}

/** `own`: to be read. `unproven`: see PageState. `none`: no broadcast page. */
type Ownership = 'own' | 'unproven' | 'none';

interface MetricReading {
  status: Status;
  value?: number;
  /** The hypothesis that decided. */
  via?: string;
}

type Metrics = Partial<Record<MetricName, MetricReading>>;

/** A content script sends it to the worker every five seconds. */
interface ReadingMessage {
  type: 'reading';
  platform: string;
  readAt: number;
  metrics: Metrics;
  /** Keyed hash of platform and account name (16 hexadecimal digits); absent where the page shows no name. */
  account?: string;
}

/** `unproven`: the path of a broadcast page, but nothing on it shows that it is the broadcaster's own.
 * `switched_off`: the platform is off until `Adapter.enabledBy` is set in the options or by policy. */
type PageState = 'unproven' | 'switched_off';

/** A content script sends it every five seconds while it runs in a broadcast page that it does not read. */
interface PageMessage {
  type: 'page';
  platform: string;
  seenAt: number;
  page: PageState;
}

/** A content script sends it before its first reading and once a minute. The answer is a StartAnswer or null. */
interface StartMessage {
  type: 'start';
  platform: string;
}

interface StartAnswer {
  /** Secret of the account mark: `settings.accountKey`, or a random one of this installation. */
  accountKey: string;
  camsodaEnabled: boolean;
  /** The newest reading of this platform that had a balance: a page that was reloaded goes on from it. */
  last: { account?: string; tokens: number; readAt: number } | null;
}

/** The body of POST /api/tracking/telemetry, as docs/protocol.md has it. */
interface Telemetry {
  room_id: string;
  platform: string;
  /** Null where the balance could not be read: unknown, never zero. */
  tokens_count: number | null;
  tips_count?: number;
  viewers_count?: number;
  goal_tokens?: number;
  account?: string;
  timestamp: number;
  sequence: number;
}

interface Settings {
  roomId: string;
  /** Origin, and path if the services live under one; no trailing slash. */
  endpoint: string;
  token: string;
  goal: number | null;
  /** The room as people write it (`Habitación 12`); its id is plain ASCII. */
  roomName?: string;
  /** Secret of the account mark; the same at all desks of a studio, or an account has another mark at each. */
  accountKey?: string;
  /** CamSoda is off by default: no one has checked its selectors on a live page. */
  camsodaEnabled?: boolean;
}

/** The settings that the form checks. */
type SettingName = Exclude<keyof Settings, 'roomName' | 'accountKey' | 'camsodaEnabled'>;

/** A reading on its way: what the outbox keeps. */
interface Entry {
  readAt: number;
  platform: string;
  /** Not to be sent before; 0 as a rule, Infinity when only a new configuration can help. */
  dueAt: number;
  attempts: number;
  body: Telemetry;
  /** Its age by the outbox's own count of time, which ignores jumps of the clock. */
  keptAt?: number;
  /** By how many milliseconds this computer's clock was known to be ahead when it was read. */
  offsetMs?: number;
}

/** A reading that the server refuses for good. */
interface DeadLetter {
  id?: number;
  at: number;
  status: number;
  detail: string;
  body: Telemetry;
  offsetMs?: number | null;
}

/** Why a reading was not accepted, in the server's words. */
interface Refusal {
  at: number;
  status: number;
  detail: string;
}

/** From, to (milliseconds) and the balance that stood there, null while it could not be read. */
type Run = [from: number, to: number, balance: number | null];

interface Shift {
  account: string;
  runs: Run[];
}

/** The sender's state, stored because Chrome may end the worker. */
interface SenderState {
  attempt: number;
  nextAttemptAt: number;
  refused: boolean;
  batchLimit: number;
  /** Status of the last failed answer; 0 when there was none. */
  failure: number | null;
  /** The newest answer did not come from the studio's server. */
  isForeign: boolean;
  /** The newest answer accepted nothing because the readings themselves were refused. */
  isRejecting: boolean;
  /** Everything is refused: one reading at a time is tried. */
  isStopped: boolean;
  /** The newest reason. */
  refusal: Refusal | null;
  deadInARow: number;
  acceptedAt: number;
  /** By how many milliseconds this computer's clock is ahead of the server's; null before the first answer. */
  offsetMs: number | null;
}

/** The clock offset that an answer gives: this computer is ahead by `offsetMs`, give or take `uncertaintyMs`. */
interface Clock {
  offsetMs: number;
  uncertaintyMs: number;
}

interface Problem {
  status: number;
  title?: string;
  detail?: string;
  errors?: { field?: unknown; detail?: unknown }[];
  retry_after_seconds?: number;
}

interface Answer {
  /** HTTP status; 0 when no answer came. */
  status: number;
  retryAfterMs: number | null;
  results: { index: number; result: string; problem?: Problem }[] | null;
  detail: string;
  /** Whether the body is a problem document, as the studio's server sends one with every refusal. */
  isProblem: boolean;
  errors?: { field?: unknown; detail?: unknown }[];
  clock: Clock | null;
}

interface MetricHealth {
  failures: number;
  successes: number;
  broken: boolean;
}

interface PlatformStatus {
  tabId: number;
  readAt: number;
  account?: string;
  metrics: Metrics;
  health: Partial<Record<MetricName, MetricHealth>>;
  /** Chrome has put the tab to sleep: nothing is read there. */
  asleep?: 'discarded' | 'frozen';
}

/** What badge, popup and options page show; kept in session storage. */
interface StatusBoard {
  configured: boolean;
  access: boolean;
  refused: boolean;
  /** Readings cannot be written down. */
  storageFailed: boolean;
  /** Chrome's storage of settings fails or does not answer. */
  settingsFailed: boolean;
  /** The broadcaster has paused it; since when. */
  pausedAt: number | null;
  isForeign: boolean;
  isRejecting: boolean;
  refusal: Refusal | null;
  /** By how many milliseconds this computer's clock is ahead of the server's. */
  offsetMs: number | null;
  /** Readings that wait for another configuration, such as those of another room. */
  held: number;
  /** Readings that could neither be written down nor sent. */
  lost: number;
  /** Sites that Chrome keeps the extension away from. */
  withheld: string[];
  /** When the studio's code ends, in milliseconds. */
  expiresAt: number | null;
  attempt: number;
  nextAttemptAt: number;
  failure: number | null;
  buffered: number;
  dropped: number;
  dead: number;
  lastOkAt: number;
  platforms: Record<string, PlatformStatus>;
  /** Broadcast pages that are open and not read, by platform; current for FRESH_MS after `seenAt`. */
  pages?: Record<string, { tabId: number; seenAt: number; page: PageState }>;
}

type Connection =
  | 'storage'
  | 'setup'
  | 'paused'
  | 'access'
  | 'refused'
  | 'rejected'
  | 'foreign'
  | 'buffering'
  | 'connected'
  | 'asleep'
  | 'unreadable'
  | 'pending'
  | 'site'
  | 'switched_off'
  | 'unproven'
  | 'idle';

declare var studioPulseAdapters: Adapter[];
/** Ends the content script that runs in this page; set by main.js. */
declare var studioPulseStop: (() => void) | undefined;
