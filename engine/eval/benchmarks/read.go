package benchmarks

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
)

// read reads a file of a JSON value a line, .jsonl or .jsonl.gz. check says what is wrong with
// a value that is no problem of the benchmark.
func read[T any](path string, check func(T) error) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReader(f)
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20) // a problem has tests of megabytes
	var all []T
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var p T
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		if err := check(p); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		all = append(all, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no problems", path)
	}
	return all, nil
}

// Draw draws n problems, or all if there are no more (or n is 0), in their order.
func Draw[T any](all []T, n int, seed uint64) []T {
	if n <= 0 || n >= len(all) {
		return all
	}
	picked := rand.New(rand.NewPCG(seed, 1)).Perm(len(all))[:n]
	slices.Sort(picked)
	var out []T
	for _, i := range picked {
		out = append(out, all[i])
	}
	return out
}
