package weights

import (
	"embed"
	"io/fs"
)

// Names of the models in the binary, on the command line, in settings and in answers. Builtin
// is whichever of the two the machine is fast enough for; which, the command decides.
const (
	Builtin = "builtin"
	Small   = "small" // this package's
	Large   = "large" // of package large
)

//go:embed config.json model.safetensors tokenizer.json
var files embed.FS

// Files is the small model as a model directory.
func Files() fs.FS { return files }
