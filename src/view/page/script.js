// Keeps a page fresh without loading it anew: when the server tells of a change, and every so often in any case, the
// page is fetched again and only what differs is put in its place, so that focus, scrolling, selected text and a
// half-typed search stay as they are. Times run on by themselves in between. Without this script the page reloads
// itself; nothing here is needed to use it.
(() => {
  'use strict';

  const root = new URL('.', document.currentScript.src);
  const words = document.body.dataset;
  const UNITS = (words.units || 'd h min s').split(' ');
  const UNIT_SECONDS = [86400, 3600, 60, 1];
  const EVERY_MS = (Number(words.seconds) || 15) * 1000;
  const HIDDEN_EVERY_MS = 60000;
  const AT_MOST_EVERY_MS = 1000;
  const TYPING_MS = 300;
  const LISTEN_AGAIN_MS = 60000;
  const GIVE_UP_MS = 10000;

  const lost = document.getElementById('lost');
  const news = document.getElementById('news');
  const form = () => document.querySelector('form[role=search]');
  const told = selector => (document.querySelector(selector) || {}).textContent || '';

  // ---- Time: the server's, since a viewer's clock may be wrong. -----------------------------------------------------

  let serverMs = 0;
  let readAt = 0;

  const setClock = () => {
    const stamp = document.querySelector('.fresh time');
    serverMs = stamp ? Date.parse(stamp.dateTime) : NaN;
    readAt = performance.now();
  };

  const amount = seconds => {
    // As in the page itself: hours up to two days, so that "26 h" is not "1 d".
    const unit = seconds >= 172800 ? 0 : seconds >= 3600 ? 1 : seconds >= 60 ? 2 : 3;
    return Math.floor(seconds / UNIT_SECONDS[unit]) + '\u00a0' + UNITS[unit];
  };

  const phrase = (kind, seconds) => {
    if (kind === 'in') {
      return seconds >= 0 ? words.due : words.in.replace('#', amount(Math.ceil(-seconds)));
    }
    const past = Math.max(0, Math.floor(seconds));
    return kind === 'ago' && past === 0 ? words.moment : words[kind].replace('#', amount(past));
  };

  const tick = () => {
    if (document.hidden || isNaN(serverMs) || !lost.hidden) return;
    const now = serverMs + performance.now() - readAt;
    for (const time of document.querySelectorAll('time[class]')) {
      const text = time.firstChild;
      const said = phrase(time.className, (now - Date.parse(time.dateTime)) / 1000) + (text.nextSibling ? ' ' : '');
      if (text.data !== said) text.data = said;
    }
  };

  // ---- Putting a new page in the place of the old. ------------------------------------------------------------------

  // What stays the same thing though it moves: a row is known by where its first link leads, others by their id.
  const keyOf = node => {
    if (node.nodeType !== 1) return null;
    if (node.id) return node.id;
    const link = node.localName === 'tr' || node.localName === 'li' ? node.querySelector('a[href]') : null;
    return link ? link.getAttribute('href') : null;
  };

  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  const become = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== 1) {
      old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      // Whether a list is unfolded is the reader's affair.
      if (!fresh.hasAttribute(name) && !(name === 'open' && old.localName === 'details')) old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const wanted = new Set([...fresh.childNodes].map(keyOf));
    const keyed = new Map();
    for (const child of [...old.childNodes]) {
      const key = keyOf(child);
      if (!key) continue;
      if (!wanted.has(key)) child.remove();
      else if (!keyed.has(key)) keyed.set(key, child);
    }
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const key = keyOf(child);
      let kept = keyed.get(key);
      if (!kept && place && !keyed.has(keyOf(place))) kept = place;
      if (!kept || !same(kept, child)) {
        old.insertBefore(document.adoptNode(child), place);
        continue;
      }
      keyed.delete(key);
      if (kept === place) place = place.nextSibling;
      else old.insertBefore(kept, place);
      become(kept, child);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  };

  const goLive = () => {
    for (const part of document.querySelectorAll('[data-live]')) part.textContent = part.dataset.live;
  };

  // Whether the reader waits for the answer to a search, and is told of it.
  let searched = false;

  const show = html => {
    const fresh = new DOMParser().parseFromString(html, 'text/html');
    const before = told('.lede, .stands b');
    const focused = document.activeElement;
    for (const part of ['header', 'main', 'footer']) {
      const [old, now] = [document.querySelector(part), fresh.querySelector(part)];
      if (old && now) become(old, now);
    }
    // An element that had to move loses the focus.
    if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    document.title = fresh.title;
    const [icon, freshIcon] = [document, fresh].map(d => d.querySelector('link[rel=icon]'));
    if (icon && freshIcon && icon.href !== freshIcon.href) icon.href = freshIcon.href;
    goLive();
    setClock();
    tick();
    const after = told('.lede, .stands b');
    if (searched) news.textContent = told('caption, .empty p');
    else if (after !== before) news.textContent = after;
    searched = false;
  };

  // ---- Fetching. ----------------------------------------------------------------------------------------------------

  let busy = false;
  let again = false;
  let last = performance.now();
  let timer = 0;

  const load = async () => {
    clearTimeout(timer);
    timer = 0;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    again = false;
    const address = location.href;
    const giveUp = new AbortController();
    const patience = setTimeout(() => giveUp.abort(), GIVE_UP_MS);
    try {
      const answer = await fetch(address, { cache: 'no-store', headers: { accept: 'text/html' }, signal: giveUp.signal });
      const isPage = (answer.headers.get('content-type') || '').startsWith('text/html');
      const html = await answer.text();
      // A proxy's "bad gateway" is HTML too; that there is no such monitor (404) is an answer of ours.
      if (!isPage || answer.status >= 500) throw new Error('no page');
      // Meanwhile another page may have been asked for.
      if (address === location.href) show(html);
      lost.hidden = true;
    } catch (error) {
      lost.hidden = false;
    }
    clearTimeout(patience);
    busy = false;
    last = performance.now();
    if (location.href !== address) load();
    else if (again) soon(0);
  };

  // At most one a second, however much happens.
  const soon = (delay = 100) => {
    if (!timer) timer = setTimeout(load, Math.max(delay, last + AT_MOST_EVERY_MS - performance.now()));
  };

  // ---- Listening. A page that nobody sees does not hold a connection; it looks now and then, for its title and icon. -

  let source = null;
  let closedAt = -LISTEN_AGAIN_MS;

  const listen = () => {
    if (source || document.hidden || performance.now() - closedAt < LISTEN_AGAIN_MS) return;
    source = new EventSource(new URL('api/v1/events', root));
    const heard = event => {
      let about = null;
      try {
        about = JSON.parse(event.data).monitor;
      } catch (error) {
        // Not about one monitor.
      }
      if (!words.monitor || !about || about === words.monitor) soon();
    };
    for (const kind of ['change', 'made', 'removed', 'missed']) source.addEventListener(kind, heard);
    let opened = false;
    source.onopen = () => {
      // Nobody told of what happened while the connection was down.
      if (opened) soon();
      opened = true;
    };
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) {
        // Refused, perhaps since too many listen: looking every so often does as well.
        closedAt = performance.now();
        source = null;
      }
    };
  };

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      if (source) source.close();
      source = null;
      return;
    }
    listen();
    soon(0);
  });

  // ---- Searching while typing. --------------------------------------------------------------------------------------

  let typing = 0;

  const search = () => {
    clearTimeout(typing);
    const query = new URLSearchParams(new FormData(form()));
    if (!query.get('match')) query.delete('match');
    const address = '?' + query;
    if (address !== (location.search || '?')) history.replaceState(null, '', address);
    searched = true;
    load();
  };

  document.addEventListener('input', event => {
    if (event.target.type !== 'search') return;
    clearTimeout(typing);
    typing = setTimeout(search, TYPING_MS);
  });
  document.addEventListener('submit', event => {
    if (event.target !== form()) return;
    event.preventDefault();
    search();
  });

  setClock();
  goLive();
  listen();
  setInterval(tick, 1000);
  setInterval(() => {
    listen();
    if (performance.now() - last >= (document.hidden ? HIDDEN_EVERY_MS : EVERY_MS)) soon(0);
  }, 1000);
})();
