/** The demo page: a name from the path, and buttons that change its numbers. */
const counts = new Intl.NumberFormat('en');
const [name, tokens, viewers] = ['name', 'tokens', 'viewers'].map((part) =>
  document.querySelector(`[data-demo="${part}"]`),
);
const state = { tokens: 1234, viewers: 56, isReadable: true };

const show = () => {
  name.textContent = decodeURIComponent(location.pathname.split('/')[2] ?? '');
  tokens.textContent = state.isReadable ? counts.format(state.tokens) : 'about a thousand';
  viewers.textContent = counts.format(state.viewers);
};

document.addEventListener('click', ({ target }) => {
  const { tip = 0, viewers: more = 0 } = target.dataset ?? {};
  state.tokens += Number(tip);
  state.viewers += Number(more);
  if (target.id === 'unreadable') state.isReadable = !state.isReadable;
  show();
});
show();
