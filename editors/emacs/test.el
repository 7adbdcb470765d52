;;; test.el --- drives Emacs' own LSP client with Seedling  -*- lexical-binding: t -*-

;;   SEEDLING=.../seedling emacs -Q --batch -l editors/emacs/test.el

;; eglot draws no inline completions: what is seen here are entries of the completion list, a
;; function that is written, and settings that change.

(require 'eglot)
(require 'cl-lib)

(defvar seedling (getenv "SEEDLING"))
(defvar folder (make-temp-file "seedling" t))
(setq eglot-autoshutdown t eglot-confirm-server-edits nil eglot-sync-connect 30
      eglot-send-changes-idle-time 0 confirm-kill-processes nil)
(add-to-list 'eglot-server-programs `(python-mode . (,seedling "lsp")))
(setq-default eglot-workspace-configuration '(:seedling (:remember "nothing")))

(defun test-file (name text)
  (let ((path (expand-file-name name folder)))
    (with-temp-file path (insert text))
    (find-file path)))

(defun test-wait (what fn)
  (let ((end (+ (float-time) 30)) value)
    (while (and (not (setq value (funcall fn))) (< (float-time) end))
      (accept-process-output nil 0.05))
    (unless value (error "Never: %s" what))
    value))

(defun test-offered ()
  "The completions that eglot offers at point."
  (let ((capf (eglot-completion-at-point)))
    (when capf
      (all-completions (buffer-substring-no-properties (nth 0 capf) (nth 1 capf)) (nth 2 capf)))))

(test-file "account.py" "class Account:
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
(python-mode)
(eglot-ensure)
(eglot--connect (list 'python-mode) (eglot--current-project) 'eglot-lsp-server (list seedling "lsp") '("python"))
(test-wait "a connection" #'eglot-current-server)
(goto-char (point-max))

;; A completion, and what taking it does.
(insert "        if amount ")
(let* ((offered (test-wait "a completion" #'test-offered))
       (capf (eglot-completion-at-point))
       (exit (plist-get (nthcdr 3 capf) :exit-function))
       (chosen (car offered))
       (before (buffer-string)))
  (message "offered: %S" offered)
  (delete-region (nth 0 capf) (nth 1 capf))
  (insert chosen)
  (funcall exit chosen 'finished)
  (unless (and (string-prefix-p (string-trim-right before) (buffer-string))
               (> (length (buffer-string)) (length before)))
    (error "It became %S" (buffer-string)))
  (when (string-match-p "amount *amount" (buffer-substring (line-beginning-position) (line-end-position)))
    (error "Doubled: %S" (buffer-string))))
(message "ok    a completion is offered and taken")

;; A function that is still to be written.
(goto-char (point-max))
(unless (bolp) (insert "\n"))
(insert "\n    def total(self):\n        pass\n")
(forward-line -1)
(end-of-line)
(let* ((actions (append (eglot-code-actions (point) (point) nil nil) nil))
       (write (cl-find-if (lambda (a) (string-match-p "write this function" (plist-get a :title))) actions))
       (before (buffer-string)))
  (unless write (error "Offered are %S" actions))
  (eglot-execute (eglot-current-server) write)
  (test-wait "a body" (lambda () (not (equal before (buffer-string)))))
  (when (string-match-p "def total(self):\n        pass" (buffer-string))
    (error "It is still a stub: %S" (buffer-string))))
(message "ok    a function is written by code action")

;; Off, by a setting.
(setq-default eglot-workspace-configuration '(:seedling (:enable :json-false)))
(eglot-signal-didChangeConfiguration (eglot-current-server))
(goto-char (point-max))
(insert "\n    def again(self, amount):\n        if amount ")
(test-wait "no completion while off" (lambda () (not (test-offered)))) ; the server asks for its settings first
(message "ok    the setting enable holds without a restart")
(eglot-shutdown (eglot-current-server))
(set-buffer-modified-p nil)
(delete-directory folder t)
(message "emacs %s" emacs-version)
(kill-emacs 0)
