package main

import (
	"context"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"
)

// hangups tells of SIGHUP from now on, so that it ends nobody, until stop is called.
func hangups() (came <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// reloader takes a new configuration into use at SIGHUP. Its goroutine is that of Run.
type reloader struct {
	d    *daemon
	now  Config
	read func() (Config, error) // nil: there is nothing to read
	came <-chan os.Signal
}

// Run reads the configuration again whenever it is told to, until ctx ends.
func (r *reloader) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.came:
			r.reload()
		}
	}
}

// reload applies what can be changed while the daemon runs, and names the rest. A file
// that can't be read, or with anything wrong in it, changes nothing.
func (r *reloader) reload() {
	for _, door := range r.d.doors {
		_, _ = door.Certificate() // looks at the files, and says what it finds
	}
	if r.read == nil {
		r.d.log.Warn().Msg("there is no configuration file to read again")
		return
	}
	next, err := r.read()
	if err != nil {
		r.d.log.Error().Err(err).Msg("the configuration was not changed: the file can't be used")
		return
	}
	changed, fixed := r.apply(next)
	if len(fixed) > 0 {
		r.d.log.Warn().Strs("needs_restart", fixed).Strs("changed", changed).Msg("configuration read again")
		return
	}
	r.d.log.Info().Strs("changed", changed).Msg("configuration read again")
}

// apply returns the names of what was changed and of what takes a restart.
func (r *reloader) apply(next Config) (changed, fixed []string) {
	was := r.now
	for _, s := range []struct {
		key      string
		old, new any
		set      func() // nil: it takes a restart
	}{
		{"paths.state_dir", was.Paths.StateDir, next.Paths.StateDir, nil},
		{"paths.socket", was.Paths.Socket, next.Paths.Socket, nil},
		{"paths.runner", was.Paths.Runner, next.Paths.Runner, nil},
		{"paths.watch", was.Paths.Watch, next.Paths.Watch, nil},
		{"http.listen", was.HTTP.Listen, next.HTTP.Listen, nil},
		{"http.tls_cert", was.HTTP.TLSCert, next.HTTP.TLSCert, nil},
		{"http.tls_key", was.HTTP.TLSKey, next.HTTP.TLSKey, nil},
		{"http.allow_plain", was.HTTP.AllowPlain, next.HTTP.AllowPlain, nil},
		{"http.max_connections", was.HTTP.MaxConnections, next.HTTP.MaxConnections, nil},
		{"http.hosts", was.HTTP.Hosts, next.HTTP.Hosts, func() { r.d.api.SetHosts(next.HTTP.Hosts) }},
		{"executors.local.parallel", was.Executors.Local.Parallel, next.Executors.Local.Parallel, func() {
			r.d.dispatcher.SetParallel(next.Executors.Local.Parallel)
		}},
		{"executors.local.env", was.Executors.Local.Env, next.Executors.Local.Env, func() { r.setEnv(next) }},
		{"executors.local.pass_env", was.Executors.Local.PassEnv, next.Executors.Local.PassEnv, func() { r.setEnv(next) }},
		{"alarm", was.Alarm, next.Alarm, func() { r.d.bell.set(next.Alarm) }},
		{"retention", was.Retention, next.Retention, func() { r.d.janitor.set(next.Retention.rules) }},
		{"limits", was.Limits, next.Limits, func() { r.d.gauge.limits.Store(&next.Limits) }},
	} {
		switch {
		case same(s.old, s.new):
		case s.set == nil:
			fixed = append(fixed, s.key)
		default:
			s.set()
			changed = append(changed, s.key)
		}
	}
	r.keep(next)
	return changed, fixed
}

func same(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if k := x.Kind(); (k == reflect.Slice || k == reflect.Map) && x.Len() == 0 && y.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a, b)
}

func (r *reloader) setEnv(next Config) {
	r.d.local.SetEnv(next.Executors.Local.Env, slices.Clone(next.Executors.Local.PassEnv))
}

// keep remembers what is in use: what takes a restart is named each time, until then.
func (r *reloader) keep(next Config) {
	hosts := next.HTTP.Hosts
	next.Paths, next.HTTP = r.now.Paths, r.now.HTTP
	next.HTTP.Hosts = hosts
	r.now = next
}
