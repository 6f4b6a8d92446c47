// What is exchanged with other programs at a SAMP hub: TOPCAT, Aladin.
import { get, post } from './api.js';

const between = 1000;  // ms, from one look for news to the next
/** @type {<T extends HTMLElement>(id: string) => T} */
const byId = id => /** @type {any} */ (document.getElementById(id));

/** @typedef {{row?: number, selection?: number, text: string}} News */

/** @param {News} one */
const kindOf = one => ['row', 'selection'].find(kind => kind in one) ?? 'text';
/** @param {News[]} news @returns {News[]} the last of each kind */
const lastOfEach = news => news.filter((one, at) => !news.slice(at + 1).some(later => kindOf(later) === kindOf(one)));

export class Samp {
  /** @param {(action: () => Promise<unknown>) => void} attempt @param {(text: string) => void} announce @param {(news: News) => Promise<unknown>} follow @param {() => number | null} selection */
  constructor(attempt, announce, follow, selection) {
    this.announce = announce;
    this.follow = follow;
    this.last = 0;
    this.isConnected = false;
    byId('samp-connect').addEventListener('click', () => attempt(async () => {
      await post('samp', { do: this.isConnected ? 'disconnect' : 'connect' });
      await this.look();
      announce(byId('samp-state').innerText);
    }));
    byId('samp-table').addEventListener('click', () => attempt(async () => {
      const chosen = selection();
      const { programs } = await post('samp', { do: 'table', ...(chosen === null ? {} : { selection: chosen }) });
      this.tell('table', programs);
    }));
    const watch = () => {
      if (this.isConnected) attempt(() => this.look());
      setTimeout(watch, between);
    };
    attempt(() => this.look());
    setTimeout(watch, between);
  }

  /** @param {string} what @param {string[]} programs */
  tell(what, programs) {
    const text = programs.length ? `${what} sent to ${programs.join(', ')}` : `no other program takes the ${what}`;
    byId('samp-sent').textContent = text;
    this.announce(text);
  }

  /** Looks who is there and what they have sent. */
  async look() {
    const { connected, programs, last, news } = await get('samp', { after: this.last });
    const isFirst = this.last === 0 && !this.isConnected;
    this.last = last;
    this.isConnected = connected;
    byId('samp-connect').textContent = connected ? 'Disconnect' : 'Connect';
    for (const id of ['samp-table', 'samp-share']) /** @type {HTMLButtonElement} */ (byId(id)).disabled = !connected;
    const state = connected ? (programs.length ? 'Connected; at the hub: ' + programs.join(', ') : 'Connected') + '.' : 'Not connected.';
    if (byId('samp-state').textContent !== state) byId('samp-state').textContent = state;
    if (isFirst || !news.length) return;
    // A program may send a galaxy and a selection together: the last of each kind counts.
    const latest = lastOfEach(news);
    const text = latest.map(one => one.text).join('; ');
    byId('samp-sent').textContent = text;
    for (const one of latest) await this.follow(one);
    this.announce(text);
  }

  /**
   * Tells the others of a galaxy or a selection, if the user wants it.
   * @param {'show' | 'select'} what @param {{row: number} | {selection: number}} of
   */
  async share(what, of) {
    if (!this.isConnected || !(/** @type {HTMLInputElement} */ (byId('samp-share')).checked)) return;
    const { programs } = await post('samp', { do: what, ...of });
    this.tell(what === 'show' ? 'galaxy' : 'selection', programs);
  }
}
