package tokenizer

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// texts gives each text as a file of the same source.
func texts(list ...string) iter.Seq[SourceFile] {
	return func(yield func(SourceFile) bool) {
		for _, text := range list {
			if !yield(SourceFile{Source: "one", Text: []byte(text)}) {
				return
			}
		}
	}
}

// slowLearn is the trainer by its definition: count all pairs anew, merge the most
// frequent, the smaller ids first.
func slowLearn(seqs [][]int32, counts []int64, first int32, n int, least int64) (merges []merge) {
	text := map[int32]string{}
	ids := map[string]int32{}
	for b := range 256 {
		s := string([]byte{byte(b)})
		text[first+int32(b)], ids[s] = s, first+int32(b)
	}
	next := first + 256
	for next < first+256+int32(n) {
		pairs := map[[2]int32]int64{}
		for s, seq := range seqs {
			for i := 1; i < len(seq); i++ {
				pairs[[2]int32{seq[i-1], seq[i]}] += counts[s]
			}
		}
		var best [2]int32
		var count int64
		for p, c := range pairs {
			if c > count || c == count && slices.Compare(p[:], best[:]) < 0 {
				best, count = p, c
			}
		}
		if count < least {
			return merges
		}
		joined := text[best[0]] + text[best[1]]
		into, ok := ids[joined]
		if !ok {
			into = next
			next++
			ids[joined], text[into] = into, joined
		}
		merges = append(merges, merge{best[0], best[1], into})
		for s, seq := range seqs {
			var out []int32
			for i := 0; i < len(seq); i++ {
				if i+1 < len(seq) && seq[i] == best[0] && seq[i+1] == best[1] {
					out = append(out, into)
					i++
				} else {
					out = append(out, seq[i])
				}
			}
			seqs[s] = out
		}
	}
	return merges
}

