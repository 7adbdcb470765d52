;;; lsp-mode-test.el --- drives lsp-mode with Seedling  -*- lexical-binding: t -*-

;;   SEEDLING=.../seedling emacs -Q --batch -L …/lsp-mode -L …/dash … -l editors/emacs/lsp-mode-test.el

;; lsp-mode 10 draws inline completions itself. What is seen here: ghost text after the cursor,
;; the next of several, one that is taken, one that a key sends away, a function that is written.

(setq native-comp-enable-subr-trampolines nil native-comp-jit-compilation nil ; no compiler stands where CI runs this
      lsp-auto-configure t lsp-enable-snippet nil lsp-idle-delay 0.01 lsp-restart 'ignore
      lsp-auto-guess-root t lsp-keep-workspace-alive nil lsp-enable-file-watchers nil
      lsp-session-file (make-temp-name (expand-file-name "lsp-session" temporary-file-directory))
      lsp-warn-no-matched-clients nil lsp-completion-provider :none lsp-log-io nil
      create-lockfiles nil confirm-kill-processes nil)
(require 'lsp-mode)
(require 'lsp-completion)
(load "lsp-mode-autoloads" nil t)
(require 'lsp-inline-completion)
(require 'cl-lib)

(defvar seedling (getenv "SEEDLING"))
(defvar folder (make-temp-file "seedling" t))

(defun test-wait (what fn)
  (let ((end (+ (float-time) 30)) value)
    (while (and (not (setq value (funcall fn))) (< (float-time) end))
      (accept-process-output nil 0.05))
    (unless value (error "Never: %s" what))
    value))

(defun test-ghost ()
  "The ghost text that stands after the cursor, or nil."
  (when (overlayp lsp-inline-completion--overlay)
    (substring-no-properties (or (overlay-get lsp-inline-completion--overlay 'after-string) ""))))

(defun test-check (what ok)
  (unless ok (error "Wrong: %s" what))
  (message "ok    %s" what))

;; As editors/emacs/README.md says.
(lsp-register-client
 (make-lsp-client :new-connection (lsp-stdio-connection (list seedling "lsp"))
                  :activation-fn (lsp-activate-on "go" "python")
                  :server-id 'seedling :add-on? t))

(find-file (expand-file-name "account.py" folder))
(insert "class Account:
    def __init__(self, owner, balance):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError(\"amount must be positive\")
        self.balance += amount
        return self.balance

    def withdraw(self, amount):
")
(save-buffer)
(python-mode)
(setq-local lsp-enabled-clients '(seedling))
(lsp-workspace-folders-add folder)
(lsp)
(test-wait "a connection" (lambda () (and (lsp-workspaces) (lsp-feature? "textDocument/inlineCompletion"))))
(test-check "lsp-inline-completion-mode comes by itself" lsp-inline-completion-mode)

(goto-char (point-max))
(insert "        if amount ")
(let ((before (buffer-string)) ghost)
  (setq ghost (test-wait "ghost text" (lambda () (lsp-inline-completion-display 'implicit) (test-ghost))))
  (message "ghost: %S" ghost)
  (test-check "ghost text changes nothing in the buffer" (equal before (buffer-string)))
  (test-check "and does not repeat the line" (not (string-match-p "if amount" ghost)))
  (undo-boundary)
  (lsp-inline-completion-accept)
  (test-check "it is taken" (equal (buffer-string) (concat before ghost)))
  (undo-boundary)
  (undo-start)
  (undo-more 1) ; the boundary
  (undo-more 1)
  (test-check "and undone in one step" (equal (buffer-string) before)))

;; Asked for by hand there are several.
(goto-char (point-max))
(lsp-inline-completion-display)
(let ((first (test-wait "ghost text that was asked for" #'test-ghost)))
  (test-check "several are offered" (> (length lsp-inline-completion--items) 1))
  (lsp-inline-completion-next)
  (test-check "the next differs" (not (equal first (test-ghost))))
  (lsp-inline-completion-prev)
  (test-check "and back" (equal first (test-ghost)))
  (lsp-inline-completion-cancel)
  (test-check "sent away" (not (test-ghost))))

;; What is drawn as ghost text does not stand in the list of completions as well.
(test-check "the server lists no completions" (not (lsp-feature? "textDocument/completion")))

;; A function that is still to be written.
(goto-char (point-max))
(insert "<= 0:\n            return\n\n    def total(self):\n        pass\n")
(forward-line -1)
(end-of-line)
(let* ((actions (append (lsp-code-actions-at-point) nil))
       (write (cl-find-if (lambda (a) (string-match-p "write this function" (lsp:code-action-title a))) actions)))
  (unless write (error "Offered are %S" actions))
  (lsp-execute-code-action write)
  (test-wait "a body" (lambda () (not (string-match-p "def total(self):\n        pass" (buffer-string)))))
  (message "ok    a function is written by code action"))

(test-check "nothing that the server says makes lsp-mode warn"
            (not (string-match-p "Unknown notification" (with-current-buffer (get-buffer-create "*Messages*") (concat (buffer-string) (if (get-buffer "*Warnings*") (with-current-buffer "*Warnings*" (buffer-string)) ""))))))
(set-buffer-modified-p nil)
(lsp-disconnect)
(delete-directory folder t)
(message "emacs %s, lsp-mode in %s" emacs-version (locate-library "lsp-mode"))
(kill-emacs 0)
