// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

const versionUsage = `
Usage: weir version

Prints the version, the commit and the Go release that this binary was built from.`

func runVersion(_ context.Context, args []string, env env) error {
	if err := parseFlags(newFlags("version", versionUsage, env), args); err != nil {
		return err
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this binary carries no build information; build it with go build in a module")
	}
	_, err := fmt.Fprintln(env.stdout, versionLine(info))
	return err
}

// versionLine is "weir VERSION [commit REVISION[+changes]] GOVERSION".
func versionLine(info *debug.BuildInfo) string {
	line := "weir " + info.Main.Version
	revision, changes := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = " commit " + s.Value
		case "vcs.modified":
			if s.Value == "true" {
				changes = "+changes"
			}
		}
	}
	return line + revision + changes + " " + info.GoVersion
}
