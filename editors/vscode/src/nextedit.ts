// Next edits: where the last change wants the same again, marked, and a key to go there.
import * as vscode from 'vscode';
import type { Server } from './server';

const method = 'textDocument/copilotInlineEdit';

interface InlineEdit {
  text: string;
  textDocument: { uri: string; version: number | null }; // null: of a file that is not open
  range: { start: { line: number; character: number }; end: { line: number; character: number } };
  command?: { command: string; arguments?: unknown[] };
}

export class NextEdit implements vscode.Disposable {
  private readonly mark = vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor('diffEditor.insertedTextBackground'),
    overviewRulerColor: new vscode.ThemeColor('charts.green'),
    after: { color: new vscode.ThemeColor('editorGhostText.foreground') },
  });
  private readonly sign = vscode.window.createTextEditorDecorationType({
    after: { color: new vscode.ThemeColor('editorGhostText.foreground') },
  });
  private edit: { of: InlineEdit; uri: vscode.Uri; range: vscode.Range } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private asked = 0;
  private unknown = false; // to the server that runs
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly server: Server) {
    this.subscriptions = [
      server.onUp(() => (this.unknown = false)),
      vscode.workspace.onDidChangeTextDocument((e) => {
        if (e.contentChanges.length > 0 && e.document === vscode.window.activeTextEditor?.document) {
          this.clear();
          clearTimeout(this.timer);
          this.timer = setTimeout(() => void this.ask(), 300); // a pause in typing
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => this.draw()),
    ];
  }

  private async ask(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const client = this.server.running;
    if (!editor || !client || this.unknown) {
      return;
    }
    const turn = ++this.asked;
    const { document } = editor;
    const version = document.version;
    let edits: InlineEdit[] = [];
    try {
      const answer = await client.sendRequest<{ edits?: InlineEdit[] } | null>(method, {
        textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri), version },
        position: client.code2ProtocolConverter.asPosition(editor.selection.active),
      });
      edits = answer?.edits ?? [];
    } catch (err) {
      // A server without next edits is not asked again; other errors are about this moment.
      this.unknown = (err as { code?: number }).code === -32601;
      return;
    }
    const [first] = edits;
    if (turn !== this.asked || document.version !== version || !first) {
      return;
    }
    const { start, end } = first.range;
    this.edit = { of: first, uri: vscode.Uri.parse(first.textDocument.uri), range: new vscode.Range(start.line, start.character, end.line, end.character) };
    this.draw();
    void vscode.commands.executeCommand('setContext', 'seedling.nextEdit', true);
    void client.sendNotification('textDocument/didShowInlineEdit', { item: first });
  }

  private draw(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      const here = this.edit && editor.document.uri.toString() === this.edit.uri.toString();
      const text = this.edit?.of.text.split('\n')[0] ?? '';
      editor.setDecorations(this.mark, here && this.edit ? [{ range: this.edit.range, renderOptions: { after: { contentText: ` → ${text || 'delete'}` } } }] : []);
      // Of an edit in another file a person sees where it is, behind the line they are in.
      const there = this.edit && !here && editor === vscode.window.activeTextEditor;
      const end = editor.document.lineAt(editor.selection.active.line).range.end;
      editor.setDecorations(this.sign, there && this.edit ? [{ range: new vscode.Range(end, end), renderOptions: { after: { contentText: `   → ${vscode.workspace.asRelativePath(this.edit.uri)}, line ${this.edit.range.start.line + 1}` } } }] : []);
    }
  }

  /** Goes to the edit; where the cursor is there already, makes it. */
  async jumpOrTake(): Promise<void> {
    const edit = this.edit;
    if (!edit) {
      return;
    }
    const editor = vscode.window.activeTextEditor;
    if (editor?.document.uri.toString() !== edit.uri.toString() || editor.selection.active.line !== edit.range.start.line) {
      const shown = await vscode.window.showTextDocument(edit.uri);
      shown.selection = new vscode.Selection(edit.range.start, edit.range.start);
      shown.revealRange(edit.range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
      if (edit.of.textDocument.version === null) {
        return this.ask(); // the file was not open: the server says again what it wants, of its text now
      }
      this.draw();
      return;
    }
    if (edit.of.textDocument.version !== editor.document.version) {
      return this.clear();
    }
    this.clear();
    if ((await editor.edit((b) => b.replace(edit.range, edit.of.text))) && edit.of.command) {
      await this.server.run(edit.of.command.command, ...(edit.of.command.arguments ?? []));
    }
  }

  /** Forgets the edit that is shown. */
  clear(): void {
    this.asked++;
    if (this.edit) {
      this.edit = undefined;
      this.draw();
      void vscode.commands.executeCommand('setContext', 'seedling.nextEdit', false);
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.mark.dispose();
    this.sign.dispose();
    this.subscriptions.forEach((s) => s.dispose());
  }
}
