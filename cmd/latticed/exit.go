package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/graph"
)

// The exit statuses.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
)

// errFailed means that a dispatch failed or was cancelled; everything was said.
var errFailed = errors.New("the dispatch did not complete")

// usageError means that the command line makes no sense.
type usageError struct{ msg string }

func (u *usageError) Error() string { return u.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// finish says what went wrong and returns the exit status.
func (c *cli) finish(cmd *cobra.Command, err error) int {
	var usage *usageError
	var away *client.Unreachable
	var no *client.Refused
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.Is(err, context.Canceled):
		return exitFailed // interrupted; the user knows
	case errors.As(err, &usage):
		c.complain(usage.msg)
		return exitUsage
	case errors.As(err, &away):
		c.complain(c.remedy(away))
		return exitUnreachable
	case c.json && errors.As(err, &no):
		raw, _ := json.Marshal(no.Problem) // texts and numbers
		fmt.Fprintln(c.stderr, string(raw))
		return exitRefused
	case errors.As(err, &no):
		c.complain(strings.Replace(err.Error(), no.Error(), spoken(cmd, no), 1))
		return exitRefused
	default:
		c.complain(err.Error())
		return exitRefused
	}
}

// spoken says a refusal in the words of the command line: fields are flags here, and
// where in a request they stand is nothing that its user has seen.
func spoken(cmd *cobra.Command, no *client.Refused) string {
	said := client.Refused{Problem: no.Problem}
	said.Errors = slices.Clone(no.Errors)
	for i := range said.Errors {
		e := &said.Errors[i]
		e.Line, e.Path = 0, asFlag(cmd, e.Path)
	}
	return strings.NewReplacer(
		"send it as Authorization: Bearer TOKEN", "give it in $LATTICED_TOKEN, or in a file with --token-file",
		"the header Authorization holds no token of this daemon: send Authorization: Bearer ltd_…", "what $LATTICED_TOKEN or --token-file gives is not a whole token; give the line as it was printed, which begins with ltd_",
		"resume with backlog=", "resume it with --backlog ", "backlog=", "--backlog ", "confirm=", "--confirm ", "or raise max,", "or raise --max,",
	).Replace(said.Error())
}

// asFlag names the flag that a field comes from, if there is one.
func asFlag(cmd *cobra.Command, path string) string {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	name, rest := path[:end], path[end:]
	flags := cmd.Flags()
	switch {
	case name == "inputs" && flags.Lookup("map") != nil && !given(flags.Lookup("input"), strings.TrimPrefix(rest, ".")):
		return strings.Replace("-m"+rest, ".", " ", 1)
	case name == "inputs" && flags.Lookup("input") != nil:
		return strings.Replace("-i"+rest, ".", " ", 1)
	case name == "grid" && flags.Lookup("list") != nil:
		return strings.Replace("-i"+rest, ".", " ", 1)
	case name == "list" && rest != "" && flags.Lookup("list") != nil: // the message says which combination it is
		_, input, _ := strings.Cut(rest, ".")
		return strings.TrimSpace("--list " + input)
	case name == "replace_electrons" && flags.Lookup("replace") != nil:
		return strings.Replace("--replace"+rest, ".", " ", 1)
	case name == "electrons" && strings.HasPrefix(rest, "["): // words of a command
		return ""
	case name == "where" && flags.Lookup("where") != nil:
		return strings.Replace("--where"+rest, ".", " ", 1)
	case name == "labels" && flags.Lookup("label") != nil:
		return strings.Replace("--label"+rest, ".", " ", 1)
	case (name == "states" || name == "events") && flags.Lookup(name[:len(name)-1]) != nil:
		return "--" + name[:len(name)-1]
	case name == "dispatch_id" && flags.Lookup("dispatch") != nil:
		return "--dispatch"
	}
	if flag := strings.ReplaceAll(name, "_", "-"); name != "" && flags.Lookup(flag) != nil {
		return "--" + flag + rest
	}
	return path
}

