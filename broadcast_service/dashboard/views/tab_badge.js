/** The number of rooms that need attention, in the title and the icon of the tab, and as a sound for those who want one. */

import { find, setAttribute } from '../ui/dom.js';

const MOST = 9;
const STORAGE_KEY = 'studio-pulse.sound';

export class TabBadge {
  #icon = find(document, 'link[rel="icon"]', HTMLLinkElement);
  #plainIcon = this.#icon.getAttribute('href') ?? '';
  #count = -1;
  #title = '';
  /** @type {Set<string> | null} severe needs that were there before; null before the first */
  #known = null;
  /** @type {AudioContext | null} */
  #audio = null;

  /** @param {import('../state/storage.js').SafeStorage} settings */
  constructor(settings) {
    this.settings = settings;
  }

  get sound() {
    return this.settings.getItem(STORAGE_KEY) === 'on';
  }

  /** Browsers allow sounds only after a click or a key, which this follows. */
  toggleSound() {
    this.settings.setItem(STORAGE_KEY, this.sound ? 'off' : 'on');
    if (this.sound) this.#play();
    return this.sound;
  }

  /** @param {string} title without a number @param {import('../state/attention.js').Need[]} needs @param {boolean} trusted a page without current numbers has no news */
  paint(title, needs, trusted) {
    const severe = needs.filter((need) => need.severe).map(({ key, cause }) => `${cause} ${key}`);
    if (trusted) {
      const isNew = this.#known !== null && severe.some((id) => !this.#known?.has(id));
      this.#known = new Set(severe);
      if (isNew && this.sound) this.#play();
    }
    if (needs.length === this.#count && title === this.#title) return;
    this.#count = needs.length;
    this.#title = title;
    document.title = needs.length > 0 ? `(${needs.length}) ${title}` : title;
    setAttribute(
      this.#icon,
      'href',
      needs.length > 0 ? `icons/attention-${Math.min(needs.length, MOST + 1)}.svg` : this.#plainIcon,
    );
  }

  /** Another access begins without news. */
  clear() {
    this.#known = null;
  }

  /** Two short notes, falling. */
  #play() {
    try {
      this.#audio ??= new AudioContext();
      const { currentTime } = this.#audio;
      for (const [i, frequency] of [880, 660].entries()) {
        const [oscillator, gain] = [this.#audio.createOscillator(), this.#audio.createGain()];
        const at = currentTime + i * 0.18;
        oscillator.frequency.value = frequency;
        gain.gain.setValueAtTime(0.12, at);
        gain.gain.exponentialRampToValueAtTime(0.001, at + 0.16);
        oscillator.connect(gain).connect(this.#audio.destination);
        oscillator.start(at);
        oscillator.stop(at + 0.17);
      }
    } catch {
      // a browser without sound still shows the number
    }
  }
}
