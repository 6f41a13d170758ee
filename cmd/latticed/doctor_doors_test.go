package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latticed/latticed/api"
	"github.com/latticed/latticed/store"
)

// issued makes a certificate with its key; signers are put behind it in the file.
func issued(t *testing.T, name string, from, to time.Time, by *signer) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	s := &signer{cert: template, key: key}
	if by == nil {
		by = s
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	s.text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	if s.cert, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	return s
}

type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	text string
}

// put writes the pair, the certificates of others behind it.
func (s *signer) put(t *testing.T, dir string, behind ...*signer) (cert, key string) {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text := s.text
	for _, b := range behind {
		text += b.text
	}
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
	write(t, cert, text)
	return cert, key
}

func TestDoctor_sees_the_end_of_a_certificate_before_its_clients_do(t *testing.T) {
	now := time.Now()
	const day = 24 * time.Hour
	year := now.Add(365 * day)
	root := issued(t, "root", now.Add(-day), year, nil)
	for name, test := range map[string]struct {
		leaf    *signer
		behind  []*signer
		half    bool
		verdict string
		want    string
	}{
		"all_is_well":        {issued(t, "lab", now.Add(-day), year, nil), nil, false, api.VerdictOK, "in 364 days"},
		"with_its_chain":     {issued(t, "lab", now.Add(-day), year, root), []*signer{root}, false, api.VerdictOK, "in 364 days"},
		"it_ends_soon":       {issued(t, "lab", now.Add(-day), now.Add(29*day), nil), nil, false, api.VerdictWarn, "in 28 days"},
		"it_has_ended":       {issued(t, "lab", now.Add(-9*day), now.Add(-day), nil), nil, false, api.VerdictWrong, "it has ended"},
		"it_begins_later":    {issued(t, "lab", now.Add(day), year, nil), nil, false, api.VerdictWrong, "begins only"},
		"a_wrong_chain":      {issued(t, "lab", now.Add(-day), year, root), []*signer{issued(t, "other", now.Add(-day), year, nil)}, false, api.VerdictWarn, "certificate 2 of the file (CN=other) has not signed"},
		"files_are_unusable": {issued(t, "lab", now.Add(-day), year, nil), nil, true, api.VerdictWrong, "can't be used"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cert, key := test.leaf.put(t, dir, test.behind...)
			door, err := api.ListenTCP(t.Context(), "127.0.0.1:0", api.DoorOptions{CertFile: cert, KeyFile: key})
			if err != nil {
				t.Fatal(err)
			}
			defer door.Close()
			if test.half {
				write(t, cert, test.leaf.text[:200])
			}
			if c := checkCertificate([]*api.Door{door}, now); c.Verdict != test.verdict || !strings.Contains(c.Detail, test.want) || (c.Verdict != api.VerdictOK && c.Remedy == "") {
				t.Errorf("%+v", c)
			}
		})
	}
	if c := checkCertificate(nil, now); c.Verdict != api.VerdictOK {
		t.Errorf("without doors: %+v", c)
	}
}

