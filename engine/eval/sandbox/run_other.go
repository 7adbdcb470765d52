//go:build !linux

package sandbox

import "context"

// Child does nothing: no program is run here.
func Child() {}

// Check is ErrUnavailable.
func Check(context.Context) error { return ErrUnavailable }

// Run is ErrUnavailable.
func (Program) Run(context.Context) (Result, error) { return Result{}, ErrUnavailable }
