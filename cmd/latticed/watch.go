package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/directory"
	"github.com/latticed/latticed/triggers/spool"
)

// watchFlags are those of the command watch, beside the fields of kind directory.
type watchFlags struct {
	trigger string
	spool   string
	limit   string
	level   string
	upload  bool
	once    bool
	status  bool
}

func newWatch(c *cli) *cobra.Command {
	var w watchFlags
	cmd := &cobra.Command{
		Use:   "watch DIR --server URL --trigger NAME [--upload]",
		Short: "Watch a folder of this machine for a daemon on another one",
		Long: `Watch a folder of this machine, an instrument's PC, for a daemon on another one. It needs
no daemon here and no root. What happens in the folder is kept in a spool on disk until
the daemon has it, over restarts and weeks without a network, and is delivered once and
in order to a trigger of kind webhook, signed with a token of role source. With --upload
the files go first; the daemon puts them into incoming/TRIGGER/ of its state directory.

The token is in $LATTICED_TOKEN or in a file that --token-file or $LATTICED_TOKEN_FILE
names, which is read again before each delivery.
`,
		Example: `  latticed watch /data/scans --server https://lab:8321 --token-file ~/scans.token --trigger scans --upload
  latticed watch --trigger scans --status`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if w.trigger == "" {
				return usagef("--trigger is missing: the webhook trigger that gets the events")
			}
			dir, err := w.spoolDir()
			if err != nil {
				return err
			}
			if w.status {
				return c.spoolStatus(cmd.Context(), dir)
			}
			if len(args) == 0 {
				return usagef("DIR is missing; usage: %s", cmd.UseLine())
			}
			return c.watch(cmd, args[0], dir, &w)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&w.trigger, "trigger", "", "the webhook trigger that gets the events")
	f.BoolVar(&w.upload, "upload", false, "send the files, too")
	f.StringVar(&w.spool, "spool", "", "where events wait (default $XDG_STATE_HOME/latticed/watch/TRIGGER)")
	f.StringVar(&w.limit, "spool-limit", "256MiB", "how much may wait: beyond it events stay in the folder until there is room")
	f.BoolVar(&w.once, "once", false, "deliver what is there and settled, then end")
	f.BoolVar(&w.status, "status", false, "only say what is in the spool")
	f.StringVar(&w.level, "log-level", "info", "debug, info, warn or error")
	for _, fd := range watchFields() {
		switch fd.kind {
		case fieldList:
			f.StringArray(fd.flag(), nil, fd.help)
		case fieldBool:
			f.Bool(fd.flag(), false, fd.help)
		default:
			f.Var(&word{kind: fd.kind}, fd.flag(), fd.help)
		}
	}
	return cmd
}

// watchFields are the fields of kind directory that say what an event is.
func watchFields() []field {
	var fields []field
	for _, fd := range triggerFields() {
		help, ok := strings.CutPrefix(fd.help, "directory: ")
		if ok && fd.name != "dir_path" && fd.name != "batch_size" {
			help, _, _ = strings.Cut(help, "; sqlite") // what a flag means for other kinds is nothing here
			fields = append(fields, field{fd.name, fd.kind, help})
		}
	}
	return fields
}

// spoolDir is where events wait.
func (w *watchFlags) spoolDir() (string, error) {
	if w.spool != "" {
		return filepath.Abs(w.spool)
	}
	if strings.ContainsAny(w.trigger, "/\x00") || strings.HasPrefix(w.trigger, ".") {
		return "", usagef("--trigger %s: no trigger has such a name", w.trigger)
	}
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", usagef("there is no home directory: say where events wait with --spool")
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "latticed", "watch", w.trigger), nil
}

// source makes what watches the folder, with the rules of a trigger of kind directory.
func (w *watchFlags) source(cmd *cobra.Command, root string) (triggers.Made, error) {
	given := map[string]any{"dir_path": root}
	for _, fd := range watchFields() {
		f := cmd.Flags().Lookup(fd.flag())
		if !f.Changed {
			continue
		}
		v, err := fd.value(f)
		if err != nil {
			return triggers.Made{}, err
		}
		given[fd.name] = v
	}
	raw, err := json.Marshal(given)
	if err != nil {
		return triggers.Made{}, err
	}
	v, err := graph.DecodeValue(raw)
	if err != nil {
		return triggers.Made{}, err
	}
	fields, _ := v.(map[string]any) // it was marshalled from one
	if _, group := fields["group"]; w.upload && (group || fields["unit"] == "folder") {
		return triggers.Made{}, usagef("--upload sends single files: it goes neither with --group nor with --unit folder")
	}
	made, err := triggers.Make(directory.Kind(directory.Options{}), fields)
	var bad *graph.Invalid
	if errors.As(err, &bad) {
		lines := make([]string, len(bad.Problems))
		for i, p := range bad.Problems {
			lines[i] = asFlag(cmd, p.Path) + ": " + p.Message
		}
		return made, usagef("%s", strings.Join(lines, "\n"))
	}
	return made, err
}