// What is half written, or doesn't fit, changes nothing; SIGHUP says so without waiting for
// somebody to come in, and doctor and metrics show it.
func TestReload_keeps_a_certificate_that_works(t *testing.T) {
	v := newVictim(t)
	now := time.Now()
	one, two := issued(t, "one", now.Add(-time.Hour), now.Add(1000*time.Hour), nil), issued(t, "two", now.Add(-time.Hour), now.Add(2000*time.Hour), nil)
	cert, key := one.put(t, v.dir)
	v.args = []string{"--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key}
	v.start()
	logged := func(what string, times int) {
		t.Helper()
		eventually(t, what, func() bool {
			text, err := os.ReadFile(v.log.Name())
			return err == nil && strings.Count(string(text), what) == times
		})
	}
	shows := func(end time.Time, stale float64) {
		t.Helper()
		if at, is := v.metric("latticed_tls_not_after_seconds"), v.metric("latticed_tls_stale"); at != float64(end.Unix()) || is != stale {
			t.Errorf("the metrics say %v and %v, want %v and %v", at, is, end.Unix(), stale)
		}
	}
	shows(one.cert.NotAfter, 0)
	write(t, cert, two.text[:len(two.text)/2]) // a half
	v.signal(syscall.SIGHUP)
	logged("the certificate stays what it was", 1)
	shows(one.cert.NotAfter, 1)
	if code, said := v.doctor(); code != exitFailed || !strings.Contains(said, "wrong  certificate") {
		t.Errorf("status %d: %s", code, said)
	}
	write(t, cert, two.text) // whole, without its key
	v.signal(syscall.SIGHUP)
	logged("the certificate stays what it was", 2)
	two.put(t, v.dir)
	v.signal(syscall.SIGHUP)
	logged("certificate replaced", 1)
	shows(two.cert.NotAfter, 0)
	if code, said := v.doctor(); code != exitOK {
		t.Errorf("status %d: %s", code, said)
	}
	v.stop()
}

func TestDoctor_names_tokens_that_end_and_those_that_nobody_uses(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := &daemon{store: s}
	now := time.Now()
	const day = 24 * time.Hour
	add := func(name string, life time.Duration) {
		t.Helper()
		k := store.Token{ID: name, Name: name, Role: "viewer", Hash: []byte(name)}
		if life > 0 {
			k.ExpiresAt = now.Add(life)
		}
		if _, err := s.InsertToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	look := func(in time.Duration, verdict, want string) {
		t.Helper()
		if c := d.checkTokens(t.Context(), now.Add(in)); c.Verdict != verdict || !strings.Contains(c.Detail, want) {
			t.Errorf("%+v", c)
		}
	}
	look(0, api.VerdictOK, "0, none")
	add("short", 2*day)
	add("year", 365*day)
	add("for_ever", 0)
	look(0, api.VerdictOK, "3, none")
	look(47*time.Hour, api.VerdictWarn, "end soon: short (")
	look(360*day, api.VerdictWarn, "year (")
	if _, err := s.RevokeToken(t.Context(), "short"); err != nil {
		t.Fatal(err)
	}
	if err := s.UsedTokens(t.Context(), map[string]time.Time{"year": now.Add(90 * day)}); err != nil {
		t.Fatal(err)
	}
	look(91*day, api.VerdictWarn, "nobody has used them for 90 days: for_ever (")
	if err := s.UsedTokens(t.Context(), map[string]time.Time{"for_ever": now.Add(91 * day)}); err != nil {
		t.Fatal(err)
	}
	if a, err := d.tokenAges(t.Context(), now.Add(92*day)); err != nil || len(a.unused) > 0 {
		t.Errorf("%+v %v", a, err)
	}
}

func TestDoctor_does_not_wait_for_a_disk_that_never_answers(t *testing.T) {
	gone, back := make(chan struct{}), make(chan struct{})
	c := &check{name: "disk", look: func(context.Context) api.Check { <-gone; close(back); return well("disk", "it is back") }}
	for range 2 { // the second time nobody is sent after the first
		if found := c.run(t.Context(), 10*time.Millisecond); found.Verdict != api.VerdictWrong || found.Name != "disk" {
			t.Errorf("%+v", found)
		}
	}
	close(gone)
	<-back
	eventually(t, "it is looked at again", func() bool { return !c.away.Load() })
	c.look = func(context.Context) api.Check { return well("disk", "fine") }
	if found := c.run(t.Context(), time.Minute); found.Verdict != api.VerdictOK {
		t.Errorf("%+v", found)
	}
}

func TestDoctor_a_queue_of_inotify_that_was_full(t *testing.T) {
	if c := checkInotify(1, 3); c.Verdict != api.VerdictWarn || !strings.Contains(c.Detail, "full 3 times") || !strings.Contains(c.Remedy, "max_queued_events") {
		t.Errorf("%+v", c)
	}
}

// A state directory on a network is seen by doctor, and refused by the daemon, also when
// only the database is there.
func TestDoctor_a_database_on_a_real_network_mount(t *testing.T) {
	w := newWatcher(t, nil)
	s := newFileServer(w)
	s.start()
	s.mount()
	w.stop()
	linked := filepath.Join(w.folder("linked"), "state")
	far := filepath.Join(w.dir, "latticed.db")
	if err := errors.Join(os.WriteFile(far, nil, 0o600), os.Mkdir(linked, 0o711), os.Symlink(far, filepath.Join(linked, "latticed.db"))); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{w.dir, linked} {
		if c := checkDisk(dir, func(int64) int64 { return 0 }); c.Verdict != api.VerdictWrong || !strings.Contains(c.Detail, "FUSE") {
			t.Errorf("%s: %+v", dir, c)
		}
		var network *store.NetworkError
		if _, err := store.Open(t.Context(), dir, store.Options{}); !errors.As(err, &network) {
			t.Errorf("%s: opened: %v", dir, err)
		}
		if c := outside(dir); c[1].Verdict != api.VerdictWrong {
			t.Errorf("from outside: %+v", c)
		}
	}
}

func TestIncoming_is_counted_and_shown(t *testing.T) {
	dir := t.TempDir()
	l := newLarder(dir)
	d := &daemon{larder: l}
	if c := d.checkIncoming(dir); !strings.Contains(c.Detail, "being counted") {
		t.Errorf("%+v", c)
	}
	for name, size := range map[string]int{"incoming/scans/a.tif": 1 << 20, "incoming/scans/b/c.tif": 1 << 20, "incoming/.partial/half": 1 << 20} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), strings.Repeat("x", size))
	}
	old := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(dir, "incoming/scans/a.tif"), old, old); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	eventually(t, "they are counted", func() bool { return !l.last().at.IsZero() })
	stop()
	<-done
	if c := d.checkIncoming(dir); c.Verdict == api.VerdictWrong || !strings.Contains(c.Detail, "2 files of other machines, 2 MiB, the oldest of 2026-01-02") {
		t.Errorf("%+v", c)
	}
}
