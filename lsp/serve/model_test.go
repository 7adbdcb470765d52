package serve

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/cpu"
	"github.com/seedling-lsp/seedling/engine/denoise"
	"github.com/seedling-lsp/seedling/engine/model"
	"github.com/seedling-lsp/seedling/engine/tokenizer"
	"github.com/seedling-lsp/seedling/engine/weights"
)

// builtin is the engine with the embedded model.
func builtin(t *testing.T) *engine.Engine {
	t.Helper()
	w, err := model.LoadFS(weights.Files())
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(bytes.NewReader(weights.TokenizerJSON))
	if err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New(w, cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	e := engine.New(engine.Model{Name: weights.Small, Config: w.Config, Tokenizer: tok}, b, engine.Options{})
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestModel: the embedded model, which will change, answers at some places of a file; at
// each, both doors with the same text, a line that goes in at the cursor; and a character
// more is a character more to read.
func TestModel(t *testing.T) {
	h := running(t, Options{Generator: builtin(t), Decode: denoise.Verify, Model: weights.Small})
	const file = "package load\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\n// read is the text of a file.\nfunc read(path string) (string, error) {\n\tb, err := os.ReadFile(path)\n\tif err != nil {\n\t\treturn \"\", fmt.Errorf(\"read: %w\", err)\n\t}\n\treturn string(b), nil\n}\n"
	answers := 0
	at := 0
	for line := range strings.Lines(file) {
		start := at
		at += len(line)
		word := strings.LastIndexAny(strings.TrimRight(line, "\n"), " (.")
		if word < 0 || strings.HasPrefix(line, "//") {
			continue
		}
		before, middle, after := file[:start], line[:word+1], "\n"+file[at:]
		r := post(t, h, "/infill", object{"input_prefix": before, "prompt": middle, "input_suffix": after, "n_indent": 0})
		text := r.content(t)
		t.Logf("%q + %q", middle, text)
		o := post(t, h, "/v1/completions", object{"prompt": before + middle, "suffix": after, "max_tokens": 128})
		if got := o.content(t); got != text {
			t.Errorf("after %q /v1/completions says %q, /infill %q", middle, got, text)
		}
		if text == "" {
			continue
		}
		answers++
		v := r.object(t)
		if v["tokens_predicted"].(float64) < 1 || v["tokens_evaluated"].(float64) < 5 || v["truncated"] != false || !utf8.ValidString(text) {
			t.Errorf("%s", r.body)
		}
		typed := post(t, h, "/infill", object{"input_prefix": before, "prompt": middle + "x", "input_suffix": after}).object(t)
		if n := typed["timings"].(object)["prompt_n"].(float64); n > 8 {
			t.Errorf("after %q a typed character cost %v tokens", middle, n)
		}
	}
	if answers == 0 {
		t.Error("the model has nothing to say anywhere")
	}
}

// slow makes every forward of its first request wait until nobody else can go on.
type slow struct {
	e     *engine.Engine
	begun atomic.Bool
	ran   chan struct{} // closed after the first forward
}

func (g *slow) Generate(ctx context.Context, r engine.Request) (engine.Result, error) {
	if g.begun.CompareAndSwap(false, true) {
		forwards := 0
		r.Watch = func(engine.Step) {
			if forwards++; forwards > 2 {
				panic("a forward after the newer question came")
			} else if forwards == 1 {
				close(g.ran)
			}
			time.Sleep(time.Second)
		}
	}
	return g.e.Generate(ctx, r)
}

// TestNewerQuestion: the newer question of a client ends its older one within a forward,
// in the engine's own queue; the older one is told so with a status that no client repeats.
func TestNewerQuestion(t *testing.T) {
	e := builtin(t)
	synctest.Test(t, func(t *testing.T) {
		g := &slow{e: e, ran: make(chan struct{})}
		s := New(Options{Generator: g, Decode: denoise.Causal})
		defer s.Close()
		ask := func(body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/v1/completions", strings.NewReader(body))
			r.Host = "localhost"
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			return w
		}
		older := make(chan *httptest.ResponseRecorder, 1)
		go func() { older <- ask(`{"prompt":"import os\n\n\ndef read(","max_tokens":200}`) }()
		<-g.ran
		if w := ask(`{"prompt":"import os\n\n\ndef write(","max_tokens":4}`); w.Code != 200 {
			t.Errorf("the newer: %d: %s", w.Code, w.Body)
		}
		if w := <-older; w.Code != statusSuperseded {
			t.Errorf("the older: %d: %s", w.Code, w.Body)
		}
	})
}
