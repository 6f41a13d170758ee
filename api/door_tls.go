package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// lookEvery is how often the files of a certificate are looked at, at most.
const lookEvery = time.Second

// certificates is a certificate in files that somebody replaces now and then. New
// connections get the new one; a pair that can't be read, or doesn't fit, changes
// nothing and is logged once.
type certificates struct {
	files [2]string // certificate, key
	log   zerolog.Logger

	mu     sync.Mutex
	looked time.Time
	seen   [2]fs.FileInfo // of the pair that was tried last
	now    *tls.Certificate
}

func newCertificates(cert, key string, log zerolog.Logger) (*certificates, error) {
	c := &certificates{files: [2]string{cert, key}, log: log.With().Str(keyComponent, "api").Logger(), looked: time.Now()}
	if cert == "" || key == "" {
		return nil, errors.New("TLS wants both, a certificate (--tls-cert) and its key (--tls-key)")
	}
	seen, err := c.stat()
	if gone := new(fs.PathError); errors.As(err, &gone) && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("TLS: there is no file %s", gone.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("TLS with %s and %s: %w", cert, key, err)
	}
	c.seen, c.now = seen, &pair
	return c, nil
}

// get is asked at each handshake.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil }

// current is the certificate of new connections.
func (c *certificates) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		c.look()
	}
	return c.now
}

// look takes a pair that was changed. The files are looked at before they are read: a
// change in between is seen the next time.
func (c *certificates) look() {
	seen, err := c.stat()
	if err != nil {
		if c.seen != [2]fs.FileInfo{} {
			c.seen = [2]fs.FileInfo{}
			c.log.Error().Err(err).Msg("the certificate stays what it was")
		}
		return
	}
	if same(seen[0], c.seen[0]) && same(seen[1], c.seen[1]) {
		return
	}
	c.seen = seen
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		c.log.Error().Err(err).Str("cert", c.files[0]).Str("key", c.files[1]).Msg("the certificate stays what it was")
		return
	}
	c.now = &pair
	c.log.Info().Str("cert", c.files[0]).Time("not_after", pair.Leaf.NotAfter).Msg("certificate replaced")
}

func (c *certificates) stat() (infos [2]fs.FileInfo, err error) {
	for i, name := range c.files {
		if infos[i], err = os.Stat(name); err != nil {
			return infos, err
		}
	}
	return infos, nil
}

// same tells whether a file is what it was.
func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
