package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options say where a daemon is and what it is shown.
type Options struct {
	Server string // unix:PATH, an absolute path, or https://HOST:PORT (http:// as well)
	Token  string // for https and http; empty: none
	// Sign shows that we have the token without sending it, for a plain network. The
	// daemon takes that of role source only.
	Sign   bool
	CAFile string // certificates (PEM) to be trusted besides the system's; empty: none
}

// The limits of a connection to another machine, which may vanish without a word.
const (
	dialTimeout = 10 * time.Second
	lostAfter   = time.Minute // nothing of what was sent is acknowledged
)

// Connect returns a client of the daemon at o.Server. Whether it is there is seen at
// the first request.
func Connect(o Options) (*Client, error) {
	if path, ok := strings.CutPrefix(o.Server, "unix:"); ok || filepath.IsAbs(o.Server) {
		return New(strings.TrimPrefix(path, "//")), nil
	}
	u, err := url.Parse(o.Server)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is not an address: write unix:PATH or https://HOST:PORT", o.Server)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%s: write unix:PATH or https://HOST:PORT", u.Redacted())
	case u.User != nil:
		return nil, errors.New("the address holds a user: who we are is shown by a token, not by a name and a password")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s: an address ends with the port", o.Server)
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		if trust.RootCAs, err = trusted(o.CAFile); err != nil {
			return nil, err
		}
	}
	c := &Client{server: u.Scheme + "://" + u.Host, scheme: u.Scheme, host: u.Host, token: o.Token, http: &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         dialer().DialContext,
			TLSClientConfig:     trust,
			TLSHandshakeTimeout: dialTimeout,
			DisableCompression:  true,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     time.Minute, // the daemon's is longer: a request doesn't run into its end
		},
		// Whoever sends us elsewhere is not the daemon, and is shown no token.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if o.Sign && o.Token != "" {
		if c.signer, err = newSigner(o.Token); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Plain tells whether what we send can be read by others on the way.
func (c *Client) Plain() bool {
	if !strings.HasPrefix(c.server, "http://") {
		return false
	}
	host, _, err := net.SplitHostPort(c.host)
	if err != nil {
		host = c.host
	}
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

func trusted(file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates to be trusted: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s holds no certificate (PEM)", file)
	}
	return pool, nil
}

// dialer notices a machine that is gone, also while we wait for an answer that may
// take as long as it likes.
func dialer() *net.Dialer {
	return &net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3},
		ControlContext: func(_ context.Context, _, _ string, raw syscall.RawConn) error {
			var set error
			err := raw.Control(func(fd uintptr) {
				set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(lostAfter.Milliseconds()))
			})
			return errors.Join(err, set)
		},
	}
}
