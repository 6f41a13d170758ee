package api

import (
	"crypto/x509"
	"fmt"
	"time"
)

// Certificate is what a door shows to those who come in.
type Certificate struct {
	Files     [2]string // certificate, key
	NotBefore time.Time
	NotAfter  time.Time // when the first of its chain ends
	Trouble   error     // why the files can't be taken, and the earlier one is in use
	Chain     error     // why clients may not find their way to whom they trust
}

// Certificate tells how it is with the door's, which it reads again if the files have
// changed; false when it has none.
func (d *Door) Certificate() (Certificate, bool) {
	if d.certs == nil {
		return Certificate{}, false
	}
	pair, err := d.certs.again()
	c := Certificate{Files: d.certs.files, Trouble: err, NotBefore: pair.Leaf.NotBefore, NotAfter: pair.Leaf.NotAfter}
	chain := []*x509.Certificate{pair.Leaf}
	for _, raw := range pair.Certificate[1:] {
		next, err := x509.ParseCertificate(raw)
		if err != nil {
			c.Chain = fmt.Errorf("certificate %d of the file can't be read: %w", len(chain)+1, err)
			break
		}
		if err := chain[len(chain)-1].CheckSignatureFrom(next); err != nil && c.Chain == nil {
			c.Chain = fmt.Errorf("certificate %d of the file (%s) has not signed the one before (%s)", len(chain)+1, next.Subject, chain[len(chain)-1].Subject)
		}
		chain = append(chain, next)
		if next.NotAfter.Before(c.NotAfter) {
			c.NotAfter = next.NotAfter
		}
		if next.NotBefore.After(c.NotBefore) {
			c.NotBefore = next.NotBefore
		}
	}
	return c, true
}
