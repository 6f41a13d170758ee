package dbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are files of a server that speaks TLS, for its clients.
type Certificates struct {
	Authority        string // that has signed both
	Certificate, Key string // of the client User
}

// Encrypt makes the server speak TLS, with a certificate for its address and no name,
// and starts it again. Clients that don't want TLS are served, too.
func (s *Server) Encrypt(t testing.TB) Certificates {
	t.Helper()
	ca := newAuthority(t)
	c := Certificates{filepath.Join(s.Folder, "ca.pem"), filepath.Join(s.Folder, "client.pem"), filepath.Join(s.Folder, "client.key")}
	s.file(t, c.Authority, ca.pem(), false)
	ca.issue(t, s, User, nil, c.Certificate, c.Key, false)
	certificate, key := filepath.Join(s.Folder, "server.pem"), filepath.Join(s.Folder, "server.key")
	ca.issue(t, s, "server", net.ParseIP(s.Host), certificate, key, true)
	s.options = append(s.options, s.engine.tls(c.Authority, certificate, key)...)
	s.Stop(t)
	s.Start(t)
	return c
}

// Stranger is the file of an authority that has signed nothing here.
func Stranger(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stranger.pem")
	if err := os.WriteFile(path, newAuthority(t).pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// file writes one that the server, or only we, can read.
func (s *Server) file(t testing.TB, path string, text []byte, its bool) {
	t.Helper()
	err := os.WriteFile(path, text, 0o600)
	if uid, gid, idErr := s.engine.ids(); err == nil && uid >= 0 && its {
		if err = idErr; err == nil {
			err = os.Chown(path, uid, gid)
		}
	} else if err == nil && filepath.Ext(path) != ".key" {
		err = os.Chmod(path, 0o644) //nolint:gosec // no secret
	}
	if err != nil {
		t.Fatal(err)
	}
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	a := authority{key: newKey(t)}
	form := template509("authority of a test")
	form.IsCA, form.BasicConstraintsValid, form.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, form, form, a.key.Public(), a.key)
	if err == nil {
		a.certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// issue writes a certificate and its key.
func (a authority) issue(t testing.TB, s *Server, name string, ip net.IP, certificate, key string, its bool) {
	t.Helper()
	form, secret := template509(name), newKey(t)
	form.KeyUsage, form.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if ip != nil {
		form.IPAddresses = []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, form, a.certificate, secret.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	s.file(t, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), its)
	s.file(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}), its)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template509(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}
