package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/latticed/latticed/api/client"
)

// cli is what the commands share.
type cli struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	json      bool
	server    string
	tokenFile string
	caFile    string
	warned    bool // of a token that others can read
	gone      bool // there is no daemon to ask afterwards: name no next command
}

const socketName = "latticed.sock"

// connect returns a client of the daemon. Whether it is there is seen at the first
// request.
func (c *cli) connect() (*client.Client, error) {
	server := c.server
	if server == "" {
		server = os.Getenv("LATTICED_SERVER")
	}
	if server != "" {
		return c.remote(server)
	}
	candidates := sockets()
	for _, path := range candidates {
		if exists(path) {
			return client.New(path), nil
		}
	}
	return client.New(candidates[0]), nil
}

// sockets are the places where a daemon may listen, the likeliest first.
func sockets() []string {
	if s := os.Getenv("LATTICED_SOCKET"); s != "" {
		return []string{s}
	}
	places := []string{filepath.Join("/run/latticed", socketName)}
	if d := os.Getenv("XDG_RUNTIME_DIR"); d != "" {
		places = append(places, filepath.Join(d, socketName))
	} else if uid := os.Getuid(); uid != 0 {
		if dir := filepath.Join(os.TempDir(), "latticed-"+strconv.Itoa(uid)); !foreign(dir, uid) {
			places = append(places, filepath.Join(dir, socketName))
		}
	}
	return places
}

// foreign tells whether somebody else made a folder, where anybody may make one: the
// daemon in it would not be ours.
func foreign(dir string, uid int) bool {
	info, err := os.Lstat(dir)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || !info.IsDir() || int(st.Uid) != uid
}

// tried lists where a daemon was looked for.
func (c *cli) tried(socket string) []string {
	if c.server != "" || os.Getenv("LATTICED_SERVER") != "" {
		return []string{socket}
	}
	return sockets()
}

// raw prints an answer as JSON, indented for a terminal.
func (c *cli) raw(v json.RawMessage) error {
	if f, ok := c.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return c.indented(v)
	}
	_, err := fmt.Fprintln(c.stdout, strings.TrimRight(string(v), "\n"))
	return err
}

// orRaw is for commands that only show an answer.
func (c *cli) orRaw(err error, v json.RawMessage) error {
	if err != nil {
		return err
	}
	return c.raw(v)
}

// indented prints a JSON value for people.
func (c *cli) indented(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table prints aligned columns, which fit a terminal; elsewhere all of them are whole.
func (c *cli) table(header []string, rows [][]string) error {
	for _, row := range rows {
		for i, cell := range row {
			row[i] = oneLine(cell)
		}
	}
	if width := c.columns(); width > 0 {
		header, rows = fit(header, rows, width, time.Now())
	}
	if len(header) > 0 {
		rows = append([][]string{header}, rows...)
	}
	_, err := io.WriteString(c.stdout, aligned(rows))
	return err
}

// warn prints warnings that came with a success.
func (c *cli) warn(ws []client.Warning) {
	for _, w := range ws {
		fmt.Fprintf(c.stderr, "latticed: warning: %s\n", oneLine(w.Message))
	}
}

// progress tells whether somebody watches stderr.
func (c *cli) progress() bool {
	f, ok := c.stderr.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && !c.json
}
