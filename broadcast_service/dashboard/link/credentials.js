/**
 * How a request says who asks: with a token in its header, or, without one, as the signed-in screen whose session cookie the browser sends.
 * @param {string} token @returns {{headers: Record<string, string>, credentials: RequestCredentials}}
 */
export const credentials = (token) =>
  token
    ? { headers: { Authorization: `Bearer ${token}` }, credentials: 'omit' }
    : { headers: {}, credentials: 'same-origin' };

/** The subprotocols that a socket offers; browsers can carry a token in no other way. @param {string} token */
export const subprotocols = (token) => (token ? ['pulse.v1', `bearer.${token}`] : ['pulse.v1']);
