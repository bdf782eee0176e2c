// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// newFlags starts the flags of a subcommand. text is its usage: a synopsis and
// what it does, without the flags, which printUsage adds.
func newFlags(name, text string, env env) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // report prints the error, once
	fs.Usage = func() { printUsage(env.stdout, fs, text) }
	return fs
}

// parseFlags parses args, of which none may be positional. Asked for help it
// prints the usage on stdout and returns flag.ErrHelp, which ends the
// subcommand with status 0.
func parseFlags(fs *flag.FlagSet, args []string) error {
	return parseArgs(fs, args, 0)
}

// parseOneArg is parseFlags for a subcommand with one positional argument,
// which it returns; flags may come before and after it. what names it in the
// error when it is missing.
func parseOneArg(fs *flag.FlagSet, args []string, what string) (string, error) {
	found, err := parsePositional(fs, args, what)
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// parsePositional is parseOneArg for as many arguments as there are names.
func parsePositional(fs *flag.FlagSet, args []string, names ...string) (found []string, err error) {
	for _, name := range names {
		if err := parseArgs(fs, args, len(args)); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return nil, usagef("%s is missing; weir %s --help shows the usage", name, fs.Name())
		}
		found, args = append(found, fs.Arg(0)), fs.Args()[1:]
	}
	return found, parseArgs(fs, args, 0)
}

func parseArgs(fs *flag.FlagSet, args []string, positional int) error {
	usage := fs.Usage
	fs.Usage = func() {} // flag calls it for every error, not only for help
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage()
		return err
	case err != nil:
		return usagef("%s; weir %s --help lists the flags", flagFault(err), fs.Name())
	case fs.NArg() > positional:
		return usagef("unexpected argument %q; weir %s --help lists the flags", fs.Arg(positional), fs.Name())
	}
	return nil
}

// flagFault words package flag's errors as our own: flags with two dashes.
func flagFault(err error) string {
	s := err.Error()
	if name, ok := strings.CutPrefix(s, "flag provided but not defined: -"); ok {
		return "unknown flag --" + strings.TrimPrefix(name, "-")
	}
	if name, ok := strings.CutPrefix(s, "flag needs an argument: -"); ok {
		return "--" + strings.TrimPrefix(name, "-") + " needs a value"
	}
	return strings.Replace(s, " for flag -", " for --", 1)
}

func printUsage(w io.Writer, fs *flag.FlagSet, text string) {
	fmt.Fprintln(w, strings.TrimSpace(text))
	header := "\nFlags:\n"
	fs.VisitAll(func(f *flag.Flag) {
		fmt.Fprint(w, header)
		header = ""
		value, usage := flag.UnquoteUsage(f)
		if value != "" {
			value = " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  --%s%s\n        %s\n", f.Name, value, usage)
	})
}

// logLevel adds --log-level and returns where its value will be.
func logLevel(fs *flag.FlagSet) *slog.Level {
	level := new(slog.Level)
	fs.TextVar(level, "log-level", slog.LevelInfo, "log what is at least this `level`: debug, info, warn or error")
	return level
}

// newLogger logs as text, one line a record.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
