package driver

// Batcher is implemented by drivers whose calls belong to one thread: f's calls are made
// there, without a change of thread for each.
type Batcher interface {
	Do(f func() error) error
}

// Do runs f as d's Batcher would, or as it is.
func Do(d Driver, f func() error) error {
	if b, ok := d.(Batcher); ok {
		return b.Do(f)
	}
	return f()
}

// Graph is the handle of launches that start together.
type Graph uint64

// Grapher is implemented by drivers that can take several launches as one.
type Grapher interface {
	// Capture makes a graph of the launches in f, which are not run. f makes no other calls.
	Capture(f func() error) (Graph, error)
	// Start starts a graph. The launches have the arguments of their capture.
	Start(Graph) error
	Drop(Graph) error
}
