// Writing a function: the server's progress as a notification, where it can be cancelled.
import * as vscode from 'vscode';
import { ExecuteCommandRequest, WorkDoneProgress, type LanguageClient } from 'vscode-languageclient/node';

/** The server's command, whose argument says where: see lsp/function.go. */
export const writeFunction = 'seedling.writeFunction';

export class Writing {
  private count = 0;
  private readonly ends = new Set<() => void>();

  /** Has the server write a function. Where it cannot, or is not to, a message says why. */
  async run(client: LanguageClient, args: unknown[]): Promise<void> {
    const options = { location: vscode.ProgressLocation.Notification, title: 'Seedling: writing a function', cancellable: true };
    await vscode.window.withProgress(options, (progress, cancel) => {
      const workDoneToken = `seedling/write/${++this.count}`;
      const listening = client.onProgress(WorkDoneProgress.type, workDoneToken, (news) => {
        if (news.kind === 'report') {
          progress.report({ message: news.message });
        }
      });
      const answered = client.sendRequest(ExecuteCommandRequest.type, { command: writeFunction, arguments: args, workDoneToken }, cancel).then(
        () => undefined,
        (err: unknown) => {
          if (!cancel.isCancellationRequested) {
            void vscode.window.showWarningMessage(`Seedling: ${err instanceof Error ? err.message : String(err)}`);
          }
        },
      );
      return new Promise<void>((end) => {
        this.ends.add(end);
        void answered.finally(() => {
          listening.dispose();
          this.ends.delete(end);
          end();
        });
      });
    });
  }

  /** The function is there, and a person reads it: nothing is under way any more. */
  there(): void {
    this.ends.forEach((end) => end());
  }
}
