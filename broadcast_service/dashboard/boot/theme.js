// Runs before the first paint (a classic script in the head), so that a chosen theme never flashes the other one.
try {
  const theme = localStorage.getItem('studio-pulse.theme');
  if (theme === 'light' || theme === 'dark' || theme === 'contrast') document.documentElement.dataset.theme = theme;
} catch {
  // storage is blocked: the system's theme is right
}
