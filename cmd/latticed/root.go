package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/graph"
)

const exitHelp = `
Exit status:
  0  ok
  1  the dispatch failed or was cancelled
  2  wrong usage: also a value that can't be read, or a file named here that isn't there
  3  the daemon can't be reached
  4  refused by the daemon, a lattice or inputs that are not valid, or it could not be done
`

// run is the whole program as a function.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{stdin: stdin, stdout: stdout, stderr: stderr}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal is not caught: it ends us at once
	root := newRoot(c)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	return c.finish(cmd, err)
}

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "latticed",
		Short: "Runs lattices (workflows) when something happens",
		Long: `latticed keeps lattices (workflows) and every dispatch (run) of them. Triggers watch
for events; when one fires, a lattice runs with inputs taken from the event.

Tables fit the terminal: what is too wide is shortened, or broken into lines. In a pipe
(| less -S) they are whole, and --json has all there is.
`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON")
	root.PersistentFlags().StringVar(&c.server, "server", "", "the daemon: unix:PATH or https://HOST:PORT (default $LATTICED_SERVER, else the socket $LATTICED_SOCKET, /run/latticed/latticed.sock, $XDG_RUNTIME_DIR/latticed.sock)")
	root.PersistentFlags().StringVar(&c.tokenFile, "token-file", "", "with https: a file with the token (default $LATTICED_TOKEN, else $LATTICED_TOKEN_FILE)")
	root.PersistentFlags().StringVar(&c.caFile, "ca-file", "", "with https: a certificate (PEM) to trust besides the system's (default $LATTICED_CA_FILE)")
	root.AddCommand(
		newServe(c), newRun(c), newCheck(c), newStore(c), newLattices(c), newLattice(c),
		newDispatch(c), c.redispatchMany(newRedispatch(c)), newStart(c), c.withWhere(newCancel(c), "asked to cancel", bulkCancel), newWait(c), newShow(c), newResult(c), newRm(c),
		newList(c), newSweep(c), newTable(c), newLogs(c), newGet(c),
		newTrigger(c), newExplain(c), newExecutor(c), newEvents(c), newToken(c), newAudit(c), newWatch(c),
		newBackup(c), newRestore(c), newHold(c), newPrune(c), newKeep(c), newDoctor(c), newWhoami(c), newVersion(c), newRunner(c),
	)
	walk(root, sayTypes)
	root.SetUsageTemplate(root.UsageTemplate() + exitHelp) // the others take it from here
	return root
}

func walk(cmd *cobra.Command, f func(*cobra.Command)) {
	for _, sub := range cmd.Commands() {
		walk(sub, f)
	}
	f(cmd)
}

// noSuchCommand refuses words that aren't sub-commands.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return usagef("there is no command %q%s", cmd.CommandPath()+" "+args[0], meant(args[0], names))
}

var badNumber = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^invalid argument "(.*)" for "(?:-., )?(--[a-z-]+)" flag: strconv\.Parse(?:Int|Uint): `)
})

// flagError says what is wrong about a flag, with a suggestion beside an unknown one.
func flagError(cmd *cobra.Command, err error) error {
	msg := err.Error()
	if word, ok := strings.CutPrefix(msg, "unknown flag: --"); ok {
		if s := likelyFlag(word, flagNames(cmd)); s != "" {
			return usagef("unknown flag --%s; did you mean --%s?", word, s)
		}
		return usagef("unknown flag --%s; see %s --help", word, cmd.CommandPath())
	}
	if m := badNumber().FindStringSubmatch(msg); m != nil {
		return usagef("%s: must be a whole number, not %q", m[2], m[1])
	}
	if rest, ok := strings.CutPrefix(msg, "unknown shorthand flag: "); ok {
		return usagef("unknown flag %s", rest)
	}
	return usagef("%s", msg)
}

// likelyFlag is the one flag that begins with the word and goes on after a dash, or the
// one that is spelled much like it.
func likelyFlag(word string, flags []string) string {
	var longer []string
	for _, name := range flags {
		if strings.HasPrefix(name, word+"-") {
			longer = append(longer, name)
		}
	}
	if len(longer) == 1 {
		return longer[0]
	}
	return graph.Suggest(word, flags)
}

// meant is the end of a message about an unknown word.
func meant(word string, known []string) string {
	if s := graph.Suggest(word, known); s != "" {
		return "; did you mean " + s + "?"
	}
	return "; see latticed --help"
}
