/** The command palette: a few letters lead to every view, setting and room. Opened by Ctrl or Cmd and K. */

import { matching } from '../state/commands.js';
import { find, html, setText } from '../ui/dom.js';
import { element } from '../ui/element.js';

/** @typedef {{label: string, hint?: string, run: () => void}} Command */

const SHOWN = 9;

export class Palette {
  #dialog = find(document, '#palette', HTMLDialogElement);
  #input = find(document, '#palette-input', HTMLInputElement);
  #list = html('#palette-list');
  #empty = html('#palette-empty');
  /** @type {import('../state/commands.js').Choice<Command>[]} */
  #choices = [];
  /** @type {Command[]} */
  #shown = [];
  #chosen = 0;

  /** @param {() => Command[]} commands all there are now */
  constructor(commands) {
    this.commands = commands;
    this.#input.addEventListener('input', () => this.#filter());
    this.#input.addEventListener('keydown', (event) => this.#handleKey(event));
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
      const option = event.target instanceof Element ? event.target.closest('[role=option]') : null;
      if (option) this.#run([...this.#list.children].indexOf(option));
    });
  }

  open() {
    if (document.querySelector('dialog[open]')) return;
    this.#choices = this.commands().map((command) => ({ label: command.label, value: command }));
    this.#input.value = '';
    this.#filter();
    this.#dialog.showModal();
    this.#input.focus();
  }

  #filter() {
    this.#shown = matching(this.#choices, this.#input.value, SHOWN).map(({ value }) => value);
    this.#list.replaceChildren(
      ...this.#shown.map(({ label, hint }, i) =>
        element(
          'li',
          { role: 'option', id: `palette-${i}`, 'aria-selected': 'false' },
          element('span', {}, label),
          element('kbd', {}, hint ?? ''),
        ),
      ),
    );
    this.#empty.hidden = this.#shown.length > 0;
    this.#list.hidden = this.#shown.length === 0;
    this.#choose(0);
  }

  /** @param {number} index */
  #choose(index) {
    const count = this.#shown.length;
    this.#chosen = count > 0 ? (index + count) % count : 0;
    for (const [i, option] of [...this.#list.children].entries())
      option.setAttribute('aria-selected', String(i === this.#chosen));
    if (count > 0) this.#input.setAttribute('aria-activedescendant', `palette-${this.#chosen}`);
    else this.#input.removeAttribute('aria-activedescendant');
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#choose(this.#chosen + step);
    else if (event.key === 'Enter') this.#run(this.#chosen);
    else return;
    event.preventDefault();
  }

  /** @param {number} index */
  #run(index) {
    const command = this.#shown[index];
    if (!command) return;
    this.#dialog.close();
    command.run();
  }
}

/** A short message that leaves by itself. */
export class Toast {
  #box = html('#toast');
  /** @type {any} */
  #timer;

  /** @param {string} text */
  show(text) {
    clearTimeout(this.#timer);
    this.#box.hidden = false;
    setText(this.#box, text);
    this.#timer = setTimeout(() => {
      this.#box.hidden = true;
      setText(this.#box, '');
    }, 2500);
  }
}
