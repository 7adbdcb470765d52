package weights

import (
	"embed"
	"io/fs"
)

// Name is how the built-in model is called on the command line and in answers.
const Name = "builtin"

//go:embed config.json model.safetensors tokenizer.json
var files embed.FS

// Builtin is the built-in model as a model directory.
func Builtin() fs.FS { return files }
