// Package denoise decides a block: what to unmask, what to revise, when to stop.
// It knows a backend and token ids, and neither text nor files.
package denoise
