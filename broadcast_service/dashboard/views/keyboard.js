/** Keys and commands of the whole page: `state/keys.js` maps keys to commands, this module runs them. */

import { KeyReader } from '../state/keys.js';
import { html } from '../ui/dom.js';
import { Palette } from './palette.js';

/** @typedef {import('./palette.js').Command} Command */
/**
 * @typedef {object} Actions
 * @property {import('./palette.js').Toast} toast
 * @property {() => boolean} isSignedIn
 * @property {() => import('../i18n/i18n.js').I18n} i18n
 * @property {(view: 'live' | 'analytics') => void} open
 * @property {(room: string, platform: string) => void} openRoom
 * @property {() => {room: string, platform: string}[]} rooms that filters let through, in the order of the page
 * @property {() => {room: string, platform: string}[]} allRooms
 * @property {(room: string) => string} nameOf a room
 * @property {() => {room: string, platform: string} | null} room that is open
 * @property {(theme: (typeof THEMES)[number]) => void} chooseTheme
 * @property {() => boolean} soundIsOn
 * @property {() => boolean} toggleSound
 */

const THEMES = /** @type {const} */ (['system', 'dark', 'light', 'contrast']);

export class Keyboard {
  #reader = new KeyReader();
  #toast;
  #palette;

  /** @param {Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.#toast = actions.toast;
    this.#palette = new Palette(() => this.#commands());
  }

  /** Listens to keys and to the button of the palette. */
  connect() {
    const { actions } = this;
    html('#palette-open').addEventListener('click', () => this.#palette.open());
    document.addEventListener('keydown', (event) => {
      if (!actions.isSignedIn() || event.isComposing) return;
      const typing =
        document.querySelector('dialog[open]') !== null ||
        (event.target instanceof HTMLElement && event.target.matches('input:not([type=radio]), select, textarea'));
      const command = this.#reader.read(event, typing, event.timeStamp);
      if (!command) return;
      event.preventDefault();
      this.#run(command);
    });
  }

  /** @param {import('../state/keys.js').KeyCommand} command */
  #run(command) {
    const { open } = this.actions;
    switch (command) {
      case 'palette':
        return this.#palette.open();
      case 'search':
        open('live');
        return html('#search').focus();
      case 'live':
      case 'analytics':
        return open(command);
      case 'wall':
        return html('#wall').click();
      case 'copy':
        return void this.#copy();
      default:
        return this.#step(command === 'next' ? 1 : -1);
    }
  }

  /** The next or previous room: of an open room another one opens, in the live view the focus moves. @param {number} step */
  #step(step) {
    const { room, rooms, openRoom } = this.actions;
    const open = room();
    if (open) {
      const all = rooms();
      const at = all.findIndex((other) => other.room === open.room && other.platform === open.platform);
      const next = all[(at + step + all.length) % all.length];
      if (next && all.length > 1) openRoom(next.room, next.platform);
      return;
    }
    const links = [...document.querySelectorAll('#groups :is(.room, th) > a')];
    const at = links.indexOf(/** @type {Element} */ (document.activeElement));
    const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step];
    if (next instanceof HTMLElement) next.focus();
  }

  async #copy() {
    const i18n = this.actions.i18n();
    try {
      await navigator.clipboard.writeText(location.href);
      this.#toast.show(i18n.t('link_copied'));
    } catch {
      this.#toast.show(i18n.t('copy_failed'));
    }
  }

  /** @returns {Command[]} */
  #commands() {
    const { open, openRoom, allRooms, nameOf, i18n, soundIsOn, toggleSound, chooseTheme } = this.actions;
    const t = i18n().t.bind(i18n());
    const click = (/** @type {string} */ id) => () => html(id).click();
    const all = allRooms().map(({ room, platform }) => ({
      label: `${nameOf(room) === room ? room : `${nameOf(room)} (${room})`} · ${platform}`,
      hint: t('column_room'),
      run: () => openRoom(room, platform),
    }));
    return [
      { label: t('search'), hint: '/', run: () => this.#run('search') },
      { label: t('rooms_title'), hint: 'g l', run: () => open('live') },
      { label: t('nav_analytics'), hint: 'g a', run: () => open('analytics') },
      { label: t('wall_on'), hint: 'w', run: click('#wall') },
      { label: t('command_copy'), hint: 'c', run: () => void this.#copy() },
      ...THEMES.map((theme) => ({ label: t(`theme_${theme}`), run: () => chooseTheme(theme) })),
      { label: t('legend_title'), hint: '?', run: click('#explain') },
      {
        label: t(soundIsOn() ? 'command_sound_off' : 'command_sound_on'),
        run: () => this.#toast.show(i18n().t(toggleSound() ? 'sound_is_on' : 'sound_is_off')),
      },
      { label: t('sign_out'), run: click('#sign-out') },
      ...all,
    ];
  }
}
