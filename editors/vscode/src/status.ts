// The status bar item: one word of what the server does, and a menu.
import * as vscode from 'vscode';

/** What a person is told of the server. */
export type State = 'starting' | 'ready' | 'thinking' | 'paused' | 'failed';

/** Content of the server's seedling/status notification. */
export interface ServerStatus {
  state: 'ready' | 'busy' | 'off' | 'error';
  message?: string;
  model: string;
  lastMs: number;
}

const looks: Record<State, { icon: string; says: string }> = {
  starting: { icon: '$(loading~spin)', says: 'starting' },
  ready: { icon: '$(sparkle)', says: 'ready' },
  thinking: { icon: '$(sync~spin)', says: 'thinking' },
  paused: { icon: '$(debug-pause)', says: 'paused' },
  failed: { icon: '$(error)', says: 'failed' },
};

/** How the server's states are called here. */
export function stateOf(s: ServerStatus): State {
  return ({ ready: 'ready', busy: 'thinking', off: 'paused', error: 'failed' } as const)[s.state] ?? 'ready';
}

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('seedling.status', vscode.StatusBarAlignment.Right, 100);
  private shown: State = 'starting';

  constructor() {
    this.item.name = 'Seedling';
    this.item.command = 'seedling.menu';
    this.set('starting');
    this.item.show();
  }

  get state(): State {
    return this.shown;
  }

  /** Shows a state, and why, if there is a reason. */
  set(state: State, why = '', server?: ServerStatus): void {
    this.shown = state;
    const look = looks[state];
    this.item.text = `${look.icon} Seedling`;
    this.item.accessibilityInformation = { label: `Seedling: ${look.says}${why ? `, ${why}` : ''}`, role: 'button' };
    const tip = new vscode.MarkdownString();
    tip.appendText(`Seedling is ${look.says}${why ? `: ${why}` : ''}`);
    if (server?.model) {
      tip.appendText(`\n\nModel ${server.model}${server.lastMs > 0 ? `, last answer in ${server.lastMs.toFixed(1)} ms` : ''}. Nothing leaves this machine.`);
    }
    this.item.tooltip = tip;
    this.item.backgroundColor = state === 'failed' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}

/** The menu behind the status bar item. */
export async function menu(state: State): Promise<void> {
  const config = vscode.workspace.getConfiguration('seedling');
  const entries: (vscode.QuickPickItem & { command: string; argument?: string })[] = [
    config.get<boolean>('enable', true)
      ? { label: '$(debug-pause) Pause suggestions', command: 'seedling.toggle' }
      : { label: '$(play) Resume suggestions', command: 'seedling.toggle' },
    { label: '$(wand) Write the function at the cursor', command: 'seedling.fillFunction' },
    { label: '$(eye) Watch the canvas', command: 'seedling.watchCanvas' },
    { label: '$(settings-gear) Settings', command: 'workbench.action.openSettings', argument: 'seedling.' },
    { label: '$(output) Show the log', command: 'seedling.showLog' },
    { label: '$(debug-restart) Restart the server', command: 'seedling.restart' },
  ];
  const chosen = await vscode.window.showQuickPick(entries, { title: `Seedling: ${looks[state].says}` });
  if (chosen) {
    await vscode.commands.executeCommand(chosen.command, ...(chosen.argument ? [chosen.argument] : []));
  }
}
