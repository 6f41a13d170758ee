package api

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/store"
)

// pair is a certificate with its key in files.
type pair struct{ cert, key string }

func newPair(t *testing.T) pair {
	dir := t.TempDir()
	return pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// issue makes a new certificate for a name; files are replaced as renewers do.
func (p pair) issue(t *testing.T, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey}))
	replaceFile(t, p.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

func replaceFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name+"~", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+"~", name); err != nil {
		t.Fatal(err)
	}
}

// served is the name in the certificate that a new connection is shown.
func served(t *testing.T, h *house) string {
	t.Helper()
	c, err := tls.Dial("tcp", h.door.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // what is shown is what is asked
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestTLS(t *testing.T) {
	p := newPair(t)
	p.issue(t, "one.example")
	h := newHouseWith(t, DoorOptions{CertFile: p.cert, KeyFile: p.key}, nil)
	text, _ := h.token(store.Token{Role: RoleViewer})
	if !strings.HasPrefix(h.door.String(), "https://") {
		t.Error(h.door)
	}

	t.Run("lets_in_who_trusts_it", func(t *testing.T) {
		c, err := client.Connect(client.Options{Server: h.door.String(), Token: text, CAFile: p.cert})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a, err := c.Whoami(t.Context())
		if err != nil || a.Value.Via != "tls" {
			t.Errorf("%+v %v", a.Value, err)
		}
	})
	t.Run("is_1_2_at_least_and_HTTP_1_only", func(t *testing.T) {
		_, err := tls.Dial("tcp", h.door.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) //nolint:gosec // it is what must not work
		if err == nil {
			t.Error("TLS 1.1 is spoken")
		}
		c, err := tls.Dial("tcp", h.door.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}) //nolint:gosec // as above
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if proto := c.ConnectionState().NegotiatedProtocol; proto != "http/1.1" {
			t.Errorf("%q is spoken", proto)
		}
	})
	t.Run("answers_plain_requests_with_a_word", func(t *testing.T) {
		resp, err := http.Get("http://" + h.door.Addr().String() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Error(resp.Status)
		}
	})
	t.Run("makes_the_names_of_the_certificate_ours", func(t *testing.T) {
		ask := func(host string) int {
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the Host is what is asked
			defer tr.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.door.String()+"/healthz", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			return resp.StatusCode
		}
		if status := ask("ONE.example:8321"); status != 200 {
			t.Error(status)
		}
		if status := ask("two.example"); status != 403 {
			t.Error(status)
		}
	})
	t.Run("is_replaced_while_we_run", func(t *testing.T) {
		resp := h.hold(t, text) // connections that are there stay
		defer resp.Body.Close()
		p.issue(t, "two.example")
		soon(t, "served the new certificate", func() bool { return served(t, h) == "two.example" })
		if !strings.Contains(h.log.String(), "certificate replaced") {
			t.Errorf("%s", h.log)
		}
		replaceFile(t, p.cert, []byte("broken"))
		kept := func(times int, name string) func() bool {
			return func() bool {
				return served(t, h) == name && strings.Count(h.log.String(), "the certificate stays what it was") == times
			}
		}
		soon(t, "logged", kept(1, "two.example"))
		for range 20 {
			if name := served(t, h); name != "two.example" {
				t.Fatal(name)
			}
		}
		other := newPair(t)
		other.issue(t, "three.example")
		cert, err := os.ReadFile(other.cert)
		if err != nil {
			t.Fatal(err)
		}
		replaceFile(t, p.cert, cert) // its key isn't there yet
		soon(t, "logged", kept(2, "two.example"))
		key, err := os.ReadFile(other.key)
		if err != nil {
			t.Fatal(err)
		}
		replaceFile(t, p.key, key)
		soon(t, "served the pair", func() bool { return served(t, h) == "three.example" })
		if err := os.Remove(p.cert); err != nil {
			t.Fatal(err)
		}
		soon(t, "logged", kept(3, "three.example"))
	})
}

// hold begins to follow the events over TLS.
func (h *house) hold(t *testing.T, token string) *http.Response {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // not what is tested
	t.Cleanup(tr.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.door.String()+"/v1/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = bearer(token)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// Files that are written in place, not replaced: neither a half nor what shows the time and
// the size of the one before goes unseen.
func TestCertificates_written_in_place(t *testing.T) {
	p, q := newPair(t), newPair(t)
	p.issue(t, "one.example")
	q.issue(t, "two.example")
	c, err := newCertificates(p.cert, p.key, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	text := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	cert, key := text(q.cert), text(q.key)
	at := time.Now()
	write := func(name string, content []byte) {
		t.Helper()
		if err := errors.Join(os.WriteFile(name, content, 0o600), os.Chtimes(name, at, at)); err != nil { // within one tick of the file system's clock
			t.Fatal(err)
		}
	}
	shows := func(name string, well bool) {
		t.Helper()
		if now, err := c.again(); now.Leaf.Subject.CommonName != name || (err == nil) != well {
			t.Errorf("it shows %s, %v", now.Leaf.Subject, err)
		}
	}
	write(p.key, key)
	write(p.cert, cert[:len(cert)/2])
	shows("one.example", false)
	write(p.cert, bytes.Repeat([]byte("x"), len(cert)))
	shows("one.example", false)
	write(p.cert, cert) // as large, and as old
	shows("two.example", true)
	if err := os.Remove(p.key); err != nil {
		t.Fatal(err)
	}
	shows("two.example", false)
	write(p.key, key)
	shows("two.example", true)
}