// watch watches and delivers until it is told to stop, or with --once until nothing is
// left to do.
func (c *cli) watch(cmd *cobra.Command, dir, spoolDir string, w *watchFlags) (err error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	log, err := newLog(c.stderr, w.level)
	if err != nil {
		return err
	}
	made, err := w.source(cmd, root)
	if err != nil {
		return err
	}
	limit, err := graph.SizeWithUnit(w.limit)
	if unit := (*graph.UnitError)(nil); errors.As(err, &unit) {
		return usagef("--spool-limit: %v", unit)
	}
	if err != nil || limit <= 0 {
		return usagef("--spool-limit %s: write a size such as 256MiB", w.limit)
	}
	door, err := c.watchDoor()
	if err != nil {
		return err
	}
	defer door.close()
	log = log.With().Str(keyComponent, "watch").Logger()
	s, err := spool.Open(cmd.Context(), spoolDir, spool.Options{Owner: w.trigger, Limit: limit, Judge: made.Judge, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	carrier := newCarrier(s, door, w.trigger, root, log)
	carrier.upload, carrier.once = w.upload, w.once
	log.Info().Str("dir", root).Str("spool", spoolDir).Str("trigger", w.trigger).Str("version", version).Msg("started")
	err = watchAndDeliver(cmd.Context(), s, made.Source, carrier)
	log.Info().Msg("stopped")
	if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return nil // told to stop
	}
	return err
}

// watchAndDeliver runs both halves; with carrier.once it ends when nothing is left to do.
func watchAndDeliver(ctx context.Context, s *spool.Spool, source triggers.Source, carrier *carrier) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var idle func(context.Context, triggers.From) (bool, error)
	if carrier.once {
		idle = settled(source)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	watched := make(chan error, 1)
	wg.Go(func() {
		err := s.Watch(ctx, source, idle)
		close(carrier.last)
		watched <- err
		if err != nil {
			stop(err)
		}
	})
	err := carrier.run(ctx)
	if err != nil {
		stop(err)
	}
	if e := <-watched; e != nil && err == nil {
		err = e
	}
	if err != nil || !carrier.once {
		return err
	}
	st, err := s.Status(ctx)
	switch n := len(st.Refused); {
	case err != nil:
		return err
	case st.Health.State == triggers.Failing:
		return errors.New(st.Health.Reason)
	case n > 0:
		return fmt.Errorf("refused: %s; see --status", count(n, "event"))
	}
	return nil
}

// settled tells whether nothing is on its way that has an end.
func settled(source triggers.Source) func(context.Context, triggers.From) (bool, error) {
	return func(ctx context.Context, from triggers.From) (bool, error) {
		prober, ok := source.(triggers.Prober)
		if !ok {
			return true, nil
		}
		p, err := prober.Probe(ctx, from)
		if err != nil || p.Counts.WouldFire > 0 {
			return false, err
		}
		for _, s := range p.Settling {
			if !s.Until.IsZero() {
				return false, nil
			}
		}
		return true, nil
	}
}

// spoolStatus prints what is in a spool.
func (c *cli) spoolStatus(ctx context.Context, dir string) error {
	st, err := spool.Read(ctx, dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no spool at %s", dir)
	}
	if err != nil {
		return err
	}
	if c.json {
		return c.indented(st)
	}
	return c.table(nil, statusRows(dir, st))
}

func statusRows(dir string, st spool.Status) [][]string {
	state := "not running"
	if st.Running {
		state = string(st.Health.State)
	}
	rows := [][]string{{"spool", dir}, {"trigger", st.Owner}, {"state", state}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("reason", st.Health.Reason)
	add("trouble", st.Health.Trouble)
	add("waiting", count(int(st.Waiting), "event"))
	if st.Held > 0 {
		add("held", count(int(st.Held), "event")+", not complete")
	}
	if !st.Oldest.IsZero() {
		add("oldest", st.Oldest.Local().Format("2006-01-02 15:04:05"))
	}
	for _, r := range st.Refused {
		add("refused", r.Key+": "+r.Reason)
	}
	return rows
}