// The counts are kept up to date merge by merge, through a heap that holds old ones.
// Were one update missing, the vocabulary would silently be a worse one.
func TestIncrementalCountsAreTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[ab]{1,12}|[abc]{1,30}`), 1, 12).Draw(t, "words")
		n := rapid.IntRange(0, 30).Draw(t, "merges")
		cfg := TrainConfig{Size: 256 + n, MaxTokenBytes: 1000, MinCount: rapid.Int64Range(1, 4).Draw(t, "least"), MaxChunkBytes: 1 << 20}
		c := newCorpus()
		var seqs [][]int32
		var counts []int64
		for _, w := range words {
			count := rapid.Int64Range(1, 3).Draw(t, "count")
			c.begin(&counted{count: count})
			c.seqs[len(c.seqs)-1].sources.add(0)
			var seq []int32
			for i := range len(w) {
				c.add(int32(w[i]))
				seq = append(seq, int32(w[i]))
			}
			seqs, counts = append(seqs, seq), append(counts, count)
		}
		v := newVocabulary(cfg)
		// Without the MinSources of Train: all are of one source.
		cfg.MinSources = 1
		if err := v.learn(context.Background(), c, cfg.Size, cfg, func(string) {}); err != nil {
			t.Fatal(err)
		}
		if want := slowLearn(seqs, counts, 0, n, cfg.MinCount); !slices.Equal(v.merges, want) {
			t.Fatalf("merges of %q: %v, want %v", words, v.merges, want)
		}
	})
}

// sample is a small corpus at hand everywhere: this package.
func sample(t testing.TB) []SourceFile {
	t.Helper()
	files, err := Sample(os.DirFS(".."), SampleConfig{Suffix: ".go", Bytes: 200 << 10, MaxFileBytes: 100 << 10, TestShare: 1})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func trained(t testing.TB, cfg TrainConfig, files []SourceFile) string {
	t.Helper()
	tok, err := Train(t.Context(), cfg, slices.Values(files), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tok.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Ids are baked into weights: the same corpus must give the same vocabulary, on any
// machine and in whatever order the files are listed.
func TestTrainingIsDeterministic(t *testing.T) {
	files := sample(t)
	cfg := DefaultTrainConfig()
	cfg.Size, cfg.MinSources = 600, 2
	want := trained(t, cfg, files)
	slices.Reverse(files)
	if trained(t, cfg, files) != want {
		t.Error("the order of the files changes the vocabulary")
	}
}

// What stage two learns must cross words, and what it learns must be used: encoding the
// corpus with both stages takes fewer tokens than with as many merges inside words.
func TestStageTwoMergesAcrossWords(t *testing.T) {
	files := sample(t)
	cfg := DefaultTrainConfig()
	cfg.Size, cfg.MinSources = 900, 1
	var stages []Stage
	two, err := Train(t.Context(), cfg, slices.Values(files), func(p Progress) {
		if len(stages) == 0 || stages[len(stages)-1] != p.Stage {
			stages = append(stages, p.Stage)
		}
		if p.Stage != Reading && (p.Done < 1 || p.Total != 900-265 || p.Token == "") {
			t.Errorf("progress %+v", p)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Stage{Reading, Words, Chunks}; !slices.Equal(stages, want) {
		t.Errorf("stages %v, want %v", stages, want)
	}
	if two.Size() != 900 {
		t.Errorf("%d tokens, want 900", two.Size())
	}
	across := 0
	first := 265 + 476 // three quarters of 635
	for id := range two.tokens {
		token := string(two.tokens[id])
		if spaced := strings.Contains(strings.TrimSpace(token), " "); spaced && id >= first {
			across++
		} else if spaced && id < first {
			t.Errorf("stage one learnt %q, which is no word", token)
		}
	}
	if across < 20 {
		t.Errorf("%d tokens cross a space, want many of the last 159", across)
	}

	cfg.WordShare = 1
	one, err := Train(t.Context(), cfg, slices.Values(files), nil)
	if err != nil {
		t.Fatal(err)
	}
	n1, n2 := 0, 0
	for _, f := range files {
		n1 += len(Encode(one, []int32(nil), string(f.Text)))
		n2 += len(Encode(two, []int32(nil), string(f.Text)))
	}
	if n2 >= n1 {
		t.Errorf("two stages take %d tokens, one stage %d", n2, n1)
	}
}

// One project's name for a thing must not take a token from all others.
func TestPairsOfOneSourceAreNotLearnt(t *testing.T) {
	many := strings.Repeat("frobnicate\n", 100)
	few := strings.Repeat("go walk\n", 10)
	files := []SourceFile{{Source: "a", Text: []byte(many + few)}, {Source: "b", Text: []byte(few)}, {Source: "c", Text: []byte(few)}}
	cfg := DefaultTrainConfig()
	cfg.Size = 400
	tok, err := Train(t.Context(), cfg, slices.Values(files), nil)
	if err != nil {
		t.Fatal(err)
	}
	has := func(text string) bool { return len(Encode(tok, []int32(nil), text)) == 1 }
	if !has(" walk") {
		t.Error("a word of all sources is no token")
	}
	for id := range tok.tokens {
		if token := string(tok.Token(int32(id))); len(token) > 1 && strings.Contains("frobnicate\n", token) {
			t.Errorf("%q, of one source, is a token", token)
		}
	}
}

// A user who interrupts training waits for no stage to end.
func TestTrainStopsWhenCancelled(t *testing.T) {
	files := sample(t)
	for _, at := range []Stage{Reading, Words, Chunks} {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := DefaultTrainConfig()
		cfg.Size, cfg.MinSources = 600, 1
		after := 0
		_, err := Train(ctx, cfg, slices.Values(files), func(p Progress) {
			if ctx.Err() != nil {
				after++
			}
			if p.Stage == at {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) || after > 0 {
			t.Errorf("cancelled while %v: error %v, %d reports after", at, err, after)
		}
	}
}

func TestTrainKeepsItsBounds(t *testing.T) {
	cfg := DefaultTrainConfig()
	cfg.Size, cfg.MaxTokenBytes, cfg.MaxChunkBytes, cfg.MinSources = 2000, 5, 60, 1
	long := strings.Repeat("xyzzy", 20) // longer than a chunk may be
	tok, err := Train(t.Context(), cfg, texts(strings.Repeat("function function\n", 9)+strings.Repeat(long+"\n", 9)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Size() >= 2000 {
		t.Errorf("%d tokens of two words", tok.Size())
	}
	for id := range tok.tokens {
		if token := tok.Token(int32(id)); len(token) > 5 || len(token) > 1 && bytes.Contains([]byte("xyzzyxyzzy"), token) {
			t.Errorf("token %q is too long, or of a line that is", token)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	for name, change := range map[string]func(c *TrainConfig){
		"no room for the bytes": func(c *TrainConfig) { c.Size = 264 },
		"absurd size":           func(c *TrainConfig) { c.Size = 1 << 30 },
		"share":                 func(c *TrainConfig) { c.WordShare = 1.5 },
		"token length":          func(c *TrainConfig) { c.MaxTokenBytes = 0 },
		"chunk length":          func(c *TrainConfig) { c.MaxChunkBytes = 0 },
		"special twice":         func(c *TrainConfig) { c.Special = []string{"<a>", "<a>"} },
		"special is a byte":     func(c *TrainConfig) { c.Special = []string{"Ġ"} },
	} {
		cfg := DefaultTrainConfig()
		change(&cfg)
		if _, err := Train(t.Context(), cfg, texts("some text"), nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Train(t.Context(), DefaultTrainConfig(), texts(), nil); err == nil {
		t.Error("training on nothing succeeds")
	}
}

// If text could become a token that the file writes as a special one, the file could
// not tell the two apart, and would not load.
func TestTextDoesNotBecomeASpecialToken(t *testing.T) {
	text := ""
	for _, after := range "abcdefghijklmnopqrstuvwxyz" {
		text += strings.Repeat("<|mask|>"+string(after)+"\n", 5)
	}
	cfg := DefaultTrainConfig()
	cfg.Size, cfg.WordShare = 600, 0
	tok, err := Train(t.Context(), cfg, texts(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tok.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	tok, err = Load(&b)
	if err != nil {
		t.Fatal(err)
	}
	if ids := Encode(tok, []int32(nil), "<|mask|>"); len(ids) < 2 || string(Decode(tok, nil, ids)) != "<|mask|>" {
		t.Errorf("<|mask|> as text has the ids %d", ids)
	}
}
