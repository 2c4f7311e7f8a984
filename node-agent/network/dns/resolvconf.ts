import { isIP } from 'node:net';

/** A resolver's configuration (resolv.conf(5)). */
export interface ResolvConf {
  servers: string[];
  searches: string[];
  options: string[];
}

/** Reads resolv.conf: the last `search` or `domain` counts, servers that are no addresses don't. */
export function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { servers: [], searches: [], options: [] };
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (word === 'nameserver' && rest[0] && isIP(rest[0].replace(/%.*/, ''))) conf.servers.push(rest[0]);
    else if (word === 'search' || word === 'domain') conf.searches = rest;
    else if (word === 'options') conf.options.push(...rest);
  }
  return conf;
}
