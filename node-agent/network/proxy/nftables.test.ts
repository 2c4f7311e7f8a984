import { execFileSync } from 'node:child_process';
import { filterSuite } from './filter.suite.ts';
import { netLab } from './testing/netlab.ts';

/** Why real packets can't be tried here. */
function missing(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    execFileSync('nft', ['--version'], { stdio: 'ignore' });
    execFileSync('ip', ['-V'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'needs nft and ip';
  }
}

filterSuite('nftables, IPv4', () => netLab('ip'), missing());
filterSuite('nftables, IPv6', () => netLab('ip6'), missing());
