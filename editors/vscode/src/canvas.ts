// The view “watch the canvas”: how the last suggestion came to be, step by step.
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { Server } from './server';

/** Asks the server to send canvases, or to stop: it costs the server its shortcuts. */
const watchMethod = 'seedling/watchCanvas';
/** What the server then sends after each suggestion: see lsp/canvas.go. */
const canvasMethod = 'seedling/canvas';

export class CanvasView implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;
  private last: unknown;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly server: Server,
  ) {
    server.onUp((client) => {
      client.onNotification(canvasMethod, (canvas: unknown) => {
        this.last = canvas;
        this.show();
      });
      void this.watch();
    });
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    const media = vscode.Uri.joinPath(this.extension, 'media');
    view.webview.options = { enableScripts: true, localResourceRoots: [media] };
    const uri = (name: string) => view.webview.asWebviewUri(vscode.Uri.joinPath(media, name));
    const nonce = randomBytes(16).toString('base64');
    view.webview.html = `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${view.webview.cspSource}; script-src 'nonce-${nonce}'">
<link rel="stylesheet" href="${uri('canvas.css')}"></head><body>
<p id="note">Type in a file: the next suggestion is shown here as it comes to be.</p>
<pre id="canvas" aria-live="off"></pre>
<div id="controls" hidden><button id="play">Play</button><input id="step" type="range" min="0" value="0" aria-label="Step"><span id="which"></span></div>
<script nonce="${nonce}" src="${uri('canvas.js')}"></script></body></html>`;
    view.webview.onDidReceiveMessage(() => this.show()); // it is there now
    view.onDidChangeVisibility(() => void this.watch());
    view.onDidDispose(() => {
      this.view = undefined;
      void this.watch();
    });
    void this.watch();
  }

  private show(): void {
    if (this.last !== undefined) {
      void this.view?.webview.postMessage({ canvas: this.last });
    }
  }

  /** Tells the server whether anybody looks. */
  private async watch(): Promise<void> {
    try {
      await this.server.running?.sendRequest(watchMethod, { watch: this.view?.visible ?? false });
    } catch (err) {
      const note = `This server does not show its canvas (${err instanceof Error ? err.message : String(err)}): use a newer one.`;
      void this.view?.webview.postMessage({ note });
    }
  }
}
