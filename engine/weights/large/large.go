package large

import (
	"embed"
	"io/fs"
)

//go:embed config.json model.safetensors tokenizer.json
var files embed.FS

// Files is the large model as a model directory.
func Files() fs.FS { return files }
