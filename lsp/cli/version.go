package cli

import (
	"fmt"
	"runtime/debug"
)

type versionCmd struct{}

func (versionCmd) Run(c *Commands) error {
	fmt.Println("seedling", c.version())
	return nil
}

// version is the release's name, or the commit that a build of a developer is of.
func (c *Commands) version() string {
	if c.release != "dev" {
		return c.release
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				return "dev " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return c.release
}
