#!/usr/bin/env bash
# Drives Kate with Seedling on a screen that nobody sees:
#
#   SEEDLING=…/seedling editors/kate/test.sh
#
# An entry of the completion list is taken, and a function is written by code action. Wants kate,
# xvfb-run, dbus-run-session and xdotool. With PICTURES=FOLDER (and ImageMagick) it leaves
# pictures there.
set -euo pipefail
if [[ ${1-} != inside ]]; then
  exec timeout 300 xvfb-run -a -s '-screen 0 1200x800x24' dbus-run-session "$0" inside
fi

here=$(cd "$(dirname "$0")" && pwd)
HOME=$(mktemp -d)
export HOME XDG_CONFIG_HOME=$HOME/.config XDG_RUNTIME_DIR=$HOME/run XDG_DATA_HOME=$HOME/.local/share QT_LOGGING_RULES='*=false'
mkdir -m 700 -p "$XDG_RUNTIME_DIR"
mkdir -p "$XDG_CONFIG_HOME/kate/lspclient" "$HOME/bin"
ln -s "$SEEDLING" "$HOME/bin/seedling"
export PATH=$HOME/bin:$PATH
cp "$here/settings.json" "$XDG_CONFIG_HOME/kate/lspclient/"
printf '[Kate Plugins]\nlspclientplugin=true\n[lspclient]\nAllowedServerCommandLines=%s/bin/seedling lsp\n' "$HOME" >"$XDG_CONFIG_HOME/katerc"
file=$HOME/account.py
cat >"$file" <<'PY'
class Account:
    def __init__(self, owner, balance):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("amount must be positive")
        self.balance += amount
        return self.balance

    def total(self):
        pass

    def withdraw(self, amount):
PY

kate -n "$file" >"$HOME/log" 2>&1 &
kate=$!
trap 'kill $kate 2>/dev/null; wait $kate 2>/dev/null || true; rm -rf "$HOME"' EXIT

fail() {
  echo "FAIL  $1" >&2
  cat "$file" >&2
  picture failed
  exit 1
}
picture() { [[ -z ${PICTURES-} ]] || import -window root "$PICTURES/kate-$1.png"; }
keys() { for k in "$@"; do xdotool key --delay 60 "$k"; sleep 0.15; done; }
saved() { # PATTERN: the file as it is after saving holds it
  keys ctrl+s
  sleep 0.7
  grep -qE "$1" "$file"
}

xdotool search --sync --onlyvisible --name account.py >/dev/null
sleep 3

# What is offered stands first in the list. Kate may still be waiting for the server: again then.
keys ctrl+End
xdotool type --delay 60 '        if amount '
taken=
for _ in 1 2 3 4 5 6; do
  keys Escape ctrl+space
  sleep 2
  picture list
  keys Return
  # No word, which Kate itself may know; and in the last line, since one above is like it.
  if saved . && tail -1 "$file" | grep -qE '^        if amount [<>=!]'; then
    taken=1
    break
  fi
  # What was taken was not Seedling's (Kate offers the words of the language), or nothing.
  keys Escape ctrl+End shift+Home Delete
  xdotool type --delay 60 '        if amount '
done
[[ -n $taken ]] || fail 'no suggestion was taken from the list'
[[ $(grep -c 'amount *amount' "$file") == 0 ]] || fail 'the word before the cursor was doubled'
echo 'ok    an entry of the list is taken'

# The action stands under LSP Client > Code Action.
written=
for _ in 1 2 3; do
  keys Escape ctrl+Home Down Down Down Down Down Down Down Down Down Down Down Down End
  keys alt+l
  sleep 1
  keys c
  sleep 2
  picture action
  keys Return
  sleep 1
  keys Return
  sleep 6
  if ! saved '^        pass$'; then
    written=1
    break
  fi
done
picture written
[[ -n $written ]] || fail 'no function was written'
grep -A1 -F 'def total(self):' "$file" | tail -1 | grep -qE '^        [^ ]' || fail 'there is no body'
echo 'ok    a function is written by code action'
kate --version
