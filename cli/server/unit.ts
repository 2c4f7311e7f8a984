/** What a systemd unit of `coracle serve` is made of. */
export interface UnitOptions {
  /** Absolute paths: Node.js, cli/main.ts. */
  node: string;
  main: string;
  home: string;
  /** Arguments after `serve`. */
  args: readonly string[];
  graceMs: number;
}

/** systemd ends what is left this long after the grace. */
const STOP_MARGIN_SECONDS = 10;
/** Sockets of watches and agents, and two files for each object that is awake. */
const FILES_MAX = 1_048_576;

/** The text of coracle.service. Credentials belong into the environment file, which only root can read. */
export function unit(o: UnitOptions): string {
  const command = [o.node, '--disable-warning=ExperimentalWarning', o.main, 'serve', ...o.args].map(quoted).join(' ');
  return `[Unit]
Description=Coracle control plane
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=all
ExecStart=${command}
Environment=${quoted(`CORACLE_HOME=${o.home}`)}
EnvironmentFile=-/etc/coracle/serve.env
KillMode=mixed
TimeoutStartSec=90
TimeoutStopSec=${Math.ceil(o.graceMs / 1000) + STOP_MARGIN_SECONDS}
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2 3
LimitNOFILE=${FILES_MAX}
NoNewPrivileges=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
`;
}

/** systemd.syntax(7): quotes where there are spaces; percent and dollar signs doubled. */
export function quoted(word: string): string {
  const safe = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./$-]+$/.test(safe) ? safe : `"${safe}"`;
}
