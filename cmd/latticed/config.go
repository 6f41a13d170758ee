package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/latticed/latticed/executors/local/runner"
	"github.com/latticed/latticed/graph"
)

// Config is what `serve` can be told. Flags come before the file, the file before the
// defaults.
type Config struct {
	Paths     Paths     `toml:"paths"`
	HTTP      HTTP      `toml:"http"`
	Executors Executors `toml:"executors"`
	Alarm     Alarm     `toml:"alarm"`
	Retention Retention `toml:"retention"`
	Limits    Limits    `toml:"limits"`
}

// Paths says where things are.
type Paths struct {
	// StateDir holds everything that must survive. Default: $STATE_DIRECTORY,
	// /var/lib/latticed for root, else $XDG_STATE_HOME/latticed.
	StateDir string `toml:"state_dir"`
	// Socket is the Unix socket for clients. Default: latticed.sock in
	// $RUNTIME_DIRECTORY, /run/latticed for root, $XDG_RUNTIME_DIR, else a private
	// folder in /tmp.
	Socket string `toml:"socket"`
	// Runner is the socket of a runner that somebody else starts (systemd). Default:
	// $LATTICED_RUNNER, else the daemon starts its own.
	Runner string `toml:"runner"`
	// Watch names the folders that triggers may look at, with all that is in them.
	// Default: everything that the daemon's user may read.
	Watch []string `toml:"watch"`
}

// Executors are the executors by name.
type Executors struct {
	Local Local `toml:"local"`
}

// Local is how local attempts run.
type Local struct {
	// Env is added to the environment of every attempt. Default: nothing.
	Env map[string]string `toml:"env"`
	// PassEnv names variables that attempts get from the daemon's environment.
	// Default: none.
	PassEnv []string `toml:"pass_env"`
	// Parallel is how many attempts run at a time. Default: the number of CPUs, at
	// least 8.
	Parallel int `toml:"parallel"`
}

// Alarm says who is told when a trigger has become failing, and when it works again.
type Alarm struct {
	// Command is a program with its arguments, run as the daemon's user. Default: none.
	Command []string `toml:"command"`
	// URL is sent a POST. Default: none.
	URL string `toml:"url"`
	// After is how long a trigger is failing before that is told, text such as "5m" or
	// a number of seconds. Default: 1 minute.
	After any `toml:"after"`

	after time.Duration // of After
}

// defaultAfter is longer than what passes by itself: a daemon or server that is
// started anew.
const defaultAfter = time.Minute

// readConfig decodes a configuration file strictly.
func readConfig(name string) (Config, error) {
	var c Config
	src, err := readNamed(name)
	if err != nil {
		return c, fmt.Errorf("read the configuration: %w", err)
	}
	err = toml.NewDecoder(bytes.NewReader(src)).DisallowUnknownFields().Decode(&c)
	return c, located(name, err)
}

// located puts file, line and column before what is wrong with a configuration.
func located(name string, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var all []error
		for _, e := range unknown.Errors {
			line, column := e.Position()
			key := strings.Join(e.Key(), ".")
			all = append(all, fmt.Errorf("%s:%d:%d: unknown key %s%s", name, line, column, key, configHint(key)))
		}
		return errors.Join(all...)
	}
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		line, column := syntax.Position()
		return fmt.Errorf("%s:%d:%d: %s", name, line, column, inTOML(syntax))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

