package api

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
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

	mu      sync.Mutex
	looked  time.Time
	seen    [2]fs.FileInfo // of the pair that was tried last
	now     *tls.Certificate
	trouble error // why it isn't the one in the files
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

// again looks now, and returns what is in use and why that isn't what is in the files.
func (c *certificates) again() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return c.now, c.trouble
}

// look takes a pair that was changed. The files are looked at before they are read: a
// change in between is seen the next time.
func (c *certificates) look() {
	seen, err := c.stat()
	if err != nil {
		c.seen = [2]fs.FileInfo{}
		c.stays(err)
		return
	}
	if same(seen[0], c.seen[0]) && same(seen[1], c.seen[1]) {
		return
	}
	c.seen = seen
	if young(seen[0]) || young(seen[1]) {
		c.seen = [2]fs.FileInfo{} // what is written within the same tick shows in no time: look again
	}
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		c.stays(err)
		return
	}
	c.trouble = nil
	if slices.EqualFunc(pair.Certificate, c.now.Certificate, bytes.Equal) {
		return
	}
	c.now = &pair
	c.log.Info().Str("cert", c.files[0]).Time("not_after", pair.Leaf.NotAfter).Msg("certificate replaced")
}

// stays says, once, why the files aren't taken.
func (c *certificates) stays(err error) {
	if c.trouble == nil || c.trouble.Error() != err.Error() {
		c.log.Error().Err(err).Str("cert", c.files[0]).Str("key", c.files[1]).Msg("the certificate stays what it was")
	}
	c.trouble = err
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

// young tells whether a file may have been written since, and show the same time.
func young(f fs.FileInfo) bool { return time.Since(f.ModTime()) < lookEvery }
