// Seedling in VS Code: wiring only.
import * as vscode from 'vscode';
import { CanvasView } from './canvas';
import { NextEdit } from './nextedit';
import { Server } from './server';
import { menu, StatusItem } from './status';
import { writeFunction } from './write';

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel('Seedling', { log: true });
  const status = new StatusItem();
  server = new Server(context.extensionUri, status, log);
  const it = server;
  const next = new NextEdit(it);
  const command = (name: string, run: () => unknown) => vscode.commands.registerCommand(`seedling.${name}`, run);
  context.subscriptions.push(
    log, status, it, next,
    vscode.window.registerWebviewViewProvider('seedling.canvas', new CanvasView(context.extensionUri, it)),
    command('restart', () => it.restart()),
    command('showLog', () => log.show(true)),
    command('menu', () => menu(status.state)),
    command('toggle', toggle),
    command('fillFunction', () => fillFunction(it)),
    command('watchCanvas', () => vscode.commands.executeCommand('seedling.canvas.focus')),
    command('nextEdit', () => next.jumpOrTake()),
    command('dismissNextEdit', () => next.clear()),
    vscode.workspace.onDidChangeConfiguration((e) => {
      // What the server reads at its start only.
      if (['server', 'shared', 'completion'].some((key) => e.affectsConfiguration(`seedling.${key}`))) {
        void it.restart();
      }
    }),
  );
  await it.restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

async function toggle(): Promise<void> {
  const config = vscode.workspace.getConfiguration('seedling');
  const known = config.inspect<boolean>('enable');
  const target = known?.workspaceValue !== undefined ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await config.update('enable', !config.get<boolean>('enable', true), target);
}

/** Has the server write the function around the cursor. */
async function fillFunction(it: Server): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const client = it.running;
  if (!editor || !client) {
    void vscode.window.showInformationMessage(editor ? 'Seedling’s server does not run.' : 'Open a file and put the cursor into a function.');
    return;
  }
  if (!it.knows(writeFunction)) {
    void vscode.window.showInformationMessage('This Seedling server writes no whole functions: use a newer one.');
    return;
  }
  await it.run(writeFunction, {
    uri: client.code2ProtocolConverter.asUri(editor.document.uri),
    version: editor.document.version,
    position: client.code2ProtocolConverter.asPosition(editor.selection.active),
  });
}
