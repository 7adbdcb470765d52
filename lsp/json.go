package lsp

import (
	"encoding/json"

	"go.lsp.dev/jsonrpc2"
)

// rawJSON marshals one of our own types, which protocol's codec knows nothing of.
func rawJSON(v any) jsonrpc2.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return jsonrpc2.RawMessage("null")
	}
	return b
}
