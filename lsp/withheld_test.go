package lsp

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.lsp.dev/uri"

	"github.com/seedling-lsp/seedling/engine"
)

// TestSecretFileNames: files that hold secrets are known by name, their harmless relatives
// are not taken for them.
func TestSecretFileNames(t *testing.T) {
	for _, name := range []string{".env", "/p/.env.local", "prod.env", ".ENV", ".env~", ".env.bak.old", ".envrc", "server.pem", "/etc/ssl/private.key", "id_rsa", "/home/a/.ssh/id_ed25519", ".ssh/work", "id_rsa.bak", `C:\Users\a\.aws\credentials`,
		".netrc", "_netrc", ".npmrc", ".git-credentials", "kubeconfig", "prod.kubeconfig", "/home/a/.kube/config", "credentials", "credentials.json", "credentials.toml", "aws-credentials.yaml", "client_secret_123.json", "service-account.json", "service_account_prod.json",
		"secrets.yaml", "app.secrets.json", "secret.txt", "prod.tfvars", "terraform.tfstate", "terraform.tfstate.backup", ".docker/config.json", "store.jks", ".htpasswd", "master.key"} {
		if !holdsSecrets(name) {
			t.Errorf("%s is not known", name)
		}
	}
	for _, name := range []string{"main.go", "env.go", "environment.py", ".env.example", ".env.sample", ".env.template", ".env.local.example", "config.env.dist", "id_rsa.pub", ".ssh/config", ".ssh/known_hosts", "credentials.go", "aws_credentials.py", "secrets.go", "secret_test.go", "docs/credentials.md",
		"config.json", "app/config", "keys.go", "key", "keyboard.ts", "monkey.py", "public.pub", "test_secrets.py", "netrc.go", "kube/config.go", ".github/workflows/secrets.sh", "gcloud/main.go", "deploy_keys.go", "", "~", ".bak", "/"} {
		if holdsSecrets(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}

// TestExcludedBy: globs mean what people who know VS Code's or git's would think.
func TestExcludedBy(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"*.md", "/p/README.md", true}, {"*.md", "/p/docs/a.md", true}, {"*.md", "/p/a.mdx", false},
		{"docs", "/p/docs/a.go", true}, {"docs", "/p/x/docs/y/a.go", true}, {"docs/", "/p/docs/a.go", true}, {"docs/", "/p/docs", false},
		{"docs/**", "/p/docs/a/b.go", true}, {"docs/**", "/p/x/docs/a.go", false}, {"**/docs/**", "/p/x/docs/a.go", true}, {"/docs", "/p/docs/a.go", true}, {"./docs/*.go", "/p/docs/a.go", true},
		{"docs/*.go", "/p/docs/a/b.go", false}, {"docs/*/b.go", "/p/docs/a/b.go", true}, {"{docs,gen}/*.{go,py}", "/p/gen/a.py", true}, {"**/*_test.go", "/p/a_test.go", true}, {"src/**/gen", "/p/src/a/b/gen/c/d.go", true},
	} {
		if got := excludedBy([]string{"none", c.glob}, c.name, "/p"); (got == c.glob) != c.want {
			t.Errorf("%s by %s: %q", c.name, c.glob, got)
		}
	}
	if got := excludedBy([]string{"docs"}, "/docs/p/a.go", "/docs/p"); got != "" {
		t.Error("a folder above the workspace is none of the globs' business")
	}
	if got := excludedBy([]string{"home/**"}, "/home/a/x.go", ""); got == "" {
		t.Error("a file in no workspace folder is matched from the root")
	}
}

// project is a workspace on disk with an editor in it.
func project(t *testing.T, capabilities map[string]any, files map[string]string) (w *wireClient, root string, ask func(name string) bool) {
	t.Helper()
	return projectOf(t, says("x := 1"), capabilities, files)
}

func projectOf(t *testing.T, g Generator, capabilities map[string]any, files map[string]string) (w *wireClient, root string, ask func(name string) bool) {
	t.Helper()
	hermetic(t)
	root = t.TempDir()
	tree(t, root, files)
	w = dial(t, g, Options{})
	w.answers = map[string]string{}
	w.call("initialize", map[string]any{"processId": nil, "rootUri": uri.File(root), "capabilities": map[string]any{"workspace": capabilities, "experimental": map[string]any{"seedlingStatus": true}}})
	w.notify("initialized", map[string]any{})
	open := map[string]bool{}
	ask = func(name string) bool {
		t.Helper()
		u := string(uri.File(filepath.Join(root, name)))
		if !open[u] {
			w.openAt(u, oneFunc)
			open[u] = true
		}
		return len(w.wait(w.inlineAt(u, 3, 1)).items(t).Items) == 1
	}
	return w, root, ask
}

