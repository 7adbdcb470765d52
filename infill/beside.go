package infill

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/seedling-lsp/seedling/treesitter"
)

// Bounds of what [Beside] reads.
const (
	besideFiles = 500
	besideFile  = 256 << 10
	besideBytes = 4 << 20
)

// Beside reads the source files in the folder of a file, without that file: those of a
// language that Seedling knows, not larger than 256 KB each and 4 MB together, in the order
// of their names. Names that begin with a dot and what cannot be read are left out. Secrets
// in the texts are not hidden yet ([HideSecrets]).
func Beside(file string) []Document {
	folder := filepath.Dir(file)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var out []Document
	bytes := 0
	for _, e := range entries {
		language := treesitter.Detect(e.Name(), "")
		if len(out) == besideFiles || language == treesitter.Text || e.Name() == filepath.Base(file) || e.Name()[0] == '.' || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil || info.Size() > besideFile || bytes+int(info.Size()) > besideBytes {
			continue
		}
		path := filepath.Join(folder, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		bytes += len(text)
		out = append(out, Document{Path: path, Language: language, Text: strings.ToValidUTF8(string(text), "\uFFFD")})
	}
	return out
}
