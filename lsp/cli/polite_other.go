//go:build !linux

package cli

// polite does nothing: macOS and Windows have classes of work instead of a thread's
// niceness, and the editor's own is what its children get.
func polite(int) error { return nil }
