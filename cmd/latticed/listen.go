package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/latticed/latticed/api"
)

// HTTP is how requests come in besides the socket.
type HTTP struct {
	// Listen names addresses as HOST:PORT. Default: none.
	Listen []string `toml:"listen"`
	// TLSCert and TLSKey are files (PEM) for all of them; they are read again when they
	// change. Default: none, which only loopback addresses may do without.
	TLSCert string `toml:"tls_cert"`
	TLSKey  string `toml:"tls_key"`
	// AllowPlain does without TLS on a network where nobody reads along. Default: false.
	AllowPlain bool `toml:"allow_plain"`
	// Hosts are names this machine goes by besides its own and those of the certificate.
	// Default: none.
	Hosts []string `toml:"hosts"`
	// MaxConnections is how many there may be at a time. Default: 512.
	MaxConnections int `toml:"max_connections"`
}

// addFlags adds those of serve.
func (h *HTTP) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&h.Listen, "listen", nil, "also listen at this HOST:PORT, where clients need a token (repeatable)")
	f.StringVar(&h.TLSCert, "tls-cert", "", "certificate for --listen (PEM), read again when it changes")
	f.StringVar(&h.TLSKey, "tls-key", "", "its key")
	f.BoolVar(&h.AllowPlain, "allow-plain", false, "listen without TLS also at addresses that others can reach: they can read along")
}

// override takes over the flags that were given.
func (h *HTTP) override(cmd *cobra.Command, flags HTTP) {
	changed := cmd.Flags().Changed
	if changed("listen") {
		h.Listen = flags.Listen
	}
	if changed("tls-cert") {
		h.TLSCert = flags.TLSCert
	}
	if changed("tls-key") {
		h.TLSKey = flags.TLSKey
	}
	if changed("allow-plain") {
		h.AllowPlain = flags.AllowPlain
	}
}

// fill makes paths absolute.
func (h *HTTP) fill() error {
	for _, p := range []*string{&h.TLSCert, &h.TLSKey} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	return nil
}

func (h *HTTP) wrong() (found []error) {
	for i, addr := range h.Listen {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || port == "" {
			found = append(found, fmt.Errorf("http.listen[%d]: %q must be HOST:PORT, such as 127.0.0.1:8321", i, addr))
			continue
		}
		if slices.Contains(h.Listen[:i], addr) {
			found = append(found, fmt.Errorf("http.listen[%d]: %s is there twice", i, addr))
		}
		if ip := net.ParseIP(host); h.TLSCert == "" && !h.AllowPlain && (host == "" || ip != nil && !ip.IsLoopback()) {
			found = append(found, fmt.Errorf("http.listen[%d]: at %s tokens would cross the network for all to read; give a certificate (--tls-cert and --tls-key), listen at 127.0.0.1 behind a proxy, or say --allow-plain if the network is yours alone", i, addr))
		}
	}
	if (h.TLSCert == "") != (h.TLSKey == "") {
		found = append(found, errors.New("http.tls_cert and http.tls_key go together: give both"))
	}
	if len(h.Listen) == 0 && (h.TLSCert != "" || h.AllowPlain) {
		found = append(found, errors.New("http.tls_cert and http.allow_plain mean nothing without http.listen (--listen)"))
	}
	for i, name := range h.Hosts {
		if name == "" || strings.ContainsAny(name, ":/ ") && net.ParseIP(name) == nil {
			found = append(found, fmt.Errorf("http.hosts[%d]: %q must be a name without a port, such as lab.example", i, name))
		}
	}
	if h.MaxConnections < 0 {
		found = append(found, fmt.Errorf("http.max_connections must not be negative, is %d", h.MaxConnections))
	}
	return found
}

// open opens the doors; of those that it has opened none is left when one fails.
func (h *HTTP) open(ctx context.Context, log zerolog.Logger) (doors []*api.Door, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeDoors(doors))
			doors = nil
		}
	}()
	for _, addr := range h.Listen {
		d, err := api.ListenTCP(ctx, addr, api.DoorOptions{CertFile: h.TLSCert, KeyFile: h.TLSKey, AllowPlain: h.AllowPlain, Log: log})
		if err != nil {
			return doors, err
		}
		doors = append(doors, d)
	}
	return doors, nil
}

func closeDoors(doors []*api.Door) (err error) {
	for _, d := range doors {
		err = errors.Join(err, d.Close())
	}
	return err
}

// addresses are the doors for people.
func addresses(doors []*api.Door) []string {
	all := make([]string, len(doors))
	for i, d := range doors {
		all[i] = d.String()
	}
	return all
}