var wrongType = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^cannot decode TOML \S+ into (?:struct field \S+ of type )?(\S+)$`)
})

// inTOML says what is wrong with a value in the words of the file, not in ours.
func inTOML(err *toml.DecodeError) string {
	said := strings.TrimPrefix(err.Error(), "toml: ")
	m := wrongType().FindStringSubmatch(said)
	if m == nil {
		return said
	}
	must := map[string]string{"string": "text", "bool": "true or false", "int": "a whole number", "int64": "a whole number", "map[string]string": `a table of texts, such as {LANG = "C"}`}[m[1]]
	key := strings.Join(err.Key(), ".")
	switch {
	case m[1] == "[]string" && key == "alarm.command":
		must = `a list, such as ["/usr/local/bin/tell-me"]`
	case m[1] == "[]string" && key == "executors.local.pass_env":
		must = `a list, such as ["HOME"]`
	case m[1] == "[]string" && key == "http.listen":
		must = `a list, such as ["127.0.0.1:8321"]`
	case m[1] == "[]string" && key == "http.hosts":
		must = `a list, such as ["lab.example"]`
	case m[1] == "[]string":
		must = `a list, such as ["/data"]`
	case m[1] == "string" && key == "executors.local.env":
		return key + ": each value must be text"
	case strings.HasPrefix(m[1], "main."):
		must = "a table, such as [" + key + "]"
	case must == "":
		return said
	}
	return strings.TrimSpace(key + " must be " + must)
}

func configHint(key string) string {
	known := []string{
		"paths.state_dir", "paths.socket", "paths.runner", "paths.watch",
		"http.listen", "http.tls_cert", "http.tls_key", "http.allow_plain", "http.hosts", "http.max_connections",
		"executors.local.env", "executors.local.pass_env", "executors.local.parallel",
		"alarm.command", "alarm.url", "alarm.after",
		"retention.age", "retention.count", "retention.bytes", "retention.audit_age", "limits.min_free",
	}
	for _, words := range [][]string{known, {"paths", "http", "executors", "executors.local", "alarm", "retention", "limits"}} {
		if s := graph.Suggest(key, words); s != "" {
			return "; did you mean " + s + "?"
		}
	}
	return "; known are " + strings.Join(known, ", ")
}

// fill adds the defaults.
func (c *Config) fill() error {
	if c.Paths.StateDir == "" {
		dir, err := defaultStateDir()
		if err != nil {
			return err
		}
		c.Paths.StateDir = dir
	}
	if c.Paths.Socket == "" {
		dir, err := runner.RuntimeDir()
		if err != nil {
			return err
		}
		c.Paths.Socket = filepath.Join(dir, socketName)
	}
	if c.Paths.Runner == "" {
		c.Paths.Runner = os.Getenv("LATTICED_RUNNER")
	}
	for _, p := range []*string{&c.Paths.StateDir, &c.Paths.Socket} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	if err := c.HTTP.fill(); err != nil {
		return err
	}
	for i, p := range c.Paths.Watch {
		if filepath.IsAbs(p) { // Validate refuses the others
			c.Paths.Watch[i] = filepath.Clean(p)
		}
	}
	c.Alarm.after = defaultAfter
	if d, err := graph.ParseDuration(c.Alarm.After); err == nil {
		c.Alarm.after = d
	}
	c.Retention.fill()
	return nil
}

func defaultStateDir() (string, error) {
	if d := os.Getenv("STATE_DIRECTORY"); d != "" {
		d, _, _ = strings.Cut(d, ":")
		return d, nil
	}
	if os.Getuid() == 0 {
		return "/var/lib/latticed", nil
	}
	if d := os.Getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, "latticed"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("there is no place for the state directory: give --state-dir")
	}
	return filepath.Join(home, ".local", "state", "latticed"), nil
}

// Validate lists everything that is wrong.
func (c *Config) Validate() error {
	return errors.Join(slices.Concat(c.Paths.wrong(), c.HTTP.wrong(), c.Executors.Local.wrong(), c.Alarm.wrong(), c.Retention.wrong(), c.Limits.wrong())...)
}

func (p *Paths) wrong() (found []error) {
	for i, path := range p.Watch {
		if !filepath.IsAbs(path) {
			found = append(found, fmt.Errorf("paths.watch[%d]: %q must be absolute, such as /data", i, path))
		}
		if slices.Contains(p.Watch[:i], path) {
			found = append(found, fmt.Errorf("paths.watch[%d]: %s is there twice", i, path))
		}
	}
	if p.Watch != nil && len(p.Watch) == 0 {
		found = append(found, errors.New(`paths.watch is empty, which could mean all or none: name the folders that triggers may look at, such as watch = ["/data", "/scratch"], or remove the line to allow every folder`))
	}
	return found
}

func (l *Local) wrong() (found []error) {
	if l.Parallel < 0 {
		found = append(found, fmt.Errorf("executors.local.parallel must not be negative, is %d", l.Parallel))
	}
	variable := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	for _, name := range sortedKeys(l.Env) {
		if !variable.MatchString(name) {
			found = append(found, fmt.Errorf("executors.local.env: %q can't be the name of a variable", name))
		}
	}
	for i, name := range l.PassEnv {
		if !variable.MatchString(name) {
			found = append(found, fmt.Errorf("executors.local.pass_env[%d]: %q can't be the name of a variable", i, name))
		}
		if slices.Contains(l.PassEnv[:i], name) {
			found = append(found, fmt.Errorf("executors.local.pass_env[%d]: %s is there twice", i, name))
		}
	}
	return found
}

func (a *Alarm) wrong() (found []error) {
	if a.Command != nil {
		switch {
		case len(a.Command) == 0 || a.Command[0] == "":
			found = append(found, errors.New("alarm.command names no program: write for example [\"/usr/local/bin/tell-me\"]"))
		case strings.Contains(a.Command[0], "/") && !filepath.IsAbs(a.Command[0]):
			found = append(found, fmt.Errorf("alarm.command: %q must be absolute, or a name that is on the PATH", a.Command[0]))
		}
		for i, word := range a.Command {
			if strings.ContainsRune(word, 0) {
				found = append(found, fmt.Errorf("alarm.command[%d]: holds a zero byte", i))
			}
		}
	}
	if a.URL != "" {
		if u, err := url.Parse(a.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			found = append(found, errors.New("alarm.url must begin with https:// or http:// and name a host")) // it may hold a secret
		}
	}
	if a.After != nil {
		if _, err := graph.ParseDuration(a.After); err != nil {
			found = append(found, fmt.Errorf("alarm.after: %w", err))
		} else if a.Command == nil && a.URL == "" {
			found = append(found, errors.New("alarm.after means nothing without alarm.command or alarm.url"))
		}
	}
	return found
}