// TestWithheld: a document that gets nothing says why, and the next one that gets something
// takes it back. Silence without a reason is what people complain of first.
func TestWithheld(t *testing.T) {
	w, _, ask := project(t, nil, map[string]string{".gitignore": "*.gen.go\n", ".seedlingignore": "private/\n"})
	set := func(section string) {
		w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"seedling": json.RawMessage(section)}})
	}
	for _, c := range []struct{ file, reason, allow string }{
		{"a.gen.go", `a.gen.go is ignored by .gitignore:1 (gitignored)`, `{"gitignored":true}`},
		{"private/a.go", `a.go is ignored by .seedlingignore:1`, ``},
		{".env", `.env usually holds secrets (secretFiles)`, `{"secretFiles":true}`},
		{"docs/a.go", `a.go is excluded by docs/** (exclude)`, `{"exclude":[]}`},
		{"other.go", `go is turned off (excludeLanguages)`, `{"excludeLanguages":["markdown"]}`},
		{"other.go", `go is turned off (languages)`, `{"languages":["go","python"]}`},
	} {
		section := `{"exclude":["docs/**"]}`
		if strings.Contains(c.reason, "anguages") {
			section = map[bool]string{true: `{"excludeLanguages":["Go"]}`, false: `{"languages":["python"]}`}[strings.Contains(c.reason, "exclude")]
		}
		set(section)
		if ask(c.file) {
			t.Errorf("%s: a suggestion", c.file)
		}
		w.hears("seedling/status", c.reason)
		if c.allow != "" {
			set(c.allow)
			if !ask(c.file) {
				t.Errorf("%s: no suggestion with %s", c.file, c.allow)
			}
		} else if set(`{}`); !ask("free.go") {
			t.Errorf("no suggestion in a file like any other")
		}
		w.hears("seedling/status", `"state":"ready"`)
	}
	// Also without an answer in between: the reason is that of the document one is in.
	set(`{}`)
	if ask(".env") {
		t.Error("a suggestion in .env")
	}
	w.hears("seedling/status", "secretFiles")
	u := string(uri.File("/elsewhere/done.go"))
	w.openAt(u, "package main\n\nvar a = 12\n")
	w.wait(w.send("textDocument/inlineCompletion", map[string]any{"textDocument": map[string]any{"uri": u}, "position": map[string]any{"line": 2, "character": 10}, "context": map[string]any{"triggerKind": 2}}))
	w.hears("seedling/status", `"state":"ready"`)
	w.bye()
}

// TestPathOf: cells of a notebook are left alone with their notebook.
func TestPathOf(t *testing.T) {
	for u, want := range map[uri.URI]string{"file:///a/b%20c.go": "/a/b c.go", "vscode-notebook-cell:/a/b.ipynb#W0sZmlsZQ": "/a/b.ipynb", "untitled:a.go": "", "http://h/a": "", "": "", "file://": "", "%": "", "file:///a/../b": "/b"} {
		if got := pathOf(u); filepath.ToSlash(got) != want {
			t.Errorf("%s: %q, want %q", u, got, want)
		}
	}
}

// TestRemoteSecrets: a .env that is no file of this machine is one all the same.
func TestRemoteSecrets(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.hello("utf-16", nil)
	for _, u := range []string{"vscode-remote://ssh-remote%2Bhost/home/a/p/.env", "git:/home/a/p/.env?%7B%22ref%22%3A%22~%22%7D", "untitled:.env", "file:///home/a/p/%2Eenv"} {
		w.openAt(u, oneFunc)
		if list := w.wait(w.inlineAt(u, 3, 1)).items(t); len(list.Items) != 0 {
			t.Errorf("%s: %+v", u, list)
		}
		w.hears("seedling/status", "usually holds secrets")
		w.openAt("untitled:a.go", oneFunc)
		w.wait(w.inlineAt("untitled:a.go", 3, 1))
	}
	w.bye()
}

