// The server's life: found, started, told the settings, started again.
import * as vscode from 'vscode';
import { DidChangeConfigurationNotification, ExecuteCommandRequest, LanguageClient, State as ClientState, type LanguageClientOptions } from 'vscode-languageclient/node';
import { find } from './binary';
import { stateOf, type ServerStatus, type StatusItem } from './status';
import { writeFunction, Writing } from './write';

/** Keys of the section seedling that are this extension's and none of the server's. */
const ours = ['server', 'trace'];

/** The settings as the server reads them. */
export function settingsFor(section: unknown): unknown {
  if (typeof section !== 'object' || section === null) {
    return section;
  }
  return Object.fromEntries(Object.entries(section).filter(([key]) => !ours.includes(key)));
}

function settings(): unknown {
  return settingsFor(JSON.parse(JSON.stringify(vscode.workspace.getConfiguration('seedling'))));
}

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private readonly up = new vscode.EventEmitter<LanguageClient>();
  /** Fires whenever a server is up, the first time and after each restart. */
  readonly onUp = this.up.event;
  private turn: Promise<void> = Promise.resolve();
  private readonly writing = new Writing();

  constructor(
    private readonly extension: vscode.Uri,
    private readonly status: StatusItem,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** The client of a running server, if there is one. */
  get running(): LanguageClient | undefined {
    return this.client?.state === ClientState.Running ? this.client : undefined;
  }

  /** Whether the server that runs knows a command. */
  knows(command: string): boolean {
    return this.running?.initializeResult?.capabilities.executeCommandProvider?.commands.includes(command) ?? false;
  }

  /** Has the server run a command of its own. */
  async run(command: string, ...args: unknown[]): Promise<unknown> {
    if (command === writeFunction) {
      return this.running && this.writing.run(this.running, args);
    }
    return this.running?.sendRequest(ExecuteCommandRequest.type, { command, arguments: args });
  }

  /** Starts the server, or starts it again. Calls wait for one another. */
  restart(): Promise<void> {
    this.turn = this.turn.then(() => this.stopNow()).then(() => this.startNow());
    return this.turn;
  }

  private async startNow(): Promise<void> {
    this.status.set('starting');
    const found = find({
      setting: vscode.workspace.getConfiguration('seedling').get<string>('server.path', ''),
      path: process.env['PATH'] ?? '',
      extension: this.extension.fsPath,
      platform: process.platform,
    });
    if ('missing' in found) {
      this.status.set('failed', found.missing);
      this.log.error(found.missing);
      void this.askForBinary(found.missing);
      return;
    }
    this.log.info(`Starting ${found.file} (${found.by})`);
    const client = new LanguageClient('seedling', 'Seedling', { command: found.file, args: ['lsp'] }, this.options());
    this.client = client;
    client.registerFeature({
      fillClientCapabilities: (c) => {
        c.experimental = { ...(c.experimental as object | undefined), seedlingStatus: true, seedlingNextEditsElsewhere: true };
      },
      initialize: () => {},
      getState: () => ({ kind: 'static' }),
      clear: () => {},
    });
    client.onNotification('seedling/status', (s: ServerStatus) => this.status.set(stateOf(s), s.message, s));
    client.onDidChangeState(({ newState }) => {
      if (this.client !== client) {
        return;
      }
      switch (newState) {
        case ClientState.Starting:
          this.status.set('starting');
          break;
        case ClientState.Running:
          this.up.fire(client);
          break;
        case ClientState.Stopped:
          this.status.set('failed', 'the server ended');
          break;
      }
    });
    try {
      await client.start();
    } catch (err) {
      const why = err instanceof Error ? err.message : String(err);
      this.status.set('failed', why);
      this.log.error(`The server did not start: ${why}`);
      const again = 'Show the log';
      void vscode.window.showErrorMessage(`Seedling’s server did not start: ${why}`, again).then((b) => b && this.log.show());
    }
  }

  private options(): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }, { notebook: '*' }],
      outputChannel: this.log,
      initializationOptions: settings(),
      synchronize: { configurationSection: 'seedling' },
      middleware: {
        // Of a code action or a lens.
        executeCommand: (command, args, next) => (command === writeFunction ? this.run(command, ...args) : next(command, args)),
        workspace: {
          handleApplyEdit: (params, next) => {
            this.writing.there();
            return next(params, new vscode.CancellationTokenSource().token); // nobody cancels it
          },
          didChangeConfiguration: async () => {
            await this.client?.sendNotification(DidChangeConfigurationNotification.type, { settings: { seedling: settings() } });
          },
          configuration: async (params, token, next) => {
            const answer = await next(params, token);
            return Array.isArray(answer) ? answer.map((a, i) => (params.items[i]?.section === 'seedling' ? settingsFor(a) : a)) : answer;
          },
        },
      },
    };
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (!client) {
      return;
    }
    try {
      await client.dispose(3000);
    } catch (err) {
      this.log.error(`The server did not end well: ${String(err)}`);
    }
  }

  private async askForBinary(why: string): Promise<void> {
    const choose = 'Choose the program…';
    if ((await vscode.window.showErrorMessage(why, choose)) !== choose) {
      return;
    }
    const [file] = (await vscode.window.showOpenDialog({ title: 'The program seedling', openLabel: 'Use' })) ?? [];
    if (file) {
      // Its change restarts the server.
      await vscode.workspace.getConfiguration('seedling').update('server.path', file.fsPath, vscode.ConfigurationTarget.Global);
    }
  }

  /** Ends the server. */
  async stop(): Promise<void> {
    this.turn = this.turn.then(() => this.stopNow());
    await this.turn;
  }

  dispose(): void {
    void this.stop();
    this.up.dispose();
  }
}