// given tells whether the words of a flag give a value to a key.
func given(f *pflag.Flag, key string) bool {
	list, ok := f.Value.(pflag.SliceValue)
	return ok && slices.ContainsFunc(list.GetSlice(), func(word string) bool {
		name, _, _ := strings.Cut(word, "=")
		return strings.TrimSuffix(name, ":") == key
	})
}

func (c *cli) complain(msg string) {
	if c.json {
		raw, err := json.Marshal(map[string]string{"error": strings.TrimRight(msg, "\n")})
		if err == nil {
			fmt.Fprintln(c.stderr, string(raw))
			return
		}
	}
	for line := range strings.SplitSeq(strings.TrimRight(msg, "\n"), "\n") {
		fmt.Fprintln(c.stderr, "latticed: "+printable(line))
	}
}

// remedy says why the daemon can't be reached, and what to do.
func (c *cli) remedy(u *client.Unreachable) string {
	switch {
	case strings.HasPrefix(u.Server, "http"):
		return remoteRemedy(u)
	case errors.Is(u.Err, fs.ErrPermission):
		name := "you"
		if me, err := user.Current(); err == nil {
			name = me.Username
		}
		return fmt.Sprintf("you may not use the socket %s: you are not in group latticed; an admin adds you with: usermod -aG latticed %s (then log in again)", u.Server, name)
	case errors.Is(u.Err, fs.ErrNotExist):
		return fmt.Sprintf("the daemon is not running: there is no socket at %s; start it with: systemctl start latticed, or by hand: latticed serve", strings.Join(c.tried(u.Server), " or "))
	case errors.Is(u.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("the daemon is not running: nobody listens at %s any more; start it with: systemctl start latticed, or by hand: latticed serve", u.Server)
	}
	return fmt.Sprintf("the daemon at %s did not answer: %v", u.Server, u.Err)
}

// remoteRemedy is remedy for a daemon on another machine.
func remoteRemedy(u *client.Unreachable) string {
	var stranger x509.UnknownAuthorityError
	var misnamed x509.HostnameError
	var unknown *net.DNSError
	var how *url.Error
	err := u.Err
	if errors.As(err, &how) {
		err = how.Err // without the path, which is another one each time
	}
	switch {
	case errors.As(u.Err, &stranger):
		return fmt.Sprintf("the certificate of %s is signed by nobody this machine trusts; name it, or its authority's, with --ca-file", u.Server)
	case errors.As(u.Err, &misnamed):
		return fmt.Sprintf("the certificate of %s is for another name: %v", u.Server, misnamed)
	case errors.Is(u.Err, http.ErrSchemeMismatch):
		return fmt.Sprintf("there is no TLS at %s: write http:// if the daemon was started with --allow-plain or is on this machine", u.Server)
	case errors.Is(u.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nobody listens at %s: the daemon is not running, or not with --listen", u.Server)
	case errors.As(u.Err, &unknown) && unknown.IsNotFound:
		return fmt.Sprintf("no machine is called %s here: is the name in --server right?", unknown.Name)
	}
	return fmt.Sprintf("the daemon at %s did not answer: %v", u.Server, err)
}

// inFile puts the name of a file before the findings in it.
func inFile(name string, err error) error {
	var doc *graph.Invalid
	if !errors.As(err, &doc) {
		return err
	}
	lines := make([]string, 0, len(doc.Problems))
	for _, p := range doc.Problems {
		at := name
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", name, p.Line, p.Column)
		}
		if p.Path != "" {
			at += ": " + p.Path
		}
		lines = append(lines, at+": "+p.Message)
	}
	return errors.New(strings.Join(lines, "\n"))
}

// exactly wants the named arguments.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s is missing; usage: %s", names[len(args)], cmd.UseLine())
		case len(args) > len(names):
			return usagef("unexpected argument %q; usage: %s", args[len(names)], cmd.UseLine())
		}
		return nil
	}
}

// atMost wants up to n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("unexpected argument %q; usage: %s", args[n], cmd.UseLine())
		}
		return nil
	}
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// exists tells whether something is at path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