// TestIgnoreWatchedByClient: a client that can watch is asked to, is believed, and then
// nothing is read again until it speaks.
func TestIgnoreWatchedByClient(t *testing.T) {
	w, root, ask := project(t, map[string]any{"didChangeWatchedFiles": map[string]any{"dynamicRegistration": true}, "didChangeConfiguration": map[string]any{"dynamicRegistration": true}}, map[string]string{"sub/.gitignore": ""})
	for len(w.asked) == 0 {
		w.noted(w.read())
	}
	for _, part := range []string{"workspace/didChangeWatchedFiles", `**/{.gitignore,.seedlingignore}`, "workspace/didChangeConfiguration", `"section":"seedling"`} {
		if !strings.Contains(string(w.asked[0].Params), part) {
			t.Errorf("%s: %s lacks %s", w.asked[0].Method, w.asked[0].Params, part)
		}
	}
	for !w.s.clientWatches.Load() { // our answer is under way
		time.Sleep(time.Millisecond)
	}
	if !ask("sub/a.go") {
		t.Error("ignored too early")
	}
	if w.s.watcher.system != nil {
		t.Error("the client watches, and the server too")
	}
	tree(t, root, map[string]string{"sub/.gitignore": "a.go\n"})
	w.notify("workspace/didChangeWatchedFiles", map[string]any{"changes": []any{map[string]any{"uri": uri.File(filepath.Join(root, "sub", ".gitignore")), "type": 2}}})
	if ask("sub/a.go") {
		t.Error("the client told of a change, and it is not in force")
	}
	// A folder that is closed is not watched by the client any more.
	tree(t, root, map[string]string{"sub/.gitignore": ""})
	w.notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{}, "removed": []any{map[string]any{"uri": uri.File(root), "name": "f"}}}})
	if !ask("sub/a.go") || w.s.watcher.system == nil {
		t.Error("the rules of a folder that nobody watches are still in force")
	}
	w.bye()
}

// TestIgnoreWatchedByUs: for a client that cannot watch the system is asked, and rules
// change without a word from it; what is saved in the editor counts at once.
func TestIgnoreWatchedByUs(t *testing.T) {
	w, root, ask := project(t, nil, map[string]string{"sub/b.go": ""})
	until := func(want bool) {
		t.Helper()
		for start := time.Now(); ask("sub/a.go") != want; time.Sleep(5 * time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatalf("suggestions are still %v", !want)
			}
		}
	}
	if !ask("sub/a.go") || w.s.watcher.system == nil {
		t.Fatal("ignored too early, or not watched")
	}
	tree(t, root, map[string]string{".gitignore": "a.go\n"}) // a new file
	until(false)
	tree(t, root, map[string]string{"sub/.seedlingignore": "!a.go\n"})
	until(true)
	if err := os.Rename(filepath.Join(root, "sub", ".seedlingignore"), filepath.Join(root, "sub", "gone")); err != nil {
		t.Fatal(err)
	}
	until(false)
	if err := os.RemoveAll(filepath.Join(root, ".gitignore")); err != nil {
		t.Fatal(err)
	}
	until(true)

	w.s.watcher.close() // from here on nobody watches
	tree(t, root, map[string]string{".gitignore": "a.go\n"})
	w.notify("textDocument/didSave", map[string]any{"textDocument": map[string]any{"uri": uri.File(filepath.Join(root, ".gitignore"))}})
	if ask("sub/a.go") {
		t.Error("what was saved in the editor is not in force")
	}
	w.bye()
}

// TestWorkspaceFolders: folders come and go, and with them the rules that stand above a
// repository, and where globs start.
func TestWorkspaceFolders(t *testing.T) {
	w, root, ask := project(t, nil, map[string]string{".seedlingignore": "a.go\n", "inner/.git/HEAD": "", "inner/gen/b.go": ""})
	if ask("inner/a.go") {
		t.Error("the workspace folder's .seedlingignore does not count")
	}
	folder := func(name string) []any {
		return []any{map[string]any{"uri": uri.File(filepath.Join(root, name)), "name": "f"}}
	}
	w.notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": folder("inner"), "removed": folder("")}})
	if !ask("inner/a.go") {
		t.Error("a folder that is gone still counts")
	}
	w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"exclude": []string{"gen/*"}}})
	if ask("inner/gen/b.go") {
		t.Error("globs do not start at the folder that came")
	}
	w.notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": folder(""), "removed": folder("inner")}})
	if ask("inner/a.go") || !ask("inner/gen/b.go") {
		t.Error("the first folder did not come back")
	}
	w.bye()
}

