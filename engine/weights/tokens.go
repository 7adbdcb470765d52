package weights

import _ "embed" // for TokenizerJSON

// TokenizerJSON is the built-in tokenizer (Hugging Face tokenizer.json): the vocabulary
// of the built-in model and of every model trained from nothing.
//
//go:embed tokenizer.json
var TokenizerJSON []byte
