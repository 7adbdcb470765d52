package lsp

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.lsp.dev/uri"
)

// withheld says why a document gets no suggestions, as a person reads it in the status:
// what it is, and which setting has to do with it. Empty: it gets some. It reads files, so
// it must not run on the read loop.
func (s *Server) withheld(doc *snapshot, set Settings) (reason string) {
	at := s.home(doc.uri)
	file, name := pathOf(at), nameOf(at, doc)
	folder := ""
	if file != "" {
		folder = s.folders.holding(file)
	}
	switch key := set.silent(doc.id); {
	case key != "":
		return fmt.Sprintf("%s is turned off (%s)", cmp.Or(doc.id, "a document without a language"), key)
	case len(doc.text()) > set.MaxFileKB<<10:
		return fmt.Sprintf("the file is over %d KB (maxFileKB)", set.MaxFileKB)
	case !set.SecretFiles && holdsSecrets(name):
		return path.Base(name) + " usually holds secrets (secretFiles)"
	}
	if glob := excludedBy(set.Exclude, name, folder); glob != "" {
		return fmt.Sprintf("%s is excluded by %s (exclude)", path.Base(name), glob)
	}
	if file == "" {
		return ""
	}
	switch line, own := s.ignores.why(file, folder, !set.Gitignored); {
	case own:
		return fmt.Sprintf("%s is ignored by %s", path.Base(name), line)
	case line != "":
		return fmt.Sprintf("%s is ignored by %s (gitignored)", path.Base(name), line)
	}
	return ""
}

// nameOf is the path with slashes of a document that stands at a URI (its own or its notebook's), also of one that is no file of this system: a
// .env of a remote machine, or of an older commit, is one too.
func nameOf(at uri.URI, doc *snapshot) string {
	if p := pathOf(at); p != "" {
		return filepath.ToSlash(p)
	}
	if u, err := uri.Parse(string(at)); err == nil && u.Path() != "" {
		return u.Path()
	}
	return doc.path
}

// excludedBy is the first glob that a file is excluded by; empty: none. A glob without a
// slash is about the name of the file or of any folder that it is in; others start at the
// workspace folder, for a file in none at the root.
func excludedBy(globs []string, name, folder string) string {
	if len(globs) == 0 {
		return ""
	}
	rel := strings.TrimPrefix(name, "/")
	if folder != "" {
		if r, err := filepath.Rel(folder, filepath.FromSlash(name)); err == nil {
			rel = filepath.ToSlash(r)
		}
	}
	if foldCase {
		rel = strings.ToLower(rel)
	}
	for _, g := range globs {
		glob := strings.TrimPrefix(strings.TrimSuffix(g, "/"), "./")
		if !strings.Contains(g, "/") {
			glob = "**/" + glob
		}
		glob = strings.TrimPrefix(glob, "/")
		if foldCase {
			glob = strings.ToLower(glob)
		}
		for at := rel; at != "." && at != "/"; at = path.Dir(at) { // the file, and the folders over it
			if at == rel && strings.HasSuffix(g, "/") {
				continue // a folder is meant
			}
			if ok, err := doublestar.Match(glob, at); ok && err == nil {
				return g
			}
		}
	}
	return ""
}