// TestReset: a section is the whole of it. What it does not name goes back to how the
// client started the server, or to the default; so it does when the client, asked, has no
// section any more. Else a setting that a person deletes would stay until the next start.
func TestReset(t *testing.T) {
	w := dial(t, says("x := 1"), Options{})
	w.answers = map[string]string{"workspace/configuration": `[null]`}
	w.hello("utf-16", map[string]any{"decode": "causal", "maxTokens": 5})
	in := func() Settings { w.call("no/such", nil); return w.s.current() }
	set := func(settings any) Settings {
		w.notify("workspace/didChangeConfiguration", map[string]any{"settings": settings})
		return in()
	}
	for len(w.asked) == 0 {
		w.noted(w.read())
	}
	if s := in(); s.Decode != "causal" {
		t.Errorf("no section at the start undoes initializationOptions: %+v", s)
	}
	if s := set(map[string]any{"seedling": map[string]any{"decode": "diffusion", "exclude": []string{"a"}}}); s.Decode != "diffusion" || len(s.Exclude) != 1 || s.MaxTokens != 5 {
		t.Errorf("%+v", s)
	}
	if s := set(map[string]any{"seedling": map[string]any{"deadlineMs": 100, "maxTokens": nil}}); s.Decode != "causal" || len(s.Exclude) != 0 || s.DeadlineMs != 100 || s.MaxTokens != 5 {
		t.Errorf("%+v", s)
	}
	for _, nothing := range []any{nil, map[string]any{}, map[string]any{"gopls": map[string]any{"a": 1}}} { // it is asked then
		if s := set(map[string]any{"deadlineMs": 100}); s.DeadlineMs != 100 {
			t.Fatalf("%+v", s)
		}
		n := len(w.asked)
		set(nothing)
		for len(w.asked) == n {
			w.noted(w.read())
		}
		for start := time.Now(); in().DeadlineMs != 400; time.Sleep(time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatalf("%v: %+v", nothing, in())
			}
		}
	}
	w.bye()
}

// TestSecretsStayHere: what the engine is asked holds no secret of the document, not after a
// change either, and the answer still goes to its place.
func TestSecretsStayHere(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	w := dial(t, generator(func(ctx context.Context, r engine.Request) (engine.Result, error) {
		mu.Lock()
		seen = append(seen, r.Prefix+"‸"+r.Suffix)
		mu.Unlock()
		return says("x := 1").Generate(ctx, r)
	}), Options{})
	w.hello("utf-16", nil)
	token := strings.Join([]string{"gh", "p_", "16C7e42F292c6912E7710c838347Ae178B4a"}, "")
	w.open("package main\n\nconst password = \"😀hunter2!\"\n\nfunc main() {\n\t\n}\n\nvar t = \"" + token + "\"\n")
	for range 2 {
		list := w.wait(w.inline(5, 1)).items(t)
		if len(list.Items) != 1 || list.Items[0].InsertText != "\tx := 1" || list.Items[0].Range.Start.Line != 5 {
			t.Fatalf("%+v", list)
		}
		w.change(2, 2, 18, 20, "tr0ub4dor")
	}
	if got := w.wait(w.inline(2, 22)).items(t); len(got.Items) != 0 {
		t.Errorf("a suggestion in a password: %+v", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 2 {
		t.Fatalf("asked %d times", len(seen))
	}
	for _, s := range seen {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "tr0ub4") || strings.Contains(s, token[4:12]) || !strings.Contains(s, `const password = "****`) {
			t.Errorf("the engine was asked %q", s)
		}
	}
	w.bye()
}

// TestPullOverlaps: a push that comes while the client is asked counts, and the answer, which
// is older, does not; and to have no section of our name is no word against settings that a
// client (Helix, Neovim) pushed without one.
func TestPullOverlaps(t *testing.T) {
	for _, answer := range []string{`[{"maxTokens":1}]`, `[null]`} {
		w := dial(t, says("x := 1"), Options{})
		w.hello("utf-16", nil)
		push := func() {
			w.notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"maxTokens": 7}})
			w.call("no/such", nil) // it is in force when this is answered
		}
		overtaken := answer != `[null]`
		if !overtaken {
			push()
		}
		done := make(chan struct{})
		go func() { defer close(done); w.s.pull(w.s.wire, false) }()
		question := w.read()
		for question.Method != "workspace/configuration" {
			question = w.read()
		}
		if overtaken {
			push()
		}
		w.frame(`{"jsonrpc":"2.0","id":` + string(question.ID) + `,"result":` + answer + `}`)
		<-done
		if got := w.s.current().MaxTokens; got != 7 {
			t.Errorf("%s undid a push: maxTokens %d", answer, got)
		}
		w.bye()
	}
}
